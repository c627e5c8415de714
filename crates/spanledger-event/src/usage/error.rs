//! Why a usage is refused.

use rust_decimal::Decimal;

use crate::limits::{NAME_BYTES_MAX, UNITS_MAX};

/// A usage that contradicts itself. It is never clamped: the call becomes unpriced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The parts are more than the whole.
    #[error("{parts} tokens of parts in {whole} tokens of {side}: the parts must be contained in the whole")]
    PartsExceedWhole {
        /// `input`, `output` or a modality.
        side: &'static str,
        /// The sum of the parts.
        parts: u64,
        /// The whole.
        whole: u64,
    },
    /// The stated total is not input plus output.
    #[error("the stated total is {stated} tokens, input and output add up to {sum}")]
    TotalMismatch {
        /// The total that was stated.
        stated: u64,
        /// The sum of input and output.
        sum: u64,
    },
    /// A count is greater than one call can have.
    #[error("`{field}` is {count}: one call has at most {max}")]
    OutOfRange {
        /// The name of the count.
        field: String,
        /// The count.
        count: String,
        /// The greatest count that is accepted.
        max: u64,
    },
    /// The usage has more kinds of units than any call.
    #[error("the usage has {0} kinds of units: one call has at most {UNITS_MAX}")]
    TooManyUnits(usize),
    /// The name of a unit is too long.
    #[error("the name of a unit has {0} bytes: at most {NAME_BYTES_MAX} are allowed")]
    UnitName(usize),
}

impl UsageError {
    /// A count that is greater than one call can have.
    pub fn out_of_range(field: impl Into<String>, count: impl Into<Decimal>, max: u64) -> Self {
        Self::OutOfRange { field: field.into(), count: count.into().to_string(), max }
    }

    /// Whether a count is greater than one call can have, and not only in contradiction with others.
    pub fn is_out_of_range(&self) -> bool {
        match self {
            Self::OutOfRange { .. } | Self::TooManyUnits(_) | Self::UnitName(_) => true,
            Self::PartsExceedWhole { .. } | Self::TotalMismatch { .. } => false,
        }
    }
}
