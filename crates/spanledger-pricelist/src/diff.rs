//! What changed between two price books.
//!
//! ```
//! use spanledger_price::PriceBook;
//! use spanledger_pricelist::diff;
//!
//! let book = |rate: &str| {
//!     PriceBook::parse([("acme.toml", format!(r#"
//!         [provider]
//!         name = "acme"
//!         [source]
//!         page = "the price page"
//!         [[model]]
//!         name = "acme-1"
//!         [[model.price]]
//!         sources = ["page"]
//!         checked = 2026-01-05
//!         standard = {{ input = "{rate}" }}
//!     "#).as_str())])
//! };
//! let changes = diff::between(&book("4")?, &book("5")?, None);
//! assert_eq!(changes[0].to_string(), "acme acme-1: standard input 4 -> 5 per 1M tokens");
//! # Ok::<(), spanledger_price::BookErrors>(())
//! ```

mod json;
mod provider;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use spanledger_price::{Hours, Meter, Model, Price, PriceBook, Provider, Rate, Tier};

/// Which side of a model's long-context threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Prompts up to the threshold, and all prompts of a model without one.
    Short,
    /// Prompts beyond it.
    Long,
}

impl Side {
    /// Both, in the order of the book.
    pub const ALL: [Self; 2] = [Self::Short, Self::Long];
}

/// Where on a model's price list a rate stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateKey {
    /// The tier.
    pub tier: Tier,
    /// The hours of the day to which the line is limited.
    pub hours: Option<Hours>,
    /// The side of the long-context threshold.
    pub side: Side,
    /// Of what; it says the [unit](Meter::unit) of the rate.
    pub meter: Meter,
    /// For which kind of it.
    pub variant: Option<Box<str>>,
}

impl fmt::Display for RateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self.side {
            Side::Short => self.tier.as_str(),
            Side::Long => self.tier.long_key(),
        };
        write!(f, "{line} {}", self.meter.name())?;
        if let Some(variant) = &self.variant {
            write!(f, " `{variant}`")?;
        }
        match self.hours {
            Some(hours) => write!(f, " at {hours} UTC"),
            None => Ok(()),
        }
    }
}

/// How a rate changed, in dollars per unit of its meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta {
    /// A rate where none was.
    Added {
        /// The rate.
        to: Decimal,
    },
    /// No rate where one was.
    Removed {
        /// The rate that was.
        from: Decimal,
    },
    /// Another rate.
    Changed {
        /// The rate that was.
        from: Decimal,
        /// The rate.
        to: Decimal,
    },
}

impl Delta {
    /// From the rates before and after; `None` where they are the same.
    pub fn of(from: Option<Decimal>, to: Option<Decimal>) -> Option<Self> {
        match (from, to) {
            (None, Some(to)) => Some(Self::Added { to }),
            (Some(from), None) => Some(Self::Removed { from }),
            (Some(from), Some(to)) if from != to => Some(Self::Changed { from, to }),
            _ => None,
        }
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { to } => write!(f, "{} (new)", to.normalize()),
            Self::Removed { from } => write!(f, "{} (gone)", from.normalize()),
            Self::Changed { from, to } => write!(f, "{} -> {}", from.normalize(), to.normalize()),
        }
    }
}

/// One difference. Its `Display` is a line for a person; its JSON has decimals as strings and days
/// as `2026-11-21`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A model that only one of the books has.
    Model {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// Whether the second book has it.
        is_new: bool,
    },
    /// A rate of a model. Only published rates count, not those that a fallback rule gives.
    Rate {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// Where on the price list.
        key: RateKey,
        /// The first moment of the dated entry; `None` for an entry without one, and where the
        /// books were compared at one moment.
        since: Option<Timestamp>,
        /// How it changed.
        delta: Delta,
    },
    /// A provider's fee for tool calls.
    Fee {
        /// The provider.
        provider: String,
        /// Of what.
        meter: Meter,
        /// For which models, in words.
        models: String,
        /// The first moment, as for a rate.
        since: Option<Timestamp>,
        /// How it changed.
        delta: Delta,
    },
    /// A discount on list prices, in percent.
    Discount {
        /// The provider.
        provider: String,
        /// For which models and tiers, and until when, in words.
        models: String,
        /// The first moment, as for a rate.
        since: Option<Timestamp>,
        /// How the percentage changed.
        delta: Delta,
    },
    /// A name of one's own and the model that it means.
    Deployment {
        /// The provider.
        provider: String,
        /// The name.
        name: String,
        /// The model that it meant.
        from: Option<String>,
        /// The model that it means.
        to: Option<String>,
    },
    /// A rule of the provider that decides the prices of its models: `regional`, `fallback`, `tiers`.
    Rule {
        /// The provider.
        provider: String,
        /// The name, as in the book.
        name: &'static str,
        /// What it was, in words.
        from: String,
        /// What it is.
        to: String,
    },
    /// Something else that decides a model's price.
    Property {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// The name, as in the book.
        name: &'static str,
        /// What it was.
        from: String,
        /// What it is.
        to: String,
    },
}

impl Change {
    /// The provider.
    pub fn provider(&self) -> &str {
        let (Self::Model { provider, .. }
        | Self::Rate { provider, .. }
        | Self::Fee { provider, .. }
        | Self::Discount { provider, .. }
        | Self::Deployment { provider, .. }
        | Self::Rule { provider, .. }
        | Self::Property { provider, .. }) = self;
        provider
    }

    /// The model; `None` for what is the provider's.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Model { model, .. } | Self::Rate { model, .. } | Self::Property { model, .. } => {
                Some(model)
            }
            Self::Fee { .. } | Self::Discount { .. } | Self::Deployment { .. } | Self::Rule { .. } => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since =
            |since: &Option<Timestamp>| since.map(|t| format!(", from {}", day(t))).unwrap_or_default();
        match self {
            Self::Model { provider, model, is_new: true } => write!(f, "{provider} {model}: new model"),
            Self::Model { provider, model, is_new: false } => write!(f, "{provider} {model}: withdrawn"),
            Self::Rate { provider, model, key, since: from, delta } => {
                write!(f, "{provider} {model}: {key} {delta} per {}{}", key.meter.unit(), since(from))
            }
            Self::Fee { provider, meter, models, since: from, delta } => {
                let (name, unit) = (meter.name(), meter.unit());
                write!(f, "{provider}: fee {name} for {models} {delta} per {unit}{}", since(from))
            }
            Self::Discount { provider, models, since: from, delta } => {
                write!(f, "{provider}: discount for {models} {delta} %{}", since(from))
            }
            Self::Deployment { provider, name, from, to } => {
                let [from, to] = [from, to].map(|model| model.as_deref().unwrap_or("nothing"));
                write!(f, "{provider}: deployment `{name}` {from} -> {to}")
            }
            Self::Rule { provider, name, from, to } => write!(f, "{provider}: {name} {from} -> {to}"),
            Self::Property { provider, model, name, from, to } => {
                write!(f, "{provider} {model}: {name} {from} -> {to}")
            }
        }
    }
}

/// All differences, by provider, model and place on the price list.
///
/// With `at`, the price lists of that moment are compared, with the lines of every hour of its day;
/// without it, all dated entries. A model that is new or withdrawn is said to be so, and each of its
/// rates as well.
pub fn between(a: &PriceBook, b: &PriceBook, at: Option<Timestamp>) -> Vec<Change> {
    let names: BTreeSet<&str> = a.providers().iter().chain(b.providers()).map(Provider::name).collect();
    let mut changes = Vec::new();
    for name in names {
        let [before, after] = [a, b].map(|book| called(book, name));
        // Another name of one that only the first book has is that one's turn.
        if after.is_some_and(|after| after.name() != name && !has(a, after.name())) {
            continue;
        }
        models(name, before, after, at, &mut changes);
        provider::changes(name, before, after, at, &mut changes);
    }
    changes
}

fn has(book: &PriceBook, name: &str) -> bool {
    book.providers().iter().any(|provider| provider.name() == name)
}

/// The provider of that name, or who answers to it: Azure's prices are OpenAI's until a file says
/// otherwise.
fn called<'b>(book: &'b PriceBook, name: &str) -> Option<&'b Provider> {
    book.providers().iter().find(|provider| provider.name() == name).or_else(|| book.provider(name))
}

/// The day of a moment in UTC, as the book writes it.
pub(crate) fn day(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split('T').next().unwrap_or(&text).to_owned()
}

fn models(
    name: &str,
    before: Option<&Provider>,
    after: Option<&Provider>,
    at: Option<Timestamp>,
    changes: &mut Vec<Change>,
) {
    let there = |provider: Option<&'_ Provider>| -> BTreeMap<String, Model> {
        let models = provider.map(Provider::models).unwrap_or_default();
        let is_there =
            |model: &&Model| model.is_free() || model.prices().iter().any(|price| holds(price, at));
        models.iter().filter(is_there).map(|model| (model.name().to_owned(), model.clone())).collect()
    };
    let (before, after) = (there(before), there(after));
    let both: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for model in both {
        let (old, new) = (before.get(model), after.get(model));
        let provider = || name.to_owned();
        if old.is_none() || new.is_none() {
            changes.push(Change::Model { provider: provider(), model: model.clone(), is_new: old.is_none() });
        }
        if let (Some(old), Some(new)) = (old, new) {
            for ((name, from), (_, to)) in properties(old, at).into_iter().zip(properties(new, at)) {
                if from != to {
                    let (provider, model) = (provider(), model.clone());
                    changes.push(Change::Property { provider, model, name, from, to });
                }
            }
        }
        let (old, new) = (rows(old, at), rows(new, at));
        let places: BTreeSet<&(RateKey, Option<Timestamp>)> = old.keys().chain(new.keys()).collect();
        for place in places {
            if let Some(delta) = Delta::of(old.get(place).copied(), new.get(place).copied()) {
                let (key, since) = place.clone();
                changes.push(Change::Rate { provider: provider(), model: model.clone(), key, since, delta });
            }
        }
    }
}

fn holds(price: &Price, at: Option<Timestamp>) -> bool {
    at.is_none_or(|at| price.is_listed_at(at))
}

/// Each published rate by its place, and without a moment also by the start of its entry.
fn rows(model: Option<&Model>, at: Option<Timestamp>) -> BTreeMap<(RateKey, Option<Timestamp>), Decimal> {
    let mut rows = BTreeMap::new();
    for price in model.map(Model::prices).unwrap_or_default().iter().filter(|price| holds(price, at)) {
        for side in Side::ALL {
            let rates = match side {
                Side::Short => Some(price.rates()),
                Side::Long => price.long(),
            };
            for rate in rates.into_iter().flat_map(|rates| rates.iter()).filter(|rate| rate.published) {
                let (tier, hours) = (price.tier(), price.hours());
                let key = RateKey { tier, hours, side, meter: rate.meter, variant: rate.variant.clone() };
                let since = if at.is_some() { None } else { price.from() };
                rows.insert((key, since), rate.usd);
            }
        }
    }
    rows
}

/// What decides the price beside the rates, in words.
fn properties(model: &Model, at: Option<Timestamp>) -> [(&'static str, String); 8] {
    let listed = || model.prices().iter().filter(|price| holds(price, at));
    let list = |words: BTreeSet<String>| match words.len() {
        0 => "none".to_owned(),
        _ => words.into_iter().collect::<Vec<_>>().join(", "),
    };
    let own = listed().flat_map(negotiated);
    let flat = listed().filter(|price| price.is_flat()).map(|price| price.tier().to_string());
    // An entry ends where the next begins, too: only the end of a tier's last one is a statement.
    let is_last = |price: &&Price| {
        let later = |other: &&Price| {
            (other.tier(), other.hours()) == (price.tier(), price.hours()) && other.from() > price.from()
        };
        !listed().any(|other| later(&other))
    };
    let ends = listed().filter(is_last).filter_map(|p| Some(format!("{} {}", p.tier(), day(p.until()?))));
    let over = model.long_context_over().map_or("none".to_owned(), |over| over.to_string());
    [
        ("long_context_over", over),
        ("regional", model.is_regional().to_string()),
        ("unless", list(model.unless().iter().cloned().collect())),
        ("free", model.is_free().to_string()),
        ("searches_per_call", model.searches_per_call().to_string()),
        ("flat", list(flat.collect())),
        ("negotiated", list(own.collect())),
        ("until", list(ends.collect())),
    ]
}

/// The lines of one's own, and where only some rates of a line are, these.
fn negotiated(price: &Price) -> Vec<String> {
    let rates = |side: Side| {
        let (key, rates) = match side {
            Side::Short => (price.tier().as_str(), Some(price.rates())),
            Side::Long => (price.tier().long_key(), price.long()),
        };
        let published: Vec<&Rate> =
            rates.into_iter().flat_map(|rates| rates.iter()).filter(|rate| rate.published).collect();
        if !published.is_empty() && published.iter().all(|rate| rate.negotiated) {
            return vec![key.to_owned()];
        }
        let own = published.into_iter().filter(|rate| rate.negotiated);
        own.map(|rate| format!("{key} {}", rate.meter.name())).collect()
    };
    Side::ALL.into_iter().flat_map(rates).collect()
}
