//! What the writer tells about itself: whether it commits, how fast, and what went wrong.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use spanledger_event::ErrorChain;

use crate::{Appended, ErrorKind, LedgerError, keys::KeyStats};

/// A commit that takes longer is a fault: a disk or a lock holds the writer up.
const STALLED_AFTER: Duration = Duration::from_secs(10);
/// A log of this size is not normal: it is copied into the database long before.
const LOG_LARGE: u64 = 1 << 30;
/// The upper bounds of the counted commit times, in microseconds. Commits that take longer have a counter
/// of their own.
const LATENCY_BOUNDS: [u64; 12] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
];

/// The state of a ledger's writer. All clones of a [`Ledger`](crate::Ledger) share it; reading it takes no
/// lock that the writer holds for longer than an instant.
#[derive(Debug)]
pub struct LedgerHealth {
    created: Instant,
    fault: Mutex<Option<WriterFault>>,
    /// Why the log could not be copied into the database. Commits go on meanwhile.
    log_fault: Mutex<Option<WriterFault>>,
    is_log_large: AtomicBool,
    has_panicked: AtomicBool,
    /// Microseconds from `created` to the begin of the work in hand; 0 while the writer waits for work.
    busy_since: AtomicU64,
    commits: AtomicU64,
    observations: AtomicU64,
    duplicates: AtomicU64,
    latency_micros: AtomicU64,
    latency_buckets: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    /// Microseconds from `created` to the end of the last commit; 0 before the first one.
    last_commit: AtomicU64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
    database_bytes: AtomicU64,
    log_bytes: AtomicU64,
    key_runs: AtomicU64,
    key_memory_bytes: AtomicU64,
}

/// Why a ledger does not record what it receives. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterFault {
    /// What went wrong, as one of a few words.
    pub kind: ErrorKind,
    /// What went wrong, and what to do.
    pub message: String,
    /// Since when.
    pub since: SystemTime,
}

impl fmt::Display for WriterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.since.elapsed().map_or(0, |since| since.as_secs());
        write!(f, "{} (for {seconds} s)", self.message)
    }
}

/// How long commits took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitLatency {
    /// All commits together.
    pub total: Duration,
    /// How many commits took longer than the bound before and at most this bound. The last bound is `None`:
    /// it counts all commits that took longer.
    pub buckets: Vec<(Option<Duration>, u64)>,
}

/// The sizes of a ledger's files in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSizes {
    /// The database.
    pub database: u64,
    /// The write-ahead log.
    pub log: u64,
}

/// What the index by which the writer finds what belongs to a new observation takes while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyIndexLoad {
    /// The sorted parts of the index in the database. A look-up may have to read each of them.
    pub runs: u64,
    /// What the writer keeps of the index in memory, in bytes.
    pub memory_bytes: u64,
}

impl LedgerHealth {
    pub(crate) fn new() -> Self {
        Self {
            created: Instant::now(),
            fault: Mutex::default(),
            log_fault: Mutex::default(),
            is_log_large: AtomicBool::default(),
            has_panicked: AtomicBool::default(),
            busy_since: AtomicU64::default(),
            commits: AtomicU64::default(),
            observations: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            latency_micros: AtomicU64::default(),
            latency_buckets: Default::default(),
            last_commit: AtomicU64::default(),
            errors: Default::default(),
            database_bytes: AtomicU64::default(),
            log_bytes: AtomicU64::default(),
            key_runs: AtomicU64::default(),
            key_memory_bytes: AtomicU64::default(),
        }
    }

    /// Why nothing is recorded at the moment; `None` while commits succeed. A fault ends when a commit
    /// succeeds ([`Ledger::probe`](crate::Ledger::probe) tries one), but a damaged file stays one.
    pub fn fault(&self) -> Option<WriterFault> {
        self.fault_at(Instant::now())
    }

    fn fault_at(&self, now: Instant) -> Option<WriterFault> {
        if self.has_stopped() {
            return Some(WriterFault {
                kind: ErrorKind::Other,
                message:
                    "the ledger's writer has stopped after an internal error: restart spanledger, and report \
                          what its log says"
                        .to_owned(),
                since: self.last_commit_at().unwrap_or_else(SystemTime::now),
            });
        }
        let fault =
            |of: &Mutex<Option<WriterFault>>| of.lock().unwrap_or_else(PoisonError::into_inner).clone();
        fault(&self.fault).or_else(|| fault(&self.log_fault)).or_else(|| {
            let busy = now.checked_duration_since(self.moment(&self.busy_since)?)?;
            (busy > STALLED_AFTER).then(|| WriterFault {
                kind: ErrorKind::Io,
                message: "the ledger's writer has not finished its commit: check whether the disk answers"
                    .to_owned(),
                since: SystemTime::now().checked_sub(busy).unwrap_or_else(SystemTime::now),
            })
        })
    }

    /// Whether the writer has ended after an internal error. Only a new start of the program helps.
    pub fn has_stopped(&self) -> bool {
        self.has_panicked.load(Ordering::Relaxed)
    }

    /// Commits that stored something.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Observations that were new.
    pub fn observations(&self) -> u64 {
        self.observations.load(Ordering::Relaxed)
    }

    /// Observations that had been appended before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }

    /// How long the commits took.
    pub fn commit_latency(&self) -> CommitLatency {
        let bounds = LATENCY_BOUNDS.iter().map(|micros| Some(Duration::from_micros(*micros))).chain([None]);
        CommitLatency {
            total: Duration::from_micros(self.latency_micros.load(Ordering::Relaxed)),
            buckets: bounds
                .zip(&self.latency_buckets)
                .map(|(bound, count)| (bound, count.load(Ordering::Relaxed)))
                .collect(),
        }
    }

    /// When the last commit ended.
    pub fn last_commit_at(&self) -> Option<SystemTime> {
        let ago = self.moment(&self.last_commit)?.elapsed();
        SystemTime::now().checked_sub(ago)
    }

    /// How many transactions failed, by the kind of the error. Requests that failed together count once.
    pub fn errors(&self) -> impl Iterator<Item = (ErrorKind, u64)> {
        ErrorKind::ALL
            .into_iter()
            .zip(&self.errors)
            .map(|(kind, count)| (kind, count.load(Ordering::Relaxed)))
    }

    /// The sizes of the files when the writer looked at them last, which it does before each commit.
    pub fn file_sizes(&self) -> FileSizes {
        FileSizes {
            database: self.database_bytes.load(Ordering::Relaxed),
            log: self.log_bytes.load(Ordering::Relaxed),
        }
    }

    /// What the index of keys takes after the last commit.
    pub fn key_index_load(&self) -> KeyIndexLoad {
        KeyIndexLoad {
            runs: self.key_runs.load(Ordering::Relaxed),
            memory_bytes: self.key_memory_bytes.load(Ordering::Relaxed),
        }
    }

    /// The writer has changed its index of keys.
    pub(crate) fn saw_keys(&self, stats: &KeyStats) {
        self.key_runs.store(stats.runs, Ordering::Relaxed);
        self.key_memory_bytes.store(stats.memory_bytes, Ordering::Relaxed);
    }

    /// The writer begins to work on a group of requests.
    pub(crate) fn begin(&self) {
        self.busy_since.store(self.now(), Ordering::Relaxed);
    }

    /// The writer has answered the group.
    pub(crate) fn end(&self) {
        self.busy_since.store(0, Ordering::Relaxed);
    }

    /// A transaction was committed; it took that long.
    pub(crate) fn committed(&self, appended: &Appended, took: Duration) {
        let add = |counter: &AtomicU64, count: usize| {
            counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        };
        add(&self.commits, 1);
        add(&self.observations, appended.new);
        add(&self.duplicates, appended.duplicates);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency_micros.fetch_add(micros, Ordering::Relaxed);
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.latency_buckets.get(bucket) {
            add(bucket, 1);
        }
        self.last_commit.store(self.now(), Ordering::Relaxed);
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        // A damaged page stays damaged, even if a commit that does not need it succeeds.
        if fault.as_ref().is_some_and(|fault| fault.kind != ErrorKind::Damaged) {
            tracing::info!("ledger.writer.recovered");
            *fault = None;
        }
    }

    /// A transaction failed with an error that is final for its requests.
    pub(crate) fn failed(&self, error: &LedgerError) {
        let kind = error.kind();
        self.count(kind);
        // These concern some requests, and others can be recorded.
        if error.concerns_its_request() {
            return;
        }
        let message = ErrorChain(error).to_string();
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *fault {
            Some(known) if known.kind == kind => known.message = message,
            Some(known) if known.kind == ErrorKind::Damaged => {}
            _ => {
                tracing::error!(%kind, error = message, "ledger.writer.failed");
                *fault = Some(WriterFault { kind, message, since: SystemTime::now() });
            }
        }
    }

    /// The log was copied into the database, or could not be. What was committed is safe in the log, but the
    /// log grows, and an error of the disk is not to be passed over.
    pub(crate) fn copied_log(&self, copied: Result<(), LedgerError>) {
        let mut fault = self.log_fault.lock().unwrap_or_else(PoisonError::into_inner);
        match copied {
            Ok(()) => *fault = None,
            // Another program copies the log at this moment.
            Err(error) if error.kind() == ErrorKind::Busy => {}
            Err(error) => {
                let kind = error.kind();
                self.count(kind);
                let message = format!(
                    "the write-ahead log cannot be copied into the ledger's file, and grows: {}",
                    ErrorChain(&error)
                );
                tracing::error!(%kind, error = message, "ledger.checkpoint.failed");
                let since = fault.as_ref().map_or_else(SystemTime::now, |known| known.since);
                *fault = Some(WriterFault { kind, message, since });
            }
        }
    }

    /// The writer has looked at its files.
    pub(crate) fn saw(&self, sizes: FileSizes) {
        self.database_bytes.store(sizes.database, Ordering::Relaxed);
        self.log_bytes.store(sizes.log, Ordering::Relaxed);
        let is_large = sizes.log > LOG_LARGE;
        if is_large && !self.is_log_large.swap(is_large, Ordering::Relaxed) {
            tracing::warn!(
                bytes = sizes.log,
                "the write-ahead log is large: a program that has been reading the ledger for a long time keeps it \
                 from being copied; `fuser` lists the programs that have the file open"
            );
        } else if !is_large {
            self.is_log_large.store(false, Ordering::Relaxed);
        }
    }

    fn count(&self, kind: ErrorKind) {
        if let Some((_, counter)) = ErrorKind::ALL.iter().zip(&self.errors).find(|(one, _)| **one == kind) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes, when it is dropped, whether the writer's thread panicked.
    pub(crate) fn watch_for_panics(&self) -> PanicWatch<'_> {
        PanicWatch(self)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    fn moment(&self, micros: &AtomicU64) -> Option<Instant> {
        match micros.load(Ordering::Relaxed) {
            0 => None,
            micros => self.created.checked_add(Duration::from_micros(micros)),
        }
    }
}

/// See [`LedgerHealth::watch_for_panics`].
#[derive(Debug)]
pub(crate) struct PanicWatch<'a>(&'a LedgerHealth);

impl Drop for PanicWatch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.has_panicked.store(true, Ordering::Relaxed);
        }
    }
}
