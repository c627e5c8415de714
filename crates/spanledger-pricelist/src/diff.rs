//! Lists the differences between two price books.
//!
//! ```
//! use spanledger_price::PriceBook;
//! use spanledger_pricelist::diff;
//!
//! let book = |rate: &str| {
//!     PriceBook::parse([("acme.toml", format!(r#"
//!         [provider]
//!         name = "acme"
//!         [sources]
//!         page = "the price page"
//!         [[model]]
//!         name = "acme-1"
//!         [[price]]
//!         model = "acme-1"
//!         sources = ["page"]
//!         prices_checked = 2026-01-05
//!         standard = {{ input_per_1m = "{rate}" }}
//!     "#).as_str())])
//! };
//! let changes = diff::between(&book("4")?, &book("5")?, None);
//! assert_eq!(changes[0].to_string(), "acme acme-1: standard input 4 -> 5 per 1M tokens");
//! # Ok::<(), spanledger_price::BookErrors>(())
//! ```

mod json;
mod model;
mod provider;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use rust_decimal::Decimal;
use spanledger_event::Timestamp;
use spanledger_price::{Hours, Meter, Price, PriceBook, Provider, Rates, Tier};

/// One side of a model's long-context threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Prompts up to the threshold, and all prompts of a model without one.
    Short,
    /// Prompts beyond it.
    Long,
}

impl Side {
    /// Both sides, in the order of the book.
    pub const ALL: [Self; 2] = [Self::Short, Self::Long];

    /// The key of a tier's line on this side: `batch`, `batch_long`.
    pub const fn key(self, tier: Tier) -> &'static str {
        match self {
            Self::Short => tier.as_str(),
            Self::Long => tier.long_key(),
        }
    }

    /// The rates of an entry on this side.
    pub fn of(self, price: &Price) -> Option<&Rates> {
        match self {
            Self::Short => Some(price.rates()),
            Self::Long => price.long(),
        }
    }
}

/// The place of a rate on a model's price list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateKey {
    /// The tier.
    pub tier: Tier,
    /// The hours of the day to which the line is limited.
    pub hours: Option<Hours>,
    /// The side of the long-context threshold.
    pub side: Side,
    /// The billed quantity; it determines the [unit](Meter::unit) of the rate.
    pub meter: Meter,
    /// The kind of the billed quantity, if each kind has its own rate.
    pub variant: Option<Box<str>>,
}

impl fmt::Display for RateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.side.key(self.tier), self.meter.name())?;
        if let Some(variant) = &self.variant {
            write!(f, " `{variant}`")?;
        }
        match self.hours {
            Some(hours) => write!(f, " at {hours} UTC"),
            None => Ok(()),
        }
    }
}

/// One difference. Its `Display` is a line for a person. Its JSON is one flat object whose amounts are number
/// literals and whose days are written `2026-11-21`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The provider.
    pub provider: String,
    /// The model; `None` for a change that belongs to the provider.
    pub model: Option<String>,
    /// What differs.
    pub subject: Subject,
    /// The first moment of the dated entry. It is `None` for a subject without dates, for an entry without a
    /// first day, and if the books were compared at one moment.
    pub since: Option<Timestamp>,
    /// The values before and after.
    pub delta: Delta,
}

/// What a change is about. The enum is exhaustive: every kind of change needs a row in the table and in the JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The model itself: only one of the books has it.
    Model,
    /// A rate of the model, in dollars. Rates that a fallback rule supplies are not compared.
    Rate(RateKey),
    /// A provider's fee for tool calls, in dollars.
    Fee {
        /// The billed quantity.
        meter: Meter,
        /// The models to which the fee applies and its last day, in words.
        models: String,
    },
    /// A discount on list prices, in percent.
    Discount {
        /// The models and tiers to which the discount applies and its end, in words.
        models: String,
    },
    /// A deployment: the user's own name for a model. The value is the model.
    Deployment(String),
    /// A rule of the provider that decides the prices of its models, by its key in the book: `regional`.
    Rule(&'static str),
    /// Another property that decides the model's price, such as `long_context_over`.
    Property(&'static str),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("model"),
            Self::Rate(key) => write!(f, "{key}"),
            Self::Fee { meter, models } => write!(f, "fee {} for {models}", meter.name()),
            Self::Discount { models } => write!(f, "discount for {models}"),
            Self::Deployment(name) => write!(f, "deployment `{name}`"),
            Self::Rule(name) | Self::Property(name) => f.write_str(name),
        }
    }
}

/// A value before or after the change. The enum is exhaustive, as [`Subject`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The book lists the subject; there is no value to show.
    Listed,
    /// Dollars or percent.
    Amount(Decimal),
    /// A name, or a rule in words.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed => f.write_str("listed"),
            Self::Amount(amount) => write!(f, "{}", amount.normalize()),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// How a value changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Only the second book has it.
    Added(Value),
    /// Only the first book has it.
    Removed(Value),
    /// The first value became the second.
    Changed(Value, Value),
}

impl Delta {
    /// Compares the values before and after; `None` if they are the same.
    pub fn of(before: Option<Value>, after: Option<Value>) -> Option<Self> {
        match (before, after) {
            (None, Some(after)) => Some(Self::Added(after)),
            (Some(before), None) => Some(Self::Removed(before)),
            (Some(before), Some(after)) if before != after => Some(Self::Changed(before, after)),
            _ => None,
        }
    }

    /// The value before.
    pub fn before(&self) -> Option<&Value> {
        match self {
            Self::Removed(before) | Self::Changed(before, _) => Some(before),
            Self::Added(_) => None,
        }
    }

    /// The value after.
    pub fn after(&self) -> Option<&Value> {
        match self {
            Self::Added(after) | Self::Changed(_, after) => Some(after),
            Self::Removed(_) => None,
        }
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(after) => write!(f, "{after} (new)"),
            Self::Removed(before) => write!(f, "{before} (gone)"),
            Self::Changed(before, after) => write!(f, "{before} -> {after}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, model, subject, since, delta } = self;
        f.write_str(provider)?;
        if let Some(model) = model {
            write!(f, " {model}")?;
        }
        match (subject, delta) {
            (Subject::Model, Delta::Removed(_)) => return f.write_str(": withdrawn"),
            (Subject::Model, _) => return f.write_str(": new model"),
            _ => write!(f, ": {subject} {delta}")?,
        }
        match subject {
            Subject::Rate(RateKey { meter, .. }) | Subject::Fee { meter, .. } => {
                write!(f, " per {}", meter.unit())?;
            }
            Subject::Discount { .. } => f.write_str(" %")?,
            _ => {}
        }
        since.map_or(Ok(()), |since| write!(f, ", from {}", day(since)))
    }
}

/// All differences, ordered by provider, model and place on the price list.
///
/// With `at`, the price lists at that moment are compared, including the lines for other hours of the day.
/// Without `at`, all dated entries are compared. For a new or withdrawn model, each of its rates is listed too.
pub fn between(before: &PriceBook, after: &PriceBook, at: Option<Timestamp>) -> Vec<Change> {
    let names: BTreeSet<&str> =
        before.providers().iter().chain(after.providers()).map(Provider::name).collect();
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (named(before, name), named(after, name));
        // In the second book this name is an alias of a provider that the first book does not list. The prices
        // are compared under that provider's name.
        if new.is_some_and(|new| new.name() != name && !has(before, new.name())) {
            continue;
        }
        model::changes(name, old, new, at, &mut changes);
        provider::changes(name, old, new, at, &mut changes);
    }
    changes
}

fn has(book: &PriceBook, name: &str) -> bool {
    book.providers().iter().any(|provider| provider.name() == name)
}

/// The provider of that name, or the provider that has the name as an alias. Azure, for example, has OpenAI's
/// prices until a file lists Azure's own prices.
fn named<'b>(book: &'b PriceBook, name: &str) -> Option<&'b Provider> {
    book.providers().iter().find(|provider| provider.name() == name).or_else(|| book.provider(name))
}

/// The day of a moment in UTC, as the book writes it.
pub(crate) fn day(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split('T').next().unwrap_or(&text).to_owned()
}

/// Joins words in alphabetical order without duplicates; `none` if there are no words.
fn list<T: Into<String>>(words: impl IntoIterator<Item = T>) -> String {
    let words: BTreeSet<String> = words.into_iter().map(Into::into).collect();
    if words.is_empty() { "none".to_owned() } else { words.into_iter().collect::<Vec<_>>().join(", ") }
}

/// The keys whose values differ, in order, each with its change.
fn deltas<K: Ord>(before: BTreeMap<K, Value>, mut after: BTreeMap<K, Value>) -> Vec<(K, Delta)> {
    let mut rows: BTreeMap<K, Delta> = BTreeMap::new();
    for (key, old) in before {
        let new = after.remove(&key);
        rows.extend(Delta::of(Some(old), new).map(|delta| (key, delta)));
    }
    rows.extend(after.into_iter().map(|(key, new)| (key, Delta::Added(new))));
    rows.into_iter().collect()
}
