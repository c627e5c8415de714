//! Errors of reading a usage.

use rust_decimal::Decimal;
use spanledger_event::{UsageError, limits::USAGE_READ_BYTES_MAX};

pub(super) type Result<T> = std::result::Result<T, UsageReadError>;

/// Why a usage cannot be read.
///
/// The call becomes unpriced. [`to_problem`](Self::to_problem) returns the sentence for
/// [`PriceQuery::usage_problem`](crate::PriceQuery::usage_problem).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageReadError {
    /// The usage is not JSON.
    #[error("the usage is not JSON ({0}): send the provider's usage object unchanged")]
    NotJson(String),
    /// The usage is too large to be read.
    #[error(
        "the usage has {0} bytes, and at most {USAGE_READ_BYTES_MAX} are read: send only the object that the provider calls `usage`"
    )]
    TooLarge(usize),
    /// The JSON is not a usage object, or lacks its input or output.
    #[error("{0}: send the object that the provider calls `usage`")]
    NotAUsage(&'static str),
    /// A field is not a count.
    #[error("`{field}` is {value}: a count is a whole number, not negative and not beyond any real call")]
    NotACount {
        /// The path of the field.
        field: String,
        /// Its value.
        value: String,
    },
    /// A field is not an object with counts.
    #[error("`{field}` is {value}: the counts in it cannot be read")]
    NotAnObject {
        /// The path of the field.
        field: String,
        /// Its value.
        value: String,
    },
    /// Two fields state the same count with different values.
    #[error("`{a}` is {a_value} and `{b}` is {b_value}, though both are the same count")]
    Disagreement {
        /// One field.
        a: String,
        /// Its count.
        a_value: Decimal,
        /// The other field.
        b: String,
        /// Its count.
        b_value: Decimal,
    },
    /// The usage contradicts itself.
    #[error("the usage contradicts itself")]
    Contradictory(#[source] UsageError),
    /// A count is greater than one call can have, or counts that are not in an object, such as a span's
    /// attributes, contradict each other.
    #[error(transparent)]
    Counts(UsageError),
    /// Counts that are not in an object lack the input or the output.
    #[error("the {0} tokens are not stated: without them the {0} would cost nothing")]
    MissingCount(&'static str),
    /// A usage in Spanledger's own form is damaged.
    #[error("the usage in Spanledger's own form cannot be read: {0}")]
    OwnForm(String),
}

impl UsageReadError {
    /// Whether a count is greater than one call can have. The call is then unpriced with the reason
    /// [`OutOfRange`](spanledger_event::UnpricedReason::OutOfRange).
    pub fn is_out_of_range(&self) -> bool {
        matches!(self, Self::Counts(error) | Self::Contradictory(error) if error.is_out_of_range())
    }

    /// The error and its cause on one line.
    pub fn to_problem(&self) -> String {
        match self {
            Self::Contradictory(cause) => format!("{self}: {cause}"),
            _ => self.to_string(),
        }
    }
}
