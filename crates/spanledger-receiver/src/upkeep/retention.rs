//! Deletes old events while the server runs.

use std::{
    fmt,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use spanledger_event::{ErrorChain, Timestamp};

use super::{Pace, prune::prune_in_turns};
use crate::Pipeline;

/// How often old events are looked for.
const INTERVAL: Duration = Duration::from_hours(1);
/// The nanoseconds of a second.
const SECOND_NANOS: i128 = 1_000_000_000;
/// The nanoseconds of a day.
const DAY_NANOS: i128 = 86_400 * SECOND_NANOS;

/// How long events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    days: NonZeroU32,
}

/// What retention did since the start, for metrics.
#[derive(Debug, Default)]
pub(crate) struct RetentionStatus {
    /// Events that were deleted.
    pub(crate) pruned: AtomicU64,
    /// By how many seconds the oldest event that a sink holds back is older than the limit; 0 if there is none.
    pub(crate) overdue_seconds: AtomicU64,
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} day{}", self.days, if self.days.get() == 1 { "" } else { "s" })
    }
}

impl Retention {
    /// Events are kept for so many days after the beginning of their call.
    pub fn days(days: NonZeroU32) -> Self {
        Self { days }
    }

    /// The moment before which events are deleted, in whole seconds.
    pub fn before(self, now: SystemTime) -> Timestamp {
        let nanos = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_nanos()).unwrap_or_default(),
            Err(error) => -i128::try_from(error.duration().as_nanos()).unwrap_or_default(),
        };
        let before = nanos - nanos.rem_euclid(SECOND_NANOS) - i128::from(self.days.get()) * DAY_NANOS;
        // Before the first moment that can be stored, there are no events.
        Timestamp::from_nanos(i64::try_from(before).unwrap_or(i64::MIN))
    }

    /// Deletes old events now, and then once an hour. The ledger knows the sinks before, so that a new one
    /// receives everything that is still there.
    pub(crate) async fn run(self, pipeline: Pipeline) {
        let ledger = pipeline.ledger();
        loop {
            let before = self.before(SystemTime::now());
            match prune_in_turns(ledger, before, Pace::beside_others(), pipeline.upkeep()).await {
                Ok(done) => {
                    let status = pipeline.retention();
                    status.pruned.fetch_add(done.events as u64, Ordering::Relaxed);
                    let overdue = done.oldest_held.map_or(0, |at| before.nanos().saturating_sub(at.nanos()));
                    let overdue = u64::try_from(overdue / 1_000_000_000).unwrap_or_default();
                    status.overdue_seconds.store(overdue, Ordering::Relaxed);
                    if done.events > 0 {
                        tracing::info!(events = done.events, %before, "receiver.retention.pruned");
                    }
                    if !done.held_by.is_empty() {
                        tracing::warn!(
                            events = done.held,
                            sinks = ?done.held_by,
                            remedy = "mend the sink, or forget it with `spanledger ledger forget` if it no longer exists",
                            "receiver.retention.held"
                        );
                    }
                    if done.unreadable > 0 {
                        tracing::warn!(events = done.unreadable, "receiver.retention.unreadable");
                    }
                }
                // The next attempt follows in an hour. The ledger's own fault is reported by its writer.
                Err(error) => tracing::warn!(error = %ErrorChain(&error), "receiver.retention.failed"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
