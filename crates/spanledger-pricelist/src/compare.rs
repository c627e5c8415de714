//! A price list beside the book.

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

/// What is compared.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The moment context price lists are compared.
    pub at: Timestamp,
    /// The only provider, by any of its names; all that the price list has without.
    pub provider: Option<String>,
    /// The only models, by a name of the list; all without. The others are not withdrawn either.
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
    /// Models with other prices.
    pub changed: Vec<Proposal>,
    /// New and changed models that need a second look before they are taken.
    pub suspicious: Vec<Proposal>,
    /// Models with a price of one's own in force, which is left alone.
    pub kept: Vec<KeptOverride>,
    /// Models that the book has a price of at that moment and the list does not name.
    pub withdrawn: Vec<Withdrawn>,
    /// Differences that no appended entry can express.
    pub by_hand: Vec<ManualChange>,
    /// Prices that the list announces for later.
    pub later: Vec<Later>,
    /// Names of known models that the book does not know.
    pub names: Vec<Names>,
    /// How many models of the list have the book's prices.
    pub unchanged: usize,
    /// What of the list has no place in the book.
    pub skipped: Vec<Skipped>,
}

impl Comparison {
    /// Whether the book already says all that the list says: nothing new, changed or suspicious.
    pub fn is_clean(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.suspicious.is_empty()
    }
}

/// A model that is new or has other prices.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Whether it becomes a `[[model]]` of its own; else entries are added to the book's model.
    pub is_new: bool,
    /// The model of the book by which the name is billed so far, where it is one of its names.
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
    /// Why it needs a second look; empty unless it is suspicious.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Suspicion>,
    /// The threshold of a new model.
    #[serde(skip)]
    pub(crate) long_context_over: Option<u64>,
    /// Whether the surcharge for regions applies to a new model.
    #[serde(skip)]
    pub(crate) regional: bool,
    /// The lines that changed, complete.
    #[serde(skip)]
    pub(crate) lines: Vec<Line>,
}

/// Why a proposal needs a second look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// A rate that is more than three times, or less than a third of, what it was; or that was zero
    /// or becomes it.
    Jump {
        /// Where.
        key: RateKey,
        /// What it was, in dollars per unit.
        from: Decimal,
        /// What it would be.
        to: Decimal,
    },
    /// A line that is odd in itself or beside the others.
    Odd {
        /// The line, as a key of the book: `batch_long`.
        line: &'static str,
        /// What is odd.
        lint: Lint,
    },
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jump { key, from, to } => {
                write!(f, "{key}: more than 3x from {} to {}", from.normalize(), to.normalize())
            }
            Self::Odd { line, lint } => write!(f, "{line}: {lint}"),
        }
    }
}

impl Serialize for Suspicion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A model with a price of one's own, of which a list has nothing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptOverride {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The tiers and fees of which the list has another price; empty where it does not name the
    /// model.
    pub what: Vec<String>,
}

/// A model that the list does not name any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withdrawn {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
}

/// A difference that a person has to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManualChange {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What differs, and what to do.
    pub what: String,
}

/// A price that holds later than the moment of comparison.
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn as_day<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&diff::day(*moment))
}

/// Names of a model that the book does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Its other names.
    pub names: Vec<String>,
}

/// Compares a price list with the book's at one moment.
///
/// What a call would cost decides: a rate that equals the one that the book's fallback or fee gives
/// is no difference, and a name that is an alias or snapshot of a model with the same prices is that
/// model. Rates of which the list says nothing are left as they are.
pub fn compare(book: &PriceBook, map: &PriceMap, scope: &Scope) -> Comparison {
    let mut comparison = Comparison::default();
    let asked = |name: &str| {
        scope.provider.as_deref().is_none_or(|asked| {
            asked.eq_ignore_ascii_case(name)
                || book.provider(name).is_some_and(|known| known.is_called(asked))
        })
    };
    for name in map.providers().into_iter().filter(|name| asked(name)) {
        let models = map.models.iter().filter(|model| model.provider == name);
        ProviderComparison::new(name, book.provider(name), scope, &mut comparison).run(models.collect());
    }
    let skipped =
        map.skipped.iter().filter(|skipped| asked(&skipped.provider) && scope.has_model(&skipped.name));
    comparison.skipped = skipped.cloned().collect();
    comparison
}
