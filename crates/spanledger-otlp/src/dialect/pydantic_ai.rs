//! Pydantic AI. Its spans follow the convention and repeat the provider's counts under `details`.

use spanledger_event::Unstated;

use super::Dialect;
use crate::quirks::{AbsentCounts, Quirks};

pub(super) const DIALECT: Dialect = Dialect {
    reader: None,
    quirks: Quirks {
        cache_read: &["gen_ai.usage.details.cache_read_tokens"],
        cache_write: &["gen_ai.usage.details.cache_write_tokens"],
        reasoning: &["gen_ai.usage.details.reasoning_tokens"],
        repeated_counts: &["gen_ai.usage.details."],
        absent_counts: &[AbsentCounts {
            // Observed in version 2.68: it leaves out counts of zero. Not every provider counts the hidden
            // output, so that its absence says nothing.
            scopes: &["pydantic-ai"],
            unstated: Unstated { reasoning: true, ..Unstated::NONE },
        }],
        ..Quirks::NONE
    },
};
