//! What a sink is doing.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use spanledger_event::Timestamp;
use spanledger_sinks::Fault;
use tokio::{sync::Notify, time::Instant};

use super::lag::Lag;

/// What a sink is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkState {
    /// It opens its destination for the first time.
    #[default]
    Opening,
    /// It delivers, or waits for events.
    Delivering,
    /// The destination does not answer or asks to wait; the sink tries again.
    Retrying,
    /// Somebody has to change something; the remedy says what.
    Blocked,
    /// Another process writes in its place.
    Fenced,
    /// It has ended.
    Stopped,
}

impl SinkState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Opening, Self::Delivering, Self::Retrying, Self::Blocked, Self::Fenced, Self::Stopped];

    /// The name of the state, as it is in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Delivering => "delivering",
            Self::Retrying => "retrying",
            Self::Blocked => "blocked",
            Self::Fenced => "fenced",
            Self::Stopped => "stopped",
        }
    }
}

/// What is known about a sink at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What it is doing.
    pub state: SinkState,
    /// Events that its destination has committed since the start.
    pub delivered: u64,
    /// Batches that its destination has committed since the start.
    pub batches: u64,
    /// Events that went to the dead letters since the start.
    pub rejected: u64,
    /// Attempts that failed since the start.
    pub failures: u64,
    /// The position up to which it has all events.
    pub cursor: i64,
    /// The position at which a replay ends; `None` for a sink.
    pub until: Option<i64>,
    /// The greatest number of all changes and observations of the ledger, as far as the sink knows.
    pub last_number: i64,
    /// How long the oldest event has waited that it does not have, in seconds. After a restart the wait begins
    /// with the start.
    pub lag_seconds: f64,
    /// The last failure, with its remedy.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<String>,
    /// What an operator should know although the destination can be used.
    pub remarks: Vec<String>,
}

/// The status of a sink, which is shared between its delivery and those who look at it.
#[derive(Clone)]
pub struct SinkStatus(Arc<Shared>);

struct Shared {
    state: Mutex<(SinkReport, Lag)>,
    /// Wakes a sink that waits after a fault.
    retry: Notify,
}

impl SinkStatus {
    /// The status of a sink that has not started.
    pub fn new(name: &str, kind: &str) -> Self {
        let report = SinkReport { name: name.to_owned(), kind: kind.to_owned(), ..SinkReport::default() };
        Self(Arc::new(Shared { state: Mutex::new((report, Lag::default())), retry: Notify::new() }))
    }

    /// What is known now.
    pub fn report(&self) -> SinkReport {
        let state = self.lock();
        let mut report = state.0.clone();
        report.lag_seconds = state.1.since(Instant::now()).as_secs_f64();
        report
    }

    /// The name of the sink.
    pub fn name(&self) -> String {
        self.lock().0.name.clone()
    }

    pub(super) fn ends_at(&self, until: i64) {
        self.lock().0.until = Some(until);
    }

    /// Lets the sink try again at once, if it waits after a fault.
    pub fn retry_now(&self) {
        self.0.retry.notify_waiters();
    }

    pub(super) async fn wait_for_retry(&self) {
        self.0.retry.notified().await;
    }

    /// Notes that the ledger has come to this number.
    pub(super) fn ledger_at(&self, number: i64) {
        let (report, lag) = &mut *self.lock();
        report.last_number = report.last_number.max(number);
        if number > report.cursor {
            lag.note(number, Instant::now());
        }
    }

    /// Notes that the ledger has no change after the position `after` up to the number `seen`: once the sink is
    /// there, it has everything up to that number.
    pub(super) fn nothing_until(&self, seen: i64, after: i64) {
        let (report, lag) = &mut *self.lock();
        if report.cursor >= after {
            lag.pass(seen);
        } else {
            lag.is_empty_after(after, seen);
        }
    }

    pub(super) fn opened(&self, remarks: Vec<String>) {
        let (report, _) = &mut *self.lock();
        report.state = SinkState::Delivering;
        report.remarks = remarks;
    }

    /// Notes what was committed.
    pub(super) fn committed(&self, batches: usize, events: usize, cursor: i64) {
        let (report, lag) = &mut *self.lock();
        report.state = SinkState::Delivering;
        report.batches += u64::try_from(batches).unwrap_or_default();
        report.delivered += u64::try_from(events).unwrap_or_default();
        report.cursor = cursor;
        lag.pass(cursor);
    }

    pub(super) fn moved(&self, cursor: i64) {
        let (report, lag) = &mut *self.lock();
        report.cursor = cursor;
        lag.pass(cursor);
    }

    pub(super) fn rejected(&self, events: usize) {
        self.lock().0.rejected += u64::try_from(events).unwrap_or_default();
    }

    pub(super) fn failed(&self, fault: &Fault) {
        let (report, _) = &mut *self.lock();
        report.state = match fault {
            Fault::Retry { .. } | Fault::TooLarge { .. } | Fault::Rejected { .. } => SinkState::Retrying,
            Fault::Blocked { .. } => SinkState::Blocked,
            Fault::Fenced { .. } => SinkState::Fenced,
        };
        report.failures += 1;
        report.last_error = Some(fault.to_string());
        report.last_error_at = now();
    }

    pub(super) fn stopped(&self) {
        self.lock().0.state = SinkState::Stopped;
    }

    fn lock(&self) -> MutexGuard<'_, (SinkReport, Lag)> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This moment; `None` if the clock is before 1970.
fn now() -> Option<String> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some(Timestamp::from_nanos(i64::try_from(nanos).ok()?).to_string())
}

impl fmt::Debug for SinkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SinkStatus").field(&self.lock().0).finish()
    }
}
