//! Deletes old events.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use spanledger_event::Timestamp;
use spanledger_ledger::{Ledger, LedgerError};
use tokio::sync::Mutex;

use super::Pace;

/// What a pruning did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruning {
    /// Events that were deleted.
    pub events: usize,
    /// Observations that were deleted with them.
    pub observations: usize,
    /// Groups of old events that were kept, for whatever reason.
    pub kept: usize,
    /// Those of them that a sink has not received.
    pub held: usize,
    /// These sinks.
    pub held_by: BTreeSet<String>,
    /// Groups that were kept because they cannot be read.
    pub unreadable: usize,
    /// The beginning of the oldest event that a sink has not received.
    #[serde(skip)]
    pub oldest_held: Option<Timestamp>,
}

/// Deletes the events that began before a moment and that every follower has passed. If it ends early, it can
/// be repeated: what is done stays.
pub async fn prune(ledger: &Ledger, before: Timestamp, pace: Pace) -> Result<Pruning, LedgerError> {
    prune_in_turns(ledger, before, pace, &Mutex::new(())).await
}

/// Holds `turn` during each part, so that other work can come between the parts.
pub(super) async fn prune_in_turns(
    ledger: &Ledger,
    before: Timestamp,
    mut pace: Pace,
    turn: &Mutex<()>,
) -> Result<Pruning, LedgerError> {
    let (mut done, mut next) = (Pruning::default(), None);
    loop {
        let pruned = {
            let _turn = turn.lock().await;
            ledger.prune(before, next, pace.limit()).await?
        };
        done.events += pruned.events;
        done.observations += pruned.observations;
        done.kept += pruned.kept;
        done.held += pruned.held;
        done.held_by.extend(pruned.held_by);
        done.unreadable += pruned.unreadable;
        // The oldest events come first.
        done.oldest_held = done.oldest_held.or(pruned.oldest_held);
        next = pruned.next;
        if next.is_none() {
            return Ok(done);
        }
        pace.worked(pruned.took).await;
    }
}
