//! Sends records to the receiver. A separate thread takes them from a bounded queue and repeats each request
//! until it is acknowledged.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

mod config;
mod queue;
#[cfg(test)]
mod tests;
mod worker;

pub use config::ExporterConfig;
use queue::QueueSender;
pub(crate) use queue::ToRecord;

/// How many records were made, acknowledged and lost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExporterStats {
    /// Records of calls that ended.
    pub recorded: u64,
    /// Records that the receiver has acknowledged.
    pub acknowledged: u64,
    /// Records that were lost because the queue was full or the receiver refused them finally.
    pub lost: u64,
}

/// The error of a flush: some records were not acknowledged in time, or were lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pending} records of AI calls are not acknowledged by {url} and {lost} are lost: is `spanledger serve` running there?{}", last_error.as_ref().map(|e| format!(" last error: {e}")).unwrap_or_default())]
pub struct FlushError {
    /// The number of records that still wait. They are retried as long as the process runs.
    pub pending: u64,
    /// The number of records that were lost since the last flush, because the queue was full or the receiver
    /// refused them finally.
    pub lost: u64,
    /// The URL to which the records are sent.
    pub url: String,
    /// The error of the last attempt.
    pub last_error: Option<String>,
}

/// The counts that callers and worker share.
#[derive(Debug, Default)]
struct Progress {
    recorded: AtomicU64,
    /// Records that were put into the queue.
    queued: AtomicU64,
    acknowledged: AtomicU64,
    /// Records that the receiver refused finally.
    refused: AtomicU64,
    /// Records for which the queue had no room.
    dropped: AtomicU64,
    /// The number of lost records that earlier flushes have reported.
    reported_lost: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Progress {
    /// Records of the queue that need no further attempt.
    fn settled(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire) + self.refused.load(Ordering::Acquire)
    }

    fn lost(&self) -> u64 {
        self.refused.load(Ordering::Acquire) + self.dropped.load(Ordering::Acquire)
    }

    fn set_error(&self, error: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// The exporter, as callers use it.
#[derive(Debug)]
pub(crate) struct Exporter {
    /// The queue; `None` if the export is off.
    queue: Option<QueueSender>,
    progress: Arc<Progress>,
    /// Changes when more records are settled.
    settled: watch::Receiver<u64>,
    url: String,
}

impl Exporter {
    /// Starts the worker on a separate thread, so that it does not need the service's runtime and continues
    /// after that runtime is shut down.
    pub(crate) fn start(config: ExporterConfig) -> Self {
        let progress = Arc::new(Progress::default());
        let (publish, settled) = watch::channel(0);
        let url = config.url.clone().unwrap_or_default();
        let mut queue = None;
        if config.url.is_some() {
            let (sender, receiver) = queue::queue(config.queue_max.max(1), config.queue_bytes_max);
            let worker_progress = Arc::clone(&progress);
            let started = std::thread::Builder::new()
                .name("spanledger-export".to_owned())
                .spawn(move || worker::run(config, receiver, &worker_progress, &publish));
            match started {
                Ok(_) => queue = Some(sender),
                Err(error) => tracing::error!(%error, "spanledger.export.start.failed"),
            }
        }
        Self { queue, progress, settled, url }
    }

    /// Queues a record; never blocks.
    pub(crate) fn send(&self, record: Box<dyn ToRecord>) {
        let Some(queue) = &self.queue else { return };
        self.progress.recorded.fetch_add(1, Ordering::AcqRel);
        if queue.push(record) {
            self.progress.queued.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let dropped = self.progress.dropped.fetch_add(1, Ordering::AcqRel) + 1;
        // Logged at each power of two, so that a long outage does not fill the log.
        if dropped.is_power_of_two() {
            tracing::error!(dropped, url = self.url, "spanledger.export.queue.full");
        }
    }

    pub(crate) fn stats(&self) -> ExporterStats {
        ExporterStats {
            recorded: self.progress.recorded.load(Ordering::Acquire),
            acknowledged: self.progress.acknowledged.load(Ordering::Acquire),
            lost: self.progress.lost(),
        }
    }

    pub(crate) async fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let target = self.progress.queued.load(Ordering::Acquire);
        let mut settled = self.settled.clone();
        let waiting = settled.wait_for(|_| self.progress.settled() >= target);
        // A timeout is ignored here: the counts below show whether all records were settled.
        drop(tokio::time::timeout(timeout, waiting).await);
        let pending = target.saturating_sub(self.progress.settled());
        let lost_so_far = self.progress.lost();
        let lost =
            lost_so_far.saturating_sub(self.progress.reported_lost.swap(lost_so_far, Ordering::AcqRel));
        if pending == 0 && lost == 0 {
            return Ok(());
        }
        let last_error = self.progress.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(FlushError { pending, lost, url: self.url.clone(), last_error })
    }
}
