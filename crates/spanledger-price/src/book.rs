//! The book: providers, their models, and dated prices.

mod error;
mod names;
mod parse;
mod read;

#[cfg(test)]
mod tests;

use std::{fmt, sync::LazyLock};

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use crate::{Meter, Tier};
pub use error::{BookError, BookErrors, BookProblem};
pub(crate) use names::Names;

/// Prices of providers and models over time. A value: two books can be held at once, to ask what
/// the same call would cost under each.
#[derive(Clone)]
pub struct PriceBook {
    pub(crate) providers: Vec<Provider>,
    pub(crate) version: String,
}

/// The file that [`PriceBook::builtin`] is made of.
pub(crate) const OPENAI: (&str, &str) = ("openai.toml", include_str!("../book/openai.toml"));

impl PriceBook {
    /// The book that this release carries; parsed at the first use.
    ///
    /// # Panics
    ///
    /// Never: that the file is valid is a test of this crate.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<PriceBook> = LazyLock::new(|| {
            PriceBook::parse([OPENAI]).unwrap_or_else(|errors| panic!("built-in price book: {errors}"))
        });
        &BUILTIN
    }

    /// Reads a book from files, given as (name, text). All mistakes of all files are collected.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, BookErrors> {
        parse::book(files)
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
    pub(crate) tiers: Vec<(String, Tier)>,
    pub(crate) regional: Option<Regional>,
    pub(crate) fees: Vec<Fee>,
    pub(crate) models: Vec<Model>,
    pub(crate) names: Names,
}

impl Provider {
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

    /// The tier that the provider's own word means.
    pub fn tier(&self, word: &str) -> Option<Tier> {
        self.tiers.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, tier)| *tier)
    }

    pub(crate) fn is_called(&self, name: &str) -> bool {
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
    pub(crate) prices: Vec<Price>,
}

impl Model {
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

    /// All prices there ever were, by tier and then by date.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// The price of a tier at a moment.
    pub fn price(&self, tier: Tier, at: Timestamp) -> Option<&Price> {
        self.prices.iter().find(|price| price.tier == tier && price.holds_at(at))
    }
}

/// The rates of one model and tier for a span of time.
#[derive(Clone, Debug)]
pub struct Price {
    pub(crate) tier: Tier,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) rates: Rates,
    pub(crate) long: Option<Rates>,
    pub(crate) sources: Vec<String>,
    pub(crate) checked: String,
    /// Where it stands in its file.
    pub(crate) line: usize,
}

impl Price {
    /// The tier.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The first moment, `None` for the beginning of time.
    pub fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// The first moment that is not covered any more: the next price's first, or the model's end.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The rates.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The rates beyond [`Model::long_context_over`].
    pub fn long(&self) -> Option<&Rates> {
        self.long.as_ref()
    }

    /// Ids of the sources.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The day on which the sources were read.
    pub fn checked(&self) -> &str {
        &self.checked
    }

    pub(crate) fn holds_at(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// Dollars per [unit](Meter::unit) of each meter that has a rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(pub(crate) Vec<Rate>);

/// One rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Of what.
    pub meter: Meter,
    /// Dollars per unit.
    pub usd: Decimal,
    /// Whether the provider publishes it; else the book's fallback rule gave it another meter's.
    pub published: bool,
}

impl Rates {
    /// The rate by which the meter is billed.
    pub fn get(&self, meter: Meter) -> Option<Decimal> {
        self.0.iter().find(|rate| rate.meter == meter).map(|rate| rate.usd)
    }

    /// All rates, in the order of [`Meter::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Rate> + '_ {
        self.0.iter().copied()
    }
}

/// The surcharge on tokens for processing in a region.
#[derive(Clone, Debug)]
pub struct Regional {
    pub(crate) factor: Decimal,
    /// Each with the unit of its cost lines, which says that the rate contains the factor.
    pub(crate) regions: Vec<(String, String)>,
    pub(crate) neutral: Vec<String>,
}

impl Regional {
    /// What token rates are multiplied with.
    pub fn factor(&self) -> Decimal {
        self.factor
    }

    /// The regions, as in the provider's host names.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(|(region, _)| region.as_str())
    }
}

/// A fee per tool call, the same for all models but the excepted ones.
#[derive(Clone, Debug)]
pub struct Fee {
    pub(crate) meter: Meter,
    pub(crate) usd: Decimal,
    pub(crate) except: Vec<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl Fee {
    /// Of what.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Dollars per unit.
    pub fn usd(&self) -> Decimal {
        self.usd
    }

    /// The models to which it does not apply; theirs is unknown unless their own price has one.
    pub fn except(&self) -> &[String] {
        &self.except
    }

    pub(crate) fn holds_at(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}
