//! Makes the batches of a sink from the ledger's changes, ahead of their delivery.

use std::collections::VecDeque;

use spanledger_event::ErrorChain;
use spanledger_ledger::{BatchRange, Change, HandedOut, Ledger, LedgerError, LedgerReader};
use spanledger_sinks::{Batch, BatchId, BatchShape, EventFilter, Positioned};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{LEDGER_RETRY, SinkStatus};

/// So many batches are asked for together, which takes one commit of the ledger.
const GIVEN_MAX: usize = 4;

/// Which of the ledger's changes a delivery is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The last position; without one the delivery goes on with new changes.
    pub(crate) until: Option<i64>,
}

impl Span {
    /// Everything, also what is still to come.
    pub(crate) const ALL: Self = Self { until: None };
}

/// A batch with the range that is stored for it in the ledger.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) range: BatchRange,
    /// The events of the range that the sink gets; there may be none.
    pub(super) batch: Batch,
}

/// What a [`Source`] needs.
#[derive(Clone, Debug)]
pub(super) struct SourceOptions {
    pub(super) ledger: Ledger,
    pub(super) sink: String,
    pub(super) shape: BatchShape,
    pub(super) filter: EventFilter,
    pub(super) span: Span,
    pub(super) status: SinkStatus,
    pub(super) stopping: watch::Receiver<bool>,
}

/// The batches of a sink, made by a task of their own. Dropping it ends the task.
#[derive(Debug)]
pub(super) struct Source {
    batches: mpsc::Receiver<Made>,
    task: JoinHandle<Result<(), LedgerError>>,
}

impl Source {
    /// Begins after the cursor, with the batches in flight.
    pub(super) fn start(options: SourceOptions, cursor: i64) -> Self {
        // The next batches are read while the sink writes.
        let (sender, batches) = mpsc::channel(options.shape.in_flight.get());
        let task = tokio::spawn(async move { Maker::start(options, cursor).await?.run(sender).await });
        Self { batches, task }
    }

    /// The next batch. `None` if there will be no more.
    pub(super) async fn next(&mut self) -> Result<Option<Made>, LedgerError> {
        if let Some(made) = self.batches.recv().await {
            return Ok(Some(made));
        }
        match (&mut self.task).await {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(LedgerError::Closed),
        }
    }

    /// Ends the task, and waits for its end: it asks the ledger for nothing more.
    pub(super) async fn end(&mut self) {
        self.batches.close();
        self.task.abort();
        drop((&mut self.task).await);
    }

    /// The next batch, if it is ready.
    pub(super) fn ready(&mut self) -> Option<Made> {
        self.batches.try_recv().ok()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Maker {
    options: SourceOptions,
    reader: Option<LedgerReader>,
    changes: watch::Receiver<i64>,
    /// Batches that were stored before, by this process or an earlier one, and whether they may be divided:
    /// they were not sent yet.
    stored: VecDeque<(BatchRange, bool)>,
    /// Batches that the ledger gave together.
    given: VecDeque<HandedOut>,
    /// The last position that the ledger gave.
    after: i64,
    /// The ledger's last number before it was asked.
    seen: i64,
}

impl Maker {
    async fn start(options: SourceOptions, cursor: i64) -> Result<Self, LedgerError> {
        let stored = again!(&options.sink, options.ledger.batches(&options.sink))?;
        Ok(Self {
            reader: Some(options.ledger.reader()?),
            changes: options.ledger.changes(),
            stored: stored.into_iter().map(|range| (range, false)).collect(),
            seen: 0,
            given: VecDeque::new(),
            after: cursor,
            options,
        })
    }

    /// Makes one batch after another, until the delivery stops and everything is delivered.
    async fn run(mut self, batches: mpsc::Sender<Made>) -> Result<(), LedgerError> {
        while let Some(made) = self.next().await? {
            if batches.send(made).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Made>, LedgerError> {
        loop {
            if let Some((range, may_be_divided)) = self.stored.pop_front() {
                self.after = self.after.max(range.last);
                let changes = self.read(&range).await?;
                let range = if may_be_divided { self.within_bytes(range, &changes).await? } else { range };
                return Ok(Some(self.made(range, changes)));
            }
            if let Some(given) = self.given.pop_front() {
                let changes = match given.changes {
                    Some(changes) => changes,
                    None => self.read(&given.range).await?,
                };
                let range = self.within_bytes(given.range, &changes).await?;
                return Ok(Some(self.made(range, changes)));
            }
            if self.options.span.until.is_some_and(|until| self.after >= until) {
                return Ok(None);
            }
            // This is checked before the ledger is asked, so that a stop after it causes another look.
            let is_last_look = !self.wait_for_a_full_batch().await;
            let rows = self.options.shape.rows.get();
            // Only full batches are given together: what is left may wait for more.
            let pending = usize::try_from(*self.changes.borrow() - self.after).unwrap_or_default();
            let most = (pending / rows).clamp(1, GIVEN_MAX);
            let (ledger, sink, after) = (&self.options.ledger, &self.options.sink, self.after);
            self.given = again!(sink, ledger.next_batches(sink, after, rows, most))?.into();
            match self.given.back() {
                Some(last) => self.after = last.range.last,
                // The last numbers of the ledger may belong to no change.
                None if is_last_look || self.options.span.until.is_some() => return Ok(None),
                None => {
                    self.options.status.nothing_until(self.seen, self.after);
                    self.wait_for_a_change().await;
                }
            }
        }
    }

    /// Waits until there are enough changes for a full batch, or the first of them has waited long enough. Returns
    /// `false` if the delivery is stopping: nothing is waited for then.
    async fn wait_for_a_full_batch(&mut self) -> bool {
        let rows = i64::try_from(self.options.shape.rows.get()).unwrap_or(i64::MAX);
        let mut stopping = self.options.stopping.clone();
        let mut deadline = None;
        loop {
            let last = *self.changes.borrow_and_update();
            self.seen = last;
            self.options.status.ledger_at(last);
            if *stopping.borrow_and_update() {
                return false;
            }
            let linger = self.options.shape.linger;
            if linger.is_zero()
                || last <= self.after
                || last - self.after >= rows
                || self.options.span.until.is_some()
            {
                return true;
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + linger);
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return true,
                stop = stopping.changed() => if stop.is_err() { return false },
                more = self.changes.changed() => if more.is_err() { return false },
            }
        }
    }

    /// Waits for a change since the last look, or a stop.
    async fn wait_for_a_change(&mut self) {
        let stopping = self.options.stopping.clone();
        tokio::select! {
            _ = stopped(stopping) => {}
            more = self.changes.changed() => if more.is_err() { tokio::time::sleep(LEDGER_RETRY).await },
        }
    }

    /// Divides a batch of which the sink says that it is too large in bytes. The rest is read again as the next
    /// batch.
    async fn within_bytes(
        &mut self,
        mut range: BatchRange,
        changes: &[Change],
    ) -> Result<BatchRange, LedgerError> {
        let (mut bytes, mut last) = (0, None);
        for change in changes {
            bytes += spanledger_sinks::approximate_bytes(&change.event);
            if bytes > self.options.shape.bytes
                && let Some(last) = last
            {
                let sink = &self.options.sink;
                let (first, rest) = again!(sink, self.options.ledger.split(&range, last))?;
                self.stored.push_front((rest, true));
                range = first;
                break;
            }
            last = Some(change.seq);
        }
        Ok(range)
    }

    fn made(&self, range: BatchRange, changes: Vec<Change>) -> Made {
        let id = BatchId {
            ledger: range.ledger.clone(),
            sink: self.options.sink.clone(),
            from: range.cursor,
            to: range.last,
        };
        let events = changes
            .into_iter()
            .filter(|change| {
                change.seq <= range.last && self.options.filter.takes(&change.event, change.was_given)
            })
            .map(|change| Positioned { position: change.seq, event: change.event })
            .collect();
        Made { range, batch: Batch { id, events } }
    }

    /// Reads a batch on a blocking thread.
    async fn read(&mut self, range: &BatchRange) -> Result<Vec<Change>, LedgerError> {
        loop {
            let reader = match self.reader.take() {
                Some(reader) => reader,
                None => self.options.ledger.reader()?,
            };
            let range = range.clone();
            let reading = tokio::task::spawn_blocking(move || {
                let batch = reader.batch(&range);
                (reader, batch)
            });
            let (reader, batch) = reading.await.map_err(|_| LedgerError::Closed)?;
            self.reader = Some(reader);
            match batch {
                Ok(batch) => {
                    for row in &batch.unreadable {
                        let error = ErrorChain(&row.error);
                        tracing::error!(sink = self.options.sink, change = row.seq, %error, "sink.event.unreadable");
                    }
                    return Ok(batch.changes);
                }
                Err(error) => {
                    tracing::warn!(sink = self.options.sink, error = %ErrorChain(&error), "sink.read.retry");
                    tokio::time::sleep(LEDGER_RETRY).await;
                }
            }
        }
    }
}

/// Waits for a stop. Returns `false` if nobody can stop the delivery any more.
pub(super) async fn stopped(mut stopping: watch::Receiver<bool>) -> bool {
    stopping.wait_for(|stop| *stop).await.is_ok()
}

/// Repeats an operation on the ledger until it succeeds, unless the ledger is closed or what is asked for is
/// impossible. It is a macro, because the compiler cannot see that the future of an async closure is `Send`.
macro_rules! again {
    ($sink:expr, $operation:expr) => {
        loop {
            if let Some(answer) = $crate::delivery::source::unless_passing($sink, $operation.await).await {
                break answer;
            }
        }
    };
}
pub(super) use again;

/// The answer of the ledger, unless it is a passing fault. Waits after a passing fault.
pub(super) async fn unless_passing<T>(
    sink: &str,
    answer: Result<T, LedgerError>,
) -> Option<Result<T, LedgerError>> {
    use LedgerError::{Closed, NotAPosition, NotInBatch, Pruned};
    match answer {
        Err(error) if !matches!(error, Closed | NotAPosition { .. } | NotInBatch { .. } | Pruned { .. }) => {
            tracing::warn!(sink, error = %ErrorChain(&error), "sink.ledger.retry");
            tokio::time::sleep(LEDGER_RETRY).await;
            None
        }
        answer => Some(answer),
    }
}
