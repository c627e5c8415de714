//! From the ledger to a sink.

use std::time::Duration;

use spanledger_event::CostEvent;
use spanledger_ledger::{Change, Ledger, LedgerError, LedgerReader};
use spanledger_sinks::{Batch, DeliveryOutcome, Sink};

use crate::pipeline::chain;

/// How events are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryOptions {
    /// Events of one batch.
    pub batch_max: usize,
    /// The first wait after an outage; it doubles up to `backoff_max`.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// How long a batch that is under way may go on after the shutdown has begun.
    pub stop_max: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            batch_max: 1_000,
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            // Well below the half minute that container platforms wait before they kill a process.
            stop_max: Duration::from_secs(10),
        }
    }
}

/// Brings events to a sink, until `shutdown` is ready and the sink has all that is there.
///
/// The cursor moves only after the sink's own acknowledgement. Over an outage the same batch is
/// tried again, for ever; a batch that is refused is halved until the one event is found that is,
/// which is logged and passed over.
pub async fn deliver(
    ledger: Ledger,
    mut sink: Box<dyn Sink>,
    options: DeliveryOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), LedgerError> {
    let name = sink.name().to_owned();
    let mut reader = ledger.reader()?;
    let mut cursor = reader.cursor(&name)?;
    let mut changes = ledger.changes();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut stopping = false;
    loop {
        changes.mark_unchanged();
        let batch;
        (reader, batch) = next(reader, cursor, options.batch_max).await?;
        let Some(last) = batch.last().map(|change| change.seq) else {
            if stopping {
                return Ok(());
            }
            tokio::select! {
                () = &mut shutdown => stopping = true,
                woken = changes.changed() => stopping = woken.is_err(),
            }
            continue;
        };
        let events: Vec<CostEvent> = batch.into_iter().map(|change| change.event).collect();
        // What was begun is finished, not dropped: a sink may write on when nobody waits for it.
        let mut sending = std::pin::pin!(send(sink.as_mut(), events.into(), options));
        if !stopping {
            tokio::select! {
                () = &mut sending => {
                    advance(&ledger, &name, last).await?;
                    cursor = last;
                    continue;
                }
                () = &mut shutdown => stopping = true,
            }
        }
        // A destination that is down or blocked does not hold up the end: the cursor stays, and the
        // next process sends the batch again.
        if tokio::time::timeout(options.stop_max, sending).await.is_err() {
            tracing::warn!(sink = name, "sink.stop.unfinished");
            return Ok(());
        }
        advance(&ledger, &name, last).await?;
        cursor = last;
    }
}

/// A passing fault of the ledger must not end a sink for good.
const FAULT_WAIT: Duration = Duration::from_secs(1);

async fn advance(ledger: &Ledger, name: &str, cursor: i64) -> Result<(), LedgerError> {
    loop {
        match ledger.advance(name, cursor).await {
            Err(error) if !matches!(error, LedgerError::Closed) => {
                tracing::warn!(sink = name, error = chain(&error), "sink.cursor.retry");
                tokio::time::sleep(FAULT_WAIT).await;
            }
            answer => return answer,
        }
    }
}

/// Reads beside the runtime's own threads; the reader comes back for the next time.
async fn next(
    mut reader: LedgerReader,
    cursor: i64,
    limit: usize,
) -> Result<(LedgerReader, Vec<Change>), LedgerError> {
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let changes = reader.changes_after(cursor, limit);
            (reader, changes)
        });
        let changes;
        (reader, changes) = read.await.map_err(|_| LedgerError::Closed)?;
        match changes {
            Ok(changes) => return Ok((reader, changes)),
            Err(error) => {
                tracing::warn!(error = chain(&error), "sink.read.retry");
                tokio::time::sleep(FAULT_WAIT).await;
            }
        }
    }
}

/// Sends until everything is delivered or refused for good.
async fn send(sink: &mut dyn Sink, batch: Batch, options: DeliveryOptions) {
    let mut pending = vec![batch];
    while let Some(batch) = pending.pop() {
        let mut backoff = options.backoff;
        loop {
            match sink.deliver(batch.clone()).await {
                DeliveryOutcome::Delivered => break,
                DeliveryOutcome::Retry { reason } => {
                    tracing::warn!(sink = sink.name(), %reason, "sink.batch.retry");
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(options.backoff_max);
                }
                DeliveryOutcome::Reject { reason } => {
                    if let [event] = &*batch {
                        tracing::error!(sink = sink.name(), event_id = %event.event_id, %reason, "sink.event.rejected");
                    } else {
                        let (first, second) = batch.split_at(batch.len() / 2);
                        pending.push(second.into());
                        pending.push(first.into());
                    }
                    break;
                }
            }
        }
    }
}
