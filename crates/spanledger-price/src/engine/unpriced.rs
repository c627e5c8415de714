//! A call without a price.

use spanledger_event::{CostLine, UnpricedReason};

/// Why there is no price, as a reason and as a sentence, and the lines that are known nevertheless.
pub(super) struct Unpriced {
    pub(super) reason: UnpricedReason,
    pub(super) detail: String,
    pub(super) lines: Vec<CostLine>,
}

impl Unpriced {
    pub(super) fn new(reason: UnpricedReason, detail: String) -> Self {
        Self { reason, detail, lines: Vec::new() }
    }
}
