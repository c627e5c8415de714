//! Delivers events from the ledger to sinks.
//!
//! Each sink has a [`Runner`](runner::Runner), which obeys the contract of sinks: it opens the destination,
//! writes and commits batches, and moves the cursor. A [`Source`](source::Source) makes the batches ahead of it.
//! What happens is in the sink's [`SinkStatus`], which `/metrics`, the admin API and the log show.

use std::time::Duration;

use spanledger_ledger::{Ledger, LedgerError};
use spanledger_sinks::ConfiguredSink;
use tokio::{sync::watch, time::Instant};

mod dead_letters;
mod fault;
mod lag;
mod queue;
mod replay;
mod runner;
mod source;
mod status;

pub use self::{
    dead_letters::{RetriedDeadLetters, retry_dead_letters},
    replay::{Replay, ReplayError, ReplaySelection},
    status::{SinkReport, SinkState, SinkStatus},
};
use self::{runner::Runner, source::Span};

/// The wait before a failed operation on the ledger is repeated. A temporary fault must not end the delivery.
const LEDGER_RETRY: Duration = Duration::from_secs(1);

/// How events are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryOptions {
    /// The wait after the first failed delivery. The wait doubles after each further failure, up to
    /// `backoff_max`. Each wait is shortened at random by up to a half, so that many receivers do not try at
    /// the same moment.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// The wait before a destination is opened again that is blocked until somebody changes something.
    pub blocked: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            blocked: Duration::from_mins(1),
        }
    }
}

/// Delivers events to a sink until `shutdown` is ready, and then the events that are still in the ledger.
///
/// The value of `shutdown` is the deadline of the delivery. If the sink has not received all events by
/// then, the delivery ends: the cursor stays where it is, and the next start continues from there. If the
/// destination is down or blocked, the delivery ends after two more attempts.
///
/// The cursor moves only after the sink has committed. During an outage the same batches are repeated until the
/// sink commits them, also after a restart. An event that the destination refuses goes to the dead letters of the
/// ledger. An event whose row in the ledger is damaged is logged and left out.
pub async fn deliver(
    ledger: Ledger,
    sink: ConfiguredSink,
    status: SinkStatus,
    options: DeliveryOptions,
    shutdown: impl Future<Output = Instant> + Send,
) -> Result<(), LedgerError> {
    run(ledger, sink, status, options, Span::ALL, shutdown).await
}

/// Makes a sink known to the ledger, so that no event is pruned before the sink has it.
pub(crate) async fn register(ledger: &Ledger, sink: &ConfiguredSink) -> Result<(), LedgerError> {
    runner::register(ledger, sink, Span::ALL).await.map(drop)
}

/// Delivers what a span of the ledger's changes holds.
pub(crate) async fn run(
    ledger: Ledger,
    sink: ConfiguredSink,
    status: SinkStatus,
    options: DeliveryOptions,
    span: Span,
    shutdown: impl Future<Output = Instant> + Send,
) -> Result<(), LedgerError> {
    let name = sink.name.clone();
    let (stop, stopping) = watch::channel(false);
    let delivery = async {
        match Runner::start(ledger, sink, status.clone(), options, span, stopping).await? {
            Some(mut runner) => runner.run().await,
            None => Ok(()),
        }
    };
    let mut delivery = std::pin::pin!(delivery);
    let deadline = tokio::select! {
        ended = &mut delivery => {
            status.stopped();
            return ended;
        }
        deadline = shutdown => deadline,
    };
    stop.send_replace(true);
    let ended = tokio::time::timeout_at(deadline, delivery).await.unwrap_or_else(|_| {
        tracing::warn!(sink = name, "sink.shutdown.timeout");
        Ok(())
    });
    status.stopped();
    ended
}
