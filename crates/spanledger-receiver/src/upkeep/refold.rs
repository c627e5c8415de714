//! Folds all observations again.

use serde::{Deserialize, Serialize};
use spanledger_ledger::{Ledger, LedgerError};

use super::Pace;

/// What folding again did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refolding {
    /// Observations that were folded.
    pub observations: usize,
    /// Events that differed from the fold of their observations, and were corrected.
    pub corrected: usize,
    /// Observations that were left out, because they or those that belong to them cannot be read.
    pub unreadable: usize,
}

/// Folds all observations of a ledger again, and corrects the events that differ. If it ends early, it can be
/// repeated: what is done stays.
pub async fn refold(ledger: &Ledger, mut pace: Pace) -> Result<Refolding, LedgerError> {
    let (mut done, mut last) = (Refolding::default(), 0);
    loop {
        let refolded = ledger.refold(last, pace.limit()).await?;
        done.observations += refolded.observations;
        done.corrected += refolded.corrected;
        done.unreadable += refolded.unreadable;
        if refolded.is_done {
            return Ok(done);
        }
        last = refolded.last;
        pace.worked(refolded.took).await;
    }
}
