//! Waits until records are acknowledged.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{Exporter, Shared};

/// The error of a flush: some records were not acknowledged in time, or were lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{pending} records of AI calls are not acknowledged by {url} yet, and {lost} are lost: is `spanledger serve` running there?{}", last_error.as_ref().map(|e| format!(" last error: {e}")).unwrap_or_default())]
pub struct FlushError {
    /// The number of records that still wait. They are retried as long as the process runs.
    pub pending: u64,
    /// The number of records that were lost since the last flush, because the queue was full or the receiver
    /// refused them finally.
    pub lost: u64,
    /// The URL to which the records are sent. If several recorders failed, all their URLs.
    pub url: String,
    /// The error of the last attempt.
    pub last_error: Option<String>,
}

impl FlushError {
    /// One error for several recorders.
    fn merge(mut self, other: Self) -> Self {
        self.pending += other.pending;
        self.lost += other.lost;
        if self.url != other.url {
            self.url = format!("{} and {}", self.url, other.url);
        }
        self.last_error = self.last_error.or(other.last_error);
        self
    }
}

/// Asks the worker to tell when the records that are queued now are settled.
pub(super) struct FlushCommand {
    pub(super) deadline: Instant,
    /// Receives the number of records that are not settled.
    pub(super) reply: Box<dyn FnOnce(u64) + Send>,
}

/// The worker's end for commands.
pub(super) type Commands = mpsc::UnboundedReceiver<FlushCommand>;

/// What a flush needs of an exporter. It does not keep the queue open.
#[derive(Clone, Debug)]
pub(super) struct FlushHandle {
    /// `None` for an exporter that could not be started, whose records are all lost.
    pub(super) commands: Option<mpsc::UnboundedSender<FlushCommand>>,
    pub(super) shared: Arc<Shared>,
}

/// The exporters of the process, without those whose worker has ended.
static REGISTRY: Mutex<Vec<FlushHandle>> = Mutex::new(Vec::new());

/// Adds an exporter to those that [`flush_all`] flushes, and forgets those that have ended.
pub(super) fn register(handle: FlushHandle) {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    registry.retain(FlushHandle::is_open);
    registry.push(handle);
}

/// The exporters of this process.
pub(super) fn all() -> Vec<FlushHandle> {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    registry.retain(|handle| handle.is_open() && handle.shared.is_of_this_process());
    registry.clone()
}

impl FlushHandle {
    fn is_open(&self) -> bool {
        self.commands.as_ref().is_none_or(|commands| !commands.is_closed())
    }

    fn start(&self, deadline: Instant, reply: Box<dyn FnOnce(u64) + Send>) {
        // If there is no worker, the reply is dropped and the receiver of the reply notices.
        if let Some(commands) = &self.commands {
            drop(commands.send(FlushCommand { deadline, reply }));
        }
    }

    /// The reply comes in time also if the worker is blocked, by a function of the service or by a disk that does not
    /// answer. A future without a runtime has no clock, so that a thread looks after the time.
    fn start_async(&self, deadline: Instant) -> oneshot::Receiver<u64> {
        let (sender, receiver) = oneshot::channel();
        let sender = Arc::new(Mutex::new(Some(sender)));
        let (done, is_done) = std::sync::mpsc::sync_channel::<()>(1);
        let of_worker = Arc::clone(&sender);
        let reply = move |pending| {
            let sender = of_worker.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The flush may have been dropped meanwhile.
            sender.map(|sender| sender.send(pending).unwrap_or_default()).unwrap_or_default();
            drop(done);
        };
        self.start(deadline, Box::new(reply));
        let watch = move || {
            // The end of the channel is the sign.
            is_done.recv_timeout(until(deadline)).unwrap_or_default();
            drop(sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        };
        // Without the thread, the flush ends with the worker's reply.
        drop(thread::Builder::new().name("spanledger-flush".to_owned()).spawn(watch));
        receiver
    }

    fn start_blocking(&self, deadline: Instant) -> std::sync::mpsc::Receiver<u64> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.start(deadline, Box::new(move |pending| sender.send(pending).unwrap_or_default()));
        receiver
    }

    /// The outcome of a flush; `None` as the number of pending records if the worker did not reply.
    pub(super) fn outcome(&self, pending: Option<u64>) -> Result<(), FlushError> {
        self.shared.outcome(pending.unwrap_or_else(|| self.shared.unsettled()))
    }
}

/// How much longer than its deadline a flush waits for the worker's reply.
const REPLY_WAIT: Duration = Duration::from_secs(1);

fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()) + REPLY_WAIT
}

fn wait_blocking(reply: &std::sync::mpsc::Receiver<u64>, deadline: Instant) -> Option<u64> {
    reply.recv_timeout(until(deadline)).ok()
}

/// Flushes every exporter of the process.
pub(crate) async fn flush_all(timeout: Duration) -> Result<(), FlushError> {
    let deadline = deadline(timeout);
    let started: Vec<_> = all().into_iter().map(|handle| (handle.start_async(deadline), handle)).collect();
    let mut errors = Vec::new();
    for (reply, handle) in started {
        errors.extend(handle.outcome(reply.await.ok()).err());
    }
    errors.into_iter().reduce(FlushError::merge).map_or(Ok(()), Err)
}

/// Flushes every exporter of the process and blocks the thread meanwhile.
pub(crate) fn flush_all_blocking(timeout: Duration) -> Result<(), FlushError> {
    let deadline = deadline(timeout);
    let started: Vec<_> = all().into_iter().map(|handle| (handle.start_blocking(deadline), handle)).collect();
    let errors = started
        .into_iter()
        .filter_map(|(reply, handle)| handle.outcome(wait_blocking(&reply, deadline)).err());
    errors.reduce(FlushError::merge).map_or(Ok(()), Err)
}

fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(24 * 60 * 60))
}

impl Exporter {
    /// Waits until the records that are queued now are settled. Needs no runtime.
    pub(crate) async fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        match self.flush_handle() {
            Some(handle) => {
                let reply = handle.start_async(deadline(timeout));
                handle.outcome(reply.await.ok())
            }
            None => self.shared().outcome(0),
        }
    }

    /// As [`flush`](Self::flush), and blocks the thread meanwhile.
    pub(crate) fn flush_blocking(&self, timeout: Duration) -> Result<(), FlushError> {
        match self.flush_handle() {
            Some(handle) => {
                let deadline = deadline(timeout);
                let reply = handle.start_blocking(deadline);
                handle.outcome(wait_blocking(&reply, deadline))
            }
            None => self.shared().outcome(0),
        }
    }
}
