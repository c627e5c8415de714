//! Sends records to the receiver. A separate thread takes them from a bounded queue and repeats each request
//! until it is acknowledged.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{Arc, OnceLock, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use spanledger_event::ErrorChain;
use tokio::sync::{mpsc, oneshot};

mod backoff;
mod config;
mod flush;
#[cfg(feature = "spool")]
mod journal;
#[cfg(not(feature = "spool"))]
#[path = "exporter/journal_off.rs"]
mod journal;
mod losses;
mod outbox;
mod queue;
mod settings;
mod shared;
#[cfg(feature = "spool")]
mod spool;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
mod transport;
mod worker;

pub use config::{Certificates, Compression, ExporterConfig, Protocol, WhenFull};
pub use flush::FlushError;
pub(crate) use flush::{flush_all, flush_all_blocking};
pub(crate) use queue::{Intent, ToRecord};
pub use settings::InitError;
pub use shared::ExporterStats;

use flush::FlushHandle;
use journal::Journal;
use queue::QueueSender;
use settings::Settings;
use shared::Shared;

/// The exporter, as callers use it.
#[derive(Debug)]
pub(crate) struct Exporter {
    config: ExporterConfig,
    shared: Arc<Shared>,
    /// `None` if the export is off or could not be started.
    worker: Option<WorkerHandle>,
    /// The exporter of a process that was forked from the one that started this worker. A fork has no threads but
    /// the one that forked, so it needs a worker of its own.
    of_fork: OnceLock<Box<Exporter>>,
}

#[derive(Debug)]
struct WorkerHandle {
    queue: QueueSender,
    commands: mpsc::UnboundedSender<flush::FlushCommand>,
}

impl Exporter {
    /// Starts the worker on a separate thread, so that it does not need the service's runtime and continues
    /// after that runtime is shut down.
    pub(crate) fn start(config: ExporterConfig) -> Result<Self, InitError> {
        let shared = Shared::new(config.url.as_deref().unwrap_or_default(), process::id());
        Self::start_with(config, shared, Disk::Required)
    }

    /// As [`start`](Self::start), and logs an error instead of returning it. If the disk cannot be used, records are
    /// in memory until it can.
    pub(crate) fn start_or_log(config: ExporterConfig) -> Self {
        let shared = Shared::new(config.url.as_deref().unwrap_or_default(), process::id());
        Self::start_or_log_with(config, shared)
    }

    fn start_or_log_with(mut config: ExporterConfig, shared: Shared) -> Self {
        if config.spool.is_some() && !cfg!(feature = "spool") {
            // Without the disk, records can at least be kept in memory.
            let remedy = "enable the feature `spool` of the crate `spanledger`";
            tracing::error!(remedy, "spanledger.spool.unavailable: SPANLEDGER_SPOOL has no effect");
            (config.spool, config.intents) = (None, false);
        }
        let started = Self::start_with(config.clone(), shared, Disk::Optional);
        started.unwrap_or_else(|error| Self::failed(config, &error))
    }

    fn start_with(config: ExporterConfig, shared: Shared, disk: Disk) -> Result<Self, InitError> {
        let settings = Settings::new(&config)?;
        let shared = Arc::new(shared);
        let worker = match settings {
            Some(settings) => Some(start_worker(&config, settings, &shared, disk)?),
            None => None,
        };
        Ok(Self { config, shared, worker, of_fork: OnceLock::new() })
    }

    /// An exporter that counts each record as lost, because it could not be started.
    pub(crate) fn failed(config: ExporterConfig, error: &InitError) -> Self {
        let error = ErrorChain(error).to_string();
        tracing::error!(%error, "spanledger.export.start.failed");
        let shared = Arc::new(Shared::new(config.url.as_deref().unwrap_or_default(), process::id()));
        shared.set_error(Some(error));
        // A flush of the process must say that the records of this exporter are lost.
        flush::register(FlushHandle { commands: None, shared: Arc::clone(&shared) });
        Self { config, shared, worker: None, of_fork: OnceLock::new() }
    }

    /// This exporter, or the one of this process if it was forked. `is_own` says whether this process has started a
    /// worker.
    fn of_process(&self, is_own: impl Fn(&Shared) -> bool) -> &Self {
        let mut exporter = self;
        loop {
            if let Some(of_fork) = exporter.of_fork.get() {
                exporter = of_fork;
                continue;
            }
            if exporter.worker.is_none() || is_own(&exporter.shared) {
                return exporter;
            }
            exporter.of_fork.get_or_init(|| {
                let url = self.config.url.as_deref().unwrap_or_default();
                let shared = Shared::new(url, process::id()).with_calls_of(&self.shared);
                Box::new(Self::start_or_log_with(self.config.clone(), shared))
            });
        }
    }

    fn of_this_process(&self) -> &Self {
        self.of_process(Shared::is_of_this_process)
    }

    /// Queues a record. It never blocks, unless the configuration says so.
    pub(crate) fn send(&self, record: Box<dyn ToRecord>, ends: Option<Intent>) {
        // To ask for the id of the process is a system call. A sender that wakes the worker makes one anyway.
        let wakes_worker = self.worker.as_ref().is_some_and(|worker| worker.queue.wakes_worker());
        let exporter = if wakes_worker {
            self.of_this_process()
        } else {
            self.of_process(Shared::is_probably_of_this_process)
        };
        exporter.push(record, ends);
    }

    /// Counts a record that could not be made. The next gap event has it. `ends` is the intent of its call.
    pub(crate) fn count_loss(&self, ends: Option<Intent>) {
        if self.config.url.is_none() {
            return;
        }
        let exporter = self.of_this_process();
        exporter.end_intent(ends);
        let shared = &exporter.shared;
        shared.recorded.fetch_add(1, Ordering::AcqRel);
        shared.dropped_unseen.fetch_add(1, Ordering::AcqRel);
        shared.dropped.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether calls are noted on disk before they are sent.
    pub(crate) fn keeps_intents(&self) -> bool {
        self.config.intents && self.worker.is_some()
    }

    fn end_intent(&self, intent: Option<Intent>) {
        if let (Some(worker), Some(intent)) = (&self.worker, intent) {
            worker.queue.end_intent(intent);
        }
    }

    /// Notes on disk that a call is about to be sent. `record` is what is sent if the process dies before the call has
    /// ended. The receiver is told when the disk has it.
    pub(crate) fn intent(&self, record: Box<dyn ToRecord>) -> Option<(Intent, oneshot::Receiver<()>)> {
        let exporter = self.of_this_process();
        let worker = exporter.worker.as_ref().filter(|_| self.config.intents)?;
        let intent = Intent(exporter.shared.intents.fetch_add(1, Ordering::AcqRel));
        Some((intent, worker.queue.push_intent(record, intent)))
    }

    fn push(&self, mut record: Box<dyn ToRecord>, ends: Option<Intent>) {
        if self.config.url.is_none() {
            abandon(record);
            return;
        }
        self.shared.recorded.fetch_add(1, Ordering::AcqRel);
        if let Some(worker) = &self.worker {
            let mut deadline = None;
            loop {
                match worker.queue.push(record, ends) {
                    Ok(()) => return,
                    Err(returned) => record = returned,
                }
                let WhenFull::Block(longest) = self.config.when_full else { break };
                let now = Instant::now();
                if now >= *deadline.get_or_insert(now + longest) {
                    break;
                }
                thread::sleep(BLOCKED_POLL);
            }
            if let Err(record) = worker.queue.push_loss(record, ends) {
                self.shared.dropped_unseen.fetch_add(1, Ordering::AcqRel);
                self.end_intent(ends);
                abandon(record);
            }
        } else {
            abandon(record);
        }
        let dropped = self.shared.dropped.fetch_add(1, Ordering::AcqRel) + 1;
        // Logged at each power of two, so that a long outage does not fill the log.
        if dropped.is_power_of_two() {
            tracing::error!(dropped, url = self.shared.url, "spanledger.export.queue.full");
        }
    }

    pub(crate) fn call_started(&self) {
        self.shared.calls_in_flight.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn call_ended(&self) {
        self.shared.calls_in_flight.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn stats(&self) -> ExporterStats {
        self.shared().stats()
    }

    fn shared(&self) -> &Shared {
        &self.of_this_process().shared
    }

    fn flush_handle(&self) -> Option<FlushHandle> {
        let exporter = self.of_this_process();
        let commands = exporter.worker.as_ref()?.commands.clone();
        Some(FlushHandle { commands: Some(commands), shared: Arc::clone(&exporter.shared) })
    }
}

/// Ends a value without a record. A fault in it is not one of the caller, and its loss is counted already.
fn abandon(value: Box<dyn ToRecord>) {
    if catch_unwind(AssertUnwindSafe(|| value.abandon())).is_err() {
        tracing::error!("spanledger.export.record.panicked");
    }
}

/// What happens if the disk of the spool cannot be used at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    /// The exporter does not start.
    Required,
    /// It starts, and tries the disk again later.
    Optional,
}

/// How often a sender that waits for room looks for it.
const BLOCKED_POLL: Duration = Duration::from_millis(2);

fn start_worker(
    config: &ExporterConfig,
    settings: Settings,
    shared: &Arc<Shared>,
    disk: Disk,
) -> Result<WorkerHandle, InitError> {
    let (sender, receiver) = queue::queue(config.queue_max.max(1), config.queue_bytes_max);
    let (commands, command_receiver) = mpsc::unbounded_channel();
    let journal = match Journal::open(config) {
        Err(error @ InitError::Spool { .. }) if disk == Disk::Optional => {
            let remedy = "records are kept in memory until the disk can be used";
            tracing::error!(error = %ErrorChain(&error), remedy, "spanledger.spool.failed");
            Journal::without_disk(config, tokio::time::Instant::now())
        }
        opened => opened?,
    };
    let (worker_config, worker_shared) = (config.clone(), Arc::clone(shared));
    let (started, is_started) = std::sync::mpsc::sync_channel(1);
    let work = move || {
        // It is made here because a runtime must not be dropped where the caller may be: inside another one.
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return started.send(Err(error)).unwrap_or_default(),
        };
        started.send(Ok(())).unwrap_or_default();
        runtime.block_on(async {
            let transport = transport::OtlpTransport::new(&settings);
            let parts = worker::Parts { queue: receiver, commands: command_receiver, journal };
            worker::Worker::new(&worker_config, transport, parts, worker_shared).run().await;
        });
    };
    thread::Builder::new().name("spanledger-export".to_owned()).spawn(work).map_err(InitError::Thread)?;
    is_started
        .recv()
        .map_err(|_| io::Error::other("the thread has ended"))
        .flatten()
        .map_err(InitError::Thread)?;
    flush::register(FlushHandle { commands: Some(commands.clone()), shared: Arc::clone(shared) });
    Ok(WorkerHandle { queue: sender, commands })
}
