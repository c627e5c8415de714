//! Pydantic AI. Its spans follow the convention and repeat the provider's counts under `details`.

use super::Dialect;
use crate::quirks::Quirks;

pub(super) const DIALECT: Dialect = Dialect {
    reader: None,
    quirks: Quirks {
        cache_read: &["gen_ai.usage.details.cache_read_tokens"],
        cache_write: &["gen_ai.usage.details.cache_write_tokens"],
        reasoning: &["gen_ai.usage.details.reasoning_tokens"],
        repeated_counts: &["gen_ai.usage.details."],
        ..Quirks::NONE
    },
};
