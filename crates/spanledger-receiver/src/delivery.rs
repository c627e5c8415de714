//! Delivers events from the ledger to a sink.

use std::time::Duration;

use spanledger_event::ErrorChain;
use spanledger_ledger::{BatchChanges, BatchRange, Ledger, LedgerError, LedgerReader};
use spanledger_sinks::{Batch, BatchId, BoxSink, ConfiguredSink, Fault, Opening, Positioned, Purpose};
use tokio::{sync::watch, time::Instant};

/// The wait before a failed operation on the ledger is repeated. A temporary fault must not end the delivery.
const LEDGER_RETRY: Duration = Duration::from_secs(1);

/// How events are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryOptions {
    /// The greatest number of events in one batch.
    pub batch_max: usize,
    /// The wait after the first failed delivery. The wait doubles after each further failure, up to
    /// `backoff_max`.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self { batch_max: 1_000, backoff: Duration::from_millis(200), backoff_max: Duration::from_secs(30) }
    }
}

/// Delivers events to a sink until `shutdown` is ready, and then the events that are still in the ledger.
///
/// The value of `shutdown` is the deadline of the delivery. If the sink has not received all events by
/// then, the delivery ends: the cursor stays where it is, and the next start continues from there.
///
/// The cursor moves only after the sink has acknowledged the batch. During an outage the same batch is
/// repeated until the sink accepts it, also after a restart. A batch that the sink rejects is halved until
/// the rejected event is found; that event is logged and skipped, and so is an event whose row in the
/// ledger is damaged.
pub async fn deliver(
    ledger: Ledger,
    sink: ConfiguredSink,
    options: DeliveryOptions,
    shutdown: impl Future<Output = Instant> + Send,
) -> Result<(), LedgerError> {
    let name = sink.name.clone();
    let (stop, stopping) = watch::channel(false);
    let mut following = std::pin::pin!(follow(ledger, sink, options, stopping));
    let deadline = tokio::select! {
        ended = &mut following => return ended,
        deadline = shutdown => deadline,
    };
    stop.send_replace(true);
    tokio::time::timeout_at(deadline, following).await.unwrap_or_else(|_| {
        tracing::warn!(sink = name, "sink.shutdown.timeout");
        Ok(())
    })
}

/// Delivers one batch after another. Returns when `stopping` is set and all events are delivered.
async fn follow(
    ledger: Ledger,
    sink: ConfiguredSink,
    options: DeliveryOptions,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), LedgerError> {
    let name = sink.name.clone();
    let Ok(mut open) = sink.make() else { return Ok(()) };
    let mut reader = ledger.reader()?;
    let mut changes = ledger.changes();
    // The ledger knows the sink from now on, so that no event is pruned before the sink has it.
    advance(&ledger, &name, 0).await?;
    let mut is_last_look = false;
    loop {
        // These are checked before the read, so that a change or a stop during the read causes another read.
        changes.mark_unchanged();
        is_last_look |= *stopping.borrow();
        if let Some(range) = hand_out(&ledger, &name, options.batch_max).await? {
            let batch;
            (reader, batch) = read(reader, range.clone()).await?;
            for row in &batch.unreadable {
                tracing::error!(sink = name, change = row.seq, error = %ErrorChain(&row.error), "sink.event.unreadable");
            }
            let events: Vec<Positioned> = batch
                .changes
                .into_iter()
                .map(|change| Positioned { position: change.seq, event: change.event })
                .collect();
            if !events.is_empty() {
                let id =
                    BatchId { ledger: range.ledger, sink: name.clone(), from: range.cursor, to: range.last };
                send(&mut open, Batch { id, events }, options).await;
            }
            advance(&ledger, &name, range.last).await?;
            continue;
        }
        if is_last_look {
            return Ok(());
        }
        tokio::select! {
            // An error means that the sender was dropped: read a last time.
            stop = stopping.changed() => is_last_look = stop.is_err(),
            more = changes.changed() => is_last_look = more.is_err(),
        }
    }
}

/// Moves the cursor. Retries until it succeeds, unless the ledger is closed.
async fn advance(ledger: &Ledger, name: &str, cursor: i64) -> Result<(), LedgerError> {
    loop {
        match ledger.advance(name, cursor).await {
            Err(error) if !matches!(error, LedgerError::Closed) => {
                tracing::warn!(sink = name, error = %ErrorChain(&error), "sink.cursor.retry");
                tokio::time::sleep(LEDGER_RETRY).await;
            }
            answer => return answer,
        }
    }
}

/// Gets the next batch. Retries until it succeeds, unless the ledger is closed.
async fn hand_out(ledger: &Ledger, name: &str, limit: usize) -> Result<Option<BatchRange>, LedgerError> {
    loop {
        match ledger.hand_out(name, limit).await {
            Err(error) if !matches!(error, LedgerError::Closed) => {
                tracing::warn!(sink = name, error = %ErrorChain(&error), "sink.batch.hand_out.retry");
                tokio::time::sleep(LEDGER_RETRY).await;
            }
            answer => return answer,
        }
    }
}

/// Reads a batch on a blocking thread. Returns the reader with it, for the next read.
async fn read(
    mut reader: LedgerReader,
    range: BatchRange,
) -> Result<(LedgerReader, BatchChanges), LedgerError> {
    loop {
        let range = range.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let batch = reader.batch(&range);
            (reader, batch)
        });
        let batch;
        (reader, batch) = reading.await.map_err(|_| LedgerError::Closed)?;
        match batch {
            Ok(batch) => return Ok((reader, batch)),
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "sink.read.retry");
                tokio::time::sleep(LEDGER_RETRY).await;
            }
        }
    }
}

/// Sends a batch until each of its events is delivered or rejected.
async fn send(sink: &mut BoxSink, batch: Batch, options: DeliveryOptions) {
    let name = batch.id.sink.clone();
    let mut pending = vec![batch];
    while let Some(batch) = pending.pop() {
        let mut backoff = options.backoff;
        loop {
            match attempt(sink, &batch).await {
                Ok(()) => break,
                Err(Fault::Rejected { reason } | Fault::TooLarge { reason }) => {
                    if let Some(middle) = batch.middle() {
                        let (first, second) = batch.split_at(middle);
                        pending.extend([second, first]);
                    } else {
                        tracing::error!(sink = name, batch = %batch.id, %reason, "sink.event.rejected");
                    }
                    break;
                }
                Err(fault) => {
                    tracing::warn!(sink = name, %fault, "sink.batch.retry");
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(options.backoff_max);
                }
            }
        }
    }
}

async fn attempt(sink: &mut BoxSink, batch: &Batch) -> Result<(), Fault> {
    let (ledger, name) = (batch.id.ledger.clone(), batch.id.sink.clone());
    sink.open(&Opening { ledger, sink: name.clone(), purpose: Purpose::Deliver }).await?;
    for rejection in sink.write(batch).await?.rejected {
        tracing::error!(sink = name, batch = %batch.id, reason = rejection.reason, "sink.event.rejected");
    }
    sink.commit().await
}
