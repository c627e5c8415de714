//! Compares a price list with the book.

mod lines;
mod provider;
mod show;

#[cfg(test)]
mod tests;

use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use spanledger_event::Timestamp;
use spanledger_price::PriceBook;

use crate::{
    PriceMap, Skipped,
    diff::{self, Change, RateKey},
    lint::Lint,
};
pub(crate) use lines::Line;
use provider::ProviderComparison;

/// The moment, the provider and the models of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The moment at which prices are compared.
    pub at: Timestamp,
    /// The provider to compare, by any of its names; `None` compares every provider of the price list.
    pub provider: Option<String>,
    /// The models to compare, by their names in the list; an empty list compares all models. A model that is
    /// not compared is not reported as withdrawn either.
    pub models: Vec<String>,
}

impl Scope {
    fn has_model(&self, name: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|model| model == name)
    }
}

/// What a price list proposes. Its `Display` is the diff that a person reviews.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// Models that the book does not have.
    pub new: Vec<Proposal>,
    /// Models with changed prices.
    pub changed: Vec<Proposal>,
    /// New and changed models whose prices look like a mistake.
    pub suspicious: Vec<Proposal>,
    /// Models with the user's own prices, which are kept.
    pub kept: Vec<KeptOverride>,
    /// Models that have a price in the book at that moment and that the list does not name.
    pub withdrawn: Vec<Withdrawn>,
    /// Differences that no appended entry can express.
    pub by_hand: Vec<ManualChange>,
    /// Prices that the list announces for later.
    pub later: Vec<Later>,
    /// Names of known models that the book does not have.
    pub names: Vec<Names>,
    /// How many models have the same prices in the list and in the book.
    pub unchanged: usize,
    /// Prices of the list that the book cannot represent.
    pub skipped: Vec<Skipped>,
}

impl Comparison {
    /// Whether nothing is new, changed or suspicious.
    pub fn is_clean(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.suspicious.is_empty()
    }
}

/// A model that is new or has changed prices.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proposal {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Whether it becomes a `[[model]]`. Otherwise entries are added to the book's model.
    pub is_new: bool,
    /// The model as which the book has billed this name so far, if the name becomes a separate model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apart_from: Option<String>,
    /// Other names of a new model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Dated names of a new model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// The differences.
    pub changes: Vec<Change>,
    /// Why it is suspicious; empty if it is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Suspicion>,
    /// The long-context threshold of a new model.
    #[serde(skip)]
    pub(crate) long_context_over: Option<u64>,
    /// Whether the surcharge for regions applies to a new model.
    #[serde(skip)]
    pub(crate) regional: bool,
    /// All lines of the model; only the changed ones are written.
    #[serde(skip)]
    pub(crate) lines: Vec<Line>,
}

/// Why a proposal looks like a mistake. The `Display` text is the reason that a person reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// A rate that is more than three times, or less than a third of, the earlier rate, or that was zero or
    /// becomes zero.
    Jump {
        /// The place of the rate.
        key: RateKey,
        /// The earlier rate, in dollars per unit.
        from: Decimal,
        /// The new rate, in dollars per unit.
        to: Decimal,
    },
    /// A lint about a line that changed.
    Lint {
        /// The line, by its key in the book: `batch_long`.
        line: &'static str,
        /// The lint.
        lint: Lint,
    },
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jump { key, from, to } => {
                write!(f, "{key}: more than 3x from {} to {}", from.normalize(), to.normalize())
            }
            Self::Lint { line, lint } => write!(f, "{line}: {lint}"),
        }
    }
}

impl Serialize for Suspicion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A model for which the user's own prices are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptOverride {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The tiers and fees for which the list has a different price. It is empty if the list does not name
    /// the model.
    pub what: Vec<String>,
}

/// A model that the list does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withdrawn {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
}

/// A difference that a person has to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManualChange {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What differs, and what to do.
    pub what: String,
}

/// A price that begins after the moment of the comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Later {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The first moment.
    #[serde(serialize_with = "as_day")]
    pub from: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
fn as_day<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&diff::day(*moment))
}

/// Names of a model that the book does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Its other names.
    pub names: Vec<String>,
}

/// Compares a price list with the book at one moment.
///
/// Two prices are equal if a call costs the same under both. A rate that equals the rate of a fallback rule or
/// of a fee is therefore no difference, and an alias or snapshot with the prices of its model is treated as
/// that model. Rates that the list does not state stay as they are.
pub fn compare(book: &PriceBook, map: &PriceMap, scope: &Scope) -> Comparison {
    let mut comparison = Comparison::default();
    let in_scope = |name: &str| {
        scope.provider.as_deref().is_none_or(|only| {
            only.eq_ignore_ascii_case(name) || book.provider(name).is_some_and(|known| known.is_called(only))
        })
    };
    for name in map.providers().into_iter().filter(|name| in_scope(name)) {
        let models = map.models.iter().filter(|model| model.provider == name).collect();
        ProviderComparison::new(name, book.provider(name), scope, &mut comparison).run(models);
    }
    let skipped =
        map.skipped.iter().filter(|skipped| in_scope(&skipped.provider) && scope.has_model(&skipped.name));
    comparison.skipped = skipped.cloned().collect();
    comparison
}
