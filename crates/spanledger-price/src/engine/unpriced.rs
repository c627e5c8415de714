//! A call without a price.

use spanledger_event::{CostLine, UnpricedReason};

/// The reason why there is no price, the same as a sentence, and the lines that have a price.
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
