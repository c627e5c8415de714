//! What callers and the worker share.

use std::{
    cell::Cell,
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::runtime;

use super::FlushError;

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

/// Counts, and what else callers and the worker share. Callers only count; they take no lock.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) url: String,
    /// The process that started the worker.
    pid: u32,
    /// The number of calls that have started and not ended.
    pub(super) calls_in_flight: Arc<AtomicUsize>,
    pub(super) recorded: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    /// Records that the receiver refused finally, or that were gone from the disk.
    pub(super) refused: AtomicU64,
    /// Records for which the queue had no room.
    pub(super) dropped: AtomicU64,
    /// Those of them that the worker has not seen.
    pub(super) dropped_unseen: AtomicU64,
    /// The number of intents so far.
    pub(super) intents: AtomicU64,
    /// The number of lost records that earlier flushes have reported.
    reported_lost: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// A URL as it may be shown: without a user, a password and a query, which can be a key.
pub(super) fn without_credentials(url: &str) -> String {
    let Ok(mut shown) = reqwest::Url::parse(url) else { return url.to_owned() };
    // A URL without a host has no credentials, and the setters refuse it.
    shown.set_username("").unwrap_or_default();
    shown.set_password(None).unwrap_or_default();
    shown.set_query(None);
    // The text stays as it was given if there was nothing to remove.
    if reqwest::Url::parse(url).is_ok_and(|given| given == shown) {
        url.to_owned()
    } else {
        shown.to_string()
    }
}

impl Shared {
    pub(super) fn new(url: &str, pid: u32) -> Self {
        Self {
            url: without_credentials(url),
            pid,
            calls_in_flight: Arc::default(),
            recorded: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            dropped_unseen: AtomicU64::new(0),
            intents: AtomicU64::new(0),
            reported_lost: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    /// As [`new`](Self::new), with the calls that this process counts: a call that starts before a fork is noticed
    /// ends after it.
    pub(super) fn with_calls_of(mut self, other: &Self) -> Self {
        self.calls_in_flight = Arc::clone(&other.calls_in_flight);
        self
    }

    /// Whether the worker was started by this process, and not by one of which this process is a fork. A fork has
    /// no threads but the one that forked.
    pub(super) fn is_of_this_process(&self) -> bool {
        self.pid == asked_process_id()
    }

    /// As [`is_of_this_process`](Self::is_of_this_process), nearly always without a system call. It can be wrong only in
    /// a fork, and then says that the worker is there.
    pub(super) fn is_probably_of_this_process(&self) -> bool {
        self.pid == known_process_id() || self.is_of_this_process()
    }

    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::AcqRel);
    }

    fn lost(&self) -> u64 {
        self.refused.load(Ordering::Acquire) + self.dropped.load(Ordering::Acquire)
    }

    pub(super) fn unsettled(&self) -> u64 {
        let settled = self.acknowledged.load(Ordering::Acquire) + self.lost();
        self.recorded.load(Ordering::Acquire).saturating_sub(settled)
    }

    pub(super) fn set_error(&self, error: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    pub(super) fn stats(&self) -> ExporterStats {
        ExporterStats {
            recorded: self.recorded.load(Ordering::Acquire),
            acknowledged: self.acknowledged.load(Ordering::Acquire),
            lost: self.lost(),
        }
    }

    /// The outcome of a flush after which so many records are not settled. A loss is reported by one flush.
    pub(super) fn outcome(&self, pending: u64) -> Result<(), FlushError> {
        let lost_so_far = self.lost();
        let lost = lost_so_far.saturating_sub(self.reported_lost.swap(lost_so_far, Ordering::AcqRel));
        if pending == 0 && lost == 0 {
            return Ok(());
        }
        let last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(FlushError { pending, lost, url: self.url.clone(), last_error })
    }
}

/// After how many questions a thread asks the system for the id of its process again.
const ASKED_EVERY: u32 = 64;

/// What a thread knows of its process.
#[derive(Clone, Copy, Debug)]
struct Known {
    pid: u32,
    /// The runtime in which the thread was when it learned that.
    runtime: runtime::Id,
    /// How many more times it may be used.
    left: u32,
}

thread_local! {
    static KNOWN: Cell<Option<Known>> = const { Cell::new(None) };
}

/// The id of this process. It asks the system once for each thread, again in each other runtime, and otherwise rarely.
/// Outside of a runtime it always asks.
///
/// A forked process has one thread, the one that forked, and no runtime: the threads of the runtimes of the other
/// process are not there. It therefore makes calls on a new thread, in a new runtime, or in none.
pub(super) fn known_process_id() -> u32 {
    let known = KNOWN.try_with(Cell::get).ok().flatten();
    match (known, this_runtime()) {
        (Some(Known { pid, runtime, left: left @ 1.. }), Some(current)) if runtime == current => {
            remember(Known { pid, runtime, left: left - 1 });
            pid
        }
        _ => asked_process_id(),
    }
}

/// The id of this process, from the system.
fn asked_process_id() -> u32 {
    let pid = process::id();
    if let Some(runtime) = this_runtime() {
        remember(Known { pid, runtime, left: ASKED_EVERY - 1 });
    }
    pid
}

fn this_runtime() -> Option<runtime::Id> {
    runtime::Handle::try_current().ok().map(|handle| handle.id())
}

fn remember(known: Known) {
    // A thread that ends has no such value any more, and asks each time.
    KNOWN.try_with(|cell| cell.set(Some(known))).unwrap_or_default();
}
