//! From a provider's own usage object to exclusive buckets.

pub mod openai;

use spanledger_event::{NestedUsage, Usage, UsageError};

/// Reads the usage object of a provider, by the name that the provider has in the book or in
/// telemetry.
///
/// Providers that are not known here are read as OpenAI's, whose form most of them speak.
pub fn parse(provider: &str, json: &str) -> Result<ParsedUsage, UsageJsonError> {
    let _ = provider;
    openai::parse(json)
}

/// A usage object, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedUsage {
    /// The provider's totals.
    pub nested: NestedUsage,
    /// The same in exclusive buckets, with the units that are not tokens.
    pub usage: Usage,
    /// Numbers that are not zero in fields that nobody here understands, as `path=value`. They are
    /// kept for the reader; the tokens themselves are safe, because the totals have to add up.
    pub unknown: Vec<String>,
}

/// Why a usage object cannot be priced.
///
/// Callers put its words into [`Question::usage_problem`](crate::Question::usage_problem): the call
/// becomes unpriced with that detail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageJsonError {
    /// Not JSON.
    #[error("the usage is not JSON ({0}): send the provider's usage object unchanged")]
    NotJson(String),
    /// JSON of another kind.
    #[error("{0}: send the object that the provider calls `usage`")]
    NotAUsage(&'static str),
    /// A field that has to be a count and is not.
    #[error("`{field}` is {value}: a count is a whole number, not negative and not beyond any real call")]
    NotACount {
        /// The path of the field.
        field: String,
        /// What stands there.
        value: String,
    },
    /// Two fields that mean the same and differ.
    #[error("`{a}` is {a_value} and `{b}` is {b_value}, though both are the same count")]
    Disagreement {
        /// One field.
        a: String,
        /// Its count.
        a_value: u64,
        /// The other field.
        b: String,
        /// Its count.
        b_value: u64,
    },
    /// The usage contradicts itself.
    #[error("the usage contradicts itself")]
    Contradictory(#[source] UsageError),
}

impl UsageJsonError {
    /// The whole story in one line, with the cause.
    pub fn to_problem(&self) -> String {
        match self {
            Self::Contradictory(cause) => format!("{self}: {cause}"),
            _ => self.to_string(),
        }
    }
}
