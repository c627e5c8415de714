//! The book: providers, their models, and dated prices.

mod discount;
mod error;
mod hours;
mod layer;
mod names;
mod parse;
mod price;
mod read;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use spanledger_event::Timestamp;

use crate::{Meter, Tier, providers};
pub use discount::Discount;
pub use error::{BookError, BookErrors, BookProblem};
pub use hours::Hours;
pub(crate) use names::Names;
pub use names::without_date;
pub use price::{Fee, Price, Rate, Rates, Regional, Source, covers};

/// Prices of providers and models over time. A value: two books can be held at once, to ask what
/// the same call would cost under each. Cloning shares it.
#[derive(Clone)]
pub struct PriceBook {
    pub(crate) providers: Arc<[Provider]>,
    pub(crate) version: Arc<str>,
}

impl PriceBook {
    /// The files that [`builtin`](Self::builtin) is made of, one per provider, as (name, text).
    pub fn builtin_files() -> impl Iterator<Item = (&'static str, &'static str)> {
        providers::price_files()
    }

    /// The book that this release carries; parsed at the first use.
    ///
    /// # Panics
    ///
    /// Never: that the file is valid is a test of this crate.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<PriceBook> = LazyLock::new(|| {
            PriceBook::parse(PriceBook::builtin_files())
                .unwrap_or_else(|errors| panic!("built-in price book: {errors}"))
        });
        &BUILTIN
    }

    /// Reads a book from files, given as (name, text). All mistakes of all files are collected.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, BookErrors> {
        parse::book(None, files)
    }

    /// This book with files of one's own laid over it: negotiated rates, discounts, models of one's
    /// own, names of deployments.
    ///
    /// A file speaks of the provider that it names; one that this book does not have is added. What
    /// a file may say of a provider that is there already:
    ///
    /// * `[[price]] model = "…"`: other rates for a model, tier by tier, from a day on (and until
    ///   one). They take the place of this book's for that time; what they do not state stays as this
    ///   book has it. The model has to exist. With `list = true` they are list prices, from which
    ///   discounts are taken; else they are final.
    /// * `[[discount]] percent = "12.5"`: off all of this book's rates and fees, or those of some
    ///   `models` and `tiers`; not off rates of your own.
    /// * `[[model]]`: a model of one's own.
    /// * `[deployments]`: `"my-name" = "gpt-5.5"`, what a name of one's own means.
    /// * `[[fee]]`: a fee for tool calls; it goes before this book's.
    ///
    /// A file that names a provider by another of its names, such as `azure.ai.openai`, speaks of that
    /// one alone: it has the same prices as before, but for what the file says.
    ///
    /// The version of the new book names both contents.
    ///
    /// ```
    /// use spanledger_price::PriceBook;
    ///
    /// let ours = r#"
    /// [provider]
    /// name = "openai"
    /// [source]
    /// contract = "enterprise agreement of 2026"
    /// [[discount]]
    /// percent = "10"
    /// from = 2026-01-01
    /// sources = ["contract"]
    /// checked = 2026-01-05
    /// [deployments]
    /// chat-production = "gpt-5.5"
    /// "#;
    /// let book = PriceBook::builtin().layered([("prices.toml", ours)])?;
    /// assert!(book.provider("openai").and_then(|openai| openai.model("chat-production")).is_some());
    /// # Ok::<(), spanledger_price::BookErrors>(())
    /// ```
    pub fn layered<'a>(
        &self,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BookErrors> {
        parse::book(Some(self), files)
    }

    /// The day of the latest check and a hash of the content: `2026-11-20+0123456789ab`.
    ///
    /// Kept by every priced event, so that what priced it can be told.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The providers.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The provider of that name, or of one of its other names.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.is_called(name))
    }
}

impl fmt::Debug for PriceBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriceBook").field("version", &self.version).finish_non_exhaustive()
    }
}

/// One provider's models and rules.
#[derive(Clone, Debug)]
pub struct Provider {
    pub(crate) name: String,
    pub(crate) also: Vec<String>,
    /// Those of its names under which it is reached in another way, one way together: Azure's names
    /// of OpenAI. A file of one's own may speak of one such way alone.
    pub(crate) doors: Vec<Vec<String>>,
    /// Names that may stand before a model's, beside its own.
    pub(crate) prefixes: Vec<String>,
    pub(crate) tiers: Vec<(String, Tier)>,
    pub(crate) regional: Option<Regional>,
    pub(crate) fees: Vec<Fee>,
    pub(crate) discounts: Vec<Discount>,
    pub(crate) fallback: Vec<(Meter, Meter)>,
    pub(crate) models: Vec<Model>,
    pub(crate) names: Names,
    /// What names of one's own mean; looked up before the provider's names.
    pub(crate) deployments: Names,
}

impl Provider {
    fn empty(name: String) -> Self {
        Self {
            name,
            also: Vec::new(),
            doors: Vec::new(),
            prefixes: Vec::new(),
            tiers: Vec::new(),
            regional: None,
            fees: Vec::new(),
            discounts: Vec::new(),
            fallback: Vec::new(),
            models: Vec::new(),
            names: Names::default(),
            deployments: Names::default(),
        }
    }

    /// The name on events: `openai`, …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The models, in the order of the file.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The surcharge for regional processing, where there is one.
    pub fn regional(&self) -> Option<&Regional> {
        self.regional.as_ref()
    }

    /// The fees of tool calls.
    pub fn fees(&self) -> &[Fee] {
        &self.fees
    }

    /// The discounts that were laid over the list prices.
    pub fn discounts(&self) -> &[Discount] {
        &self.discounts
    }

    /// The fee that calls of a meter with a model pay at a moment, unless the model's own price
    /// has a rate.
    pub fn fee(&self, meter: Meter, model: &Model, at: Timestamp) -> Option<&Fee> {
        // The user's own before the list's, one for this model before one for all, a later one before
        // an earlier one.
        let applying = self.fees.iter().rev().filter(|fee| fee.applies(meter, &model.name, at));
        applying.max_by_key(|fee| (fee.negotiated, !fee.only.is_empty(), fee.from))
    }

    /// The discount on calls of a model in a tier at a moment. Of several the one that names the model
    /// counts, then the one that names the tier, then the later one; they do not add up.
    pub fn discount(&self, model: &Model, tier: Tier, at: Timestamp) -> Option<&Discount> {
        let applying = self.discounts.iter().rev().filter(|discount| discount.applies(&model.name, tier, at));
        applying
            .max_by_key(|discount| (!discount.models.is_empty(), !discount.tiers.is_empty(), discount.from))
    }

    /// The tier that the provider's own word means.
    pub fn tier(&self, word: &str) -> Option<Tier> {
        self.tiers.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, tier)| *tier)
    }

    /// Each word for a tier and the tier that it means, in the order of the file. The first entry of a word counts.
    pub fn tiers(&self) -> &[(String, Tier)] {
        &self.tiers
    }

    /// The fallback rules: a meter without a published rate, and the meter whose rate it has instead.
    pub fn fallback(&self) -> &[(Meter, Meter)] {
        &self.fallback
    }

    /// The words for tiers, each once, in the order of the tiers.
    pub fn tier_words(&self) -> Vec<&str> {
        let mut words: Vec<(Tier, &str)> = Vec::new();
        for (word, tier) in &self.tiers {
            if !words.iter().any(|(_, known)| known.eq_ignore_ascii_case(word)) {
                words.push((*tier, word));
            }
        }
        words.sort_by_key(|(tier, _)| *tier);
        words.into_iter().map(|(_, word)| word).collect()
    }

    /// The names that mean the same way to it as this one.
    pub(crate) fn door(&self, name: &str) -> Vec<String> {
        let is = |other: &String| other.eq_ignore_ascii_case(name);
        let own = || {
            [&self.name]
                .into_iter()
                .chain(&self.also)
                .filter(|n| !self.doors.iter().flatten().any(|d| d == *n))
        };
        self.doors
            .iter()
            .find(|door| door.iter().any(is))
            .cloned()
            .unwrap_or_else(|| own().cloned().collect())
    }

    /// The provider as it is reached by this door, as one of its own.
    pub(crate) fn behind(&self, door: &[String]) -> Self {
        let mut other = self.clone();
        other.prefixes.extend([&self.name].into_iter().chain(&self.also).cloned());
        other.name = door.first().cloned().unwrap_or_default();
        other.also = door.iter().skip(1).cloned().collect();
        other.doors.clear();
        other
    }

    /// Leaves a door to another.
    pub(crate) fn close(&mut self, door: &[String]) {
        self.prefixes.extend(door.iter().cloned());
        self.also.retain(|name| !door.contains(name));
        self.doors.retain(|other| other != door);
    }

    /// Whether that is its name or one of its other names, in whatever case.
    pub fn is_called(&self, name: &str) -> bool {
        [&self.name].into_iter().chain(&self.also).any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// A model and its price history.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) snapshots: Vec<String>,
    pub(crate) long_context_over: Option<u64>,
    pub(crate) regional: bool,
    /// Names of the provider under which it has another price, which the book does not know.
    pub(crate) unless: Vec<String>,
    pub(crate) free: bool,
    pub(crate) searches_per_call: u64,
    /// Meters to which the provider's fallback rules lend nothing.
    pub(crate) no_fallback: Vec<Meter>,
    pub(crate) prices: Vec<Price>,
}

impl Model {
    /// The provider's fallback rules without those that do not hold here.
    pub(crate) fn fallback(&self, rules: &[(Meter, Meter)]) -> Vec<(Meter, Meter)> {
        rules.iter().filter(|(from, _)| !self.no_fallback.contains(from)).copied().collect()
    }

    /// The name under which the book lists it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Other names of the same model.
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// Dated names that are billed like the model.
    pub fn snapshots(&self) -> &[String] {
        &self.snapshots
    }

    /// The prompt length beyond which the whole request has other rates.
    pub fn long_context_over(&self) -> Option<u64> {
        self.long_context_over
    }

    /// Whether the surcharge for regional processing applies.
    pub fn is_regional(&self) -> bool {
        self.regional
    }

    /// Names of the provider under which it has another price, which the book does not know.
    pub fn unless(&self) -> &[String] {
        &self.unless
    }

    /// Whether a call costs nothing, with or without a usage.
    pub fn is_free(&self) -> bool {
        self.free
    }

    /// The web searches that each chat call of the model makes and bills, although no usage counts them.
    pub fn searches_per_call(&self) -> u64 {
        self.searches_per_call
    }

    /// All prices there ever were, by tier and then by date; those of certain hours first.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// The price of a tier at a moment.
    pub fn price(&self, tier: Tier, at: Timestamp) -> Option<&Price> {
        self.prices.iter().find(|price| price.tier == tier && price.holds_at(at))
    }
}
