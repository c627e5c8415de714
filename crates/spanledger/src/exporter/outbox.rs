//! The records that the receiver has not acknowledged: which of them are sent next, and what an answer means for
//! them. It does no I/O and has no clock.
//!
//! A batch that fails may have failed because of the receiver or because of one of its records. It is therefore
//! repeated, then split, and each half is sent by itself, down to single records. A single record that fails is a
//! *suspect*. If the receiver acknowledges another record, the suspect is sent once more. If it fails again, the
//! fault is its own: a record that was refused is lost, and one that the receiver failed at is *parked* and sent
//! by itself from time to time. If single records fail one after the other, the fault is the receiver's: from then
//! on, one record at a time is sent as a *probe*, with growing waits, until one is acknowledged.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::backoff::Backoff;

#[cfg(test)]
mod tests;

/// The first wait of a parked record.
const PARKED_WAIT: Duration = Duration::from_secs(30);
/// The longest wait of a parked record.
const PARKED_WAIT_MAX: Duration = Duration::from_secs(10 * 60);
/// How many single records fail, without an acknowledged one between them, until the fault is the receiver's.
const SUSPECTS_MAX: usize = 2;

/// An encoded record that is not settled.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) bytes: Vec<u8>,
    /// Its number, in the order in which records were queued.
    pub(super) number: u64,
    pub(super) source: Source,
}

/// What a record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A call of this process.
    Call,
    /// A call of a process that has ended.
    EarlierProcess,
    /// Lost records.
    Gap,
}

/// What the answer to a request means for its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are durable.
    Acknowledged,
    /// The request did not reach a receiver that takes records. This says nothing about the records.
    Unreachable,
    /// The receiver failed, perhaps because of a record.
    Failed,
    /// The receiver would refuse the same request again.
    Refused,
    /// The request is larger than the receiver accepts.
    TooLarge,
}

/// Records that need no further attempt.
#[derive(Debug)]
pub(super) enum Settled {
    None,
    Acknowledged(Vec<Pending>),
    /// The receiver refused this record finally.
    Lost(Pending),
}

/// Why the records of an attempt were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A batch, with the number of times that it has failed.
    Batch {
        failures: u32,
    },
    Probe,
    /// A suspect or a parked record, with its next wait.
    Retried {
        wait: Duration,
    },
}

#[derive(Debug)]
struct Attempt {
    records: Vec<Pending>,
    origin: Origin,
}

/// A suspect or a parked record.
#[derive(Debug)]
struct Parked {
    record: Pending,
    due: Instant,
    wait: Duration,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Outbox {
    records_max: usize,
    bytes_max: usize,
    backoff: Backoff,
    /// The end of the current wait.
    not_before: Option<Instant>,
    /// Records that were not sent yet, or that an outage returned.
    waiting: VecDeque<Pending>,
    /// Parts of a batch that failed, with the number of failures; the last one is sent next.
    parts: Vec<(Vec<Pending>, u32)>,
    /// Single records that failed since the last acknowledgement.
    suspects: Vec<Pending>,
    parked: Vec<Parked>,
    is_probing: bool,
    /// The last attempt was of a parked record. Parked records and the others take turns.
    was_retried: bool,
    in_flight: Option<Attempt>,
    /// The request in flight is followed by an attempt without a wait.
    skips_wait: bool,
}

impl Outbox {
    pub(super) fn new(records_max: usize, bytes_max: usize, backoff: Backoff) -> Self {
        Self {
            records_max: records_max.max(1),
            bytes_max,
            backoff,
            not_before: None,
            waiting: VecDeque::new(),
            parts: Vec::new(),
            suspects: Vec::new(),
            parked: Vec::new(),
            is_probing: false,
            was_retried: false,
            in_flight: None,
            skips_wait: false,
        }
    }

    pub(super) fn push(&mut self, record: Pending) {
        self.waiting.push_back(record);
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Pending> {
        let in_flight = self.in_flight.iter().flat_map(|attempt| &attempt.records);
        let parts = self.parts.iter().flat_map(|(part, _)| part);
        let parked = self.parked.iter().map(|parked| &parked.record);
        self.waiting.iter().chain(parts).chain(&self.suspects).chain(parked).chain(in_flight)
    }

    /// How many records with a smaller number are not settled.
    pub(super) fn unsettled_before(&self, number: u64) -> usize {
        self.records().filter(|record| record.number < number).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records().next().is_none()
    }

    /// How many gap events are not settled.
    pub(super) fn gaps(&self) -> usize {
        self.records().filter(|record| record.source == Source::Gap).count()
    }

    /// Whether a full batch can be sent.
    pub(super) fn has_full_batch(&self) -> bool {
        self.waiting.len() >= self.records_max
    }

    /// Whether the receiver takes nothing at the moment.
    pub(super) fn is_probing(&self) -> bool {
        self.is_probing
    }

    /// How many records fail although the receiver takes others.
    pub(super) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Ends all waits, also the one that the request in flight may lead to. A flush does this.
    pub(super) fn attempt_now(&mut self, now: Instant) {
        self.skips_wait = self.in_flight.is_some();
        self.not_before = None;
        self.backoff.reset();
        for parked in &mut self.parked {
            parked.due = parked.due.min(now);
        }
    }

    /// The moment from which [`next`](Self::next) has something to send.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let has_batch = !self.waiting.is_empty() || !self.parts.is_empty();
        let has_work = has_batch || (self.is_probing && !self.suspects.is_empty());
        let parked = self.parked.iter().map(|parked| parked.due).min().filter(|_| !self.is_probing);
        let due = if has_work { Some(now) } else { parked };
        due.map(|due| due.max(self.not_before.unwrap_or(due)))
    }

    /// Takes the records of the next request. [`answered`](Self::answered) must follow.
    pub(super) fn next(&mut self, now: Instant) -> Option<impl Iterator<Item = &[u8]> + Clone> {
        if self.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let attempt = if self.is_probing { self.next_probe() } else { self.next_of_batch(now) }?;
        self.was_retried = matches!(attempt.origin, Origin::Retried { .. });
        let attempt = self.in_flight.insert(attempt);
        Some(attempt.records.iter().map(|record| record.bytes.as_slice()))
    }

    fn next_probe(&mut self) -> Option<Attempt> {
        if self.waiting.is_empty() {
            // Each of them was a probe; begin again.
            self.waiting.extend(self.suspects.drain(..));
        }
        let record = self.waiting.pop_front()?;
        Some(Attempt { records: vec![record], origin: Origin::Probe })
    }

    fn next_of_batch(&mut self, now: Instant) -> Option<Attempt> {
        let has_batch = !self.waiting.is_empty() || !self.parts.is_empty();
        let due = self.parked.iter().position(|parked| parked.due <= now);
        if let Some(index) = due.filter(|_| !(self.was_retried && has_batch)) {
            let Parked { record, wait, .. } = self.parked.swap_remove(index);
            return Some(Attempt { records: vec![record], origin: Origin::Retried { wait } });
        }
        if let Some((records, failures)) = self.parts.pop() {
            return Some(Attempt { records, origin: Origin::Batch { failures } });
        }
        let mut bytes = 0;
        let fits = |record: &&Pending| {
            bytes += record.bytes.len();
            bytes <= self.bytes_max
        };
        let count = self.waiting.iter().take(self.records_max).take_while(fits).count().max(1);
        let records: Vec<_> = self.waiting.drain(..count.min(self.waiting.len())).collect();
        (!records.is_empty()).then_some(Attempt { records, origin: Origin::Batch { failures: 0 } })
    }

    /// Takes in the answer to the request in flight. `after` is the wait that the receiver asked for.
    pub(super) fn answered(&mut self, now: Instant, verdict: Verdict, after: Option<Duration>) -> Settled {
        let settled = self.take_in(now, verdict, after);
        if std::mem::take(&mut self.skips_wait) {
            self.attempt_now(now);
        }
        settled
    }

    fn take_in(&mut self, now: Instant, verdict: Verdict, after: Option<Duration>) -> Settled {
        let Some(Attempt { mut records, origin }) = self.in_flight.take() else { return Settled::None };
        match (verdict, origin) {
            (Verdict::Acknowledged, _) => {
                self.acknowledged(now);
                return Settled::Acknowledged(records);
            }
            (Verdict::Unreachable, origin) => {
                match origin {
                    Origin::Batch { failures } => self.parts.push((records, failures)),
                    // Another record is the next probe.
                    Origin::Probe => self.suspects.extend(records),
                    Origin::Retried { wait } => self.park(records, now, wait),
                }
                let wait = after.unwrap_or_else(|| self.backoff.wait());
                self.not_before = Some(now + wait);
            }
            (Verdict::Refused, Origin::Retried { .. }) | (Verdict::TooLarge, _) if records.len() == 1 => {
                return records.pop().map_or(Settled::None, Settled::Lost);
            }
            (_, Origin::Retried { wait }) => {
                let due = now + after.unwrap_or_default().max(self.backoff.jitter(wait));
                self.park(records, due, wait.saturating_mul(2).min(PARKED_WAIT_MAX));
            }
            // The same batch once more: a passing fault of the receiver is the usual cause.
            (Verdict::Failed, Origin::Batch { failures: 0 }) => {
                self.parts.push((records, 1));
                self.not_before = Some(now + after.unwrap_or_else(|| self.backoff.wait()));
            }
            (verdict, _) if records.len() > 1 => {
                let rest = records.split_off(records.len() / 2);
                self.parts.push((rest, 1));
                self.parts.push((records, 1));
                if verdict == Verdict::Failed {
                    self.not_before = Some(now + after.unwrap_or_else(|| self.backoff.short_wait()));
                }
            }
            _ => self.suspect(records, now, after),
        }
        Settled::None
    }

    fn acknowledged(&mut self, now: Instant) {
        self.is_probing = false;
        self.not_before = None;
        self.backoff.reset();
        let suspects = std::mem::take(&mut self.suspects);
        self.park(suspects, now, PARKED_WAIT);
    }

    fn park(&mut self, records: Vec<Pending>, due: Instant, wait: Duration) {
        self.parked.extend(records.into_iter().map(|record| Parked { record, due, wait }));
    }

    /// A single record failed.
    fn suspect(&mut self, record: Vec<Pending>, now: Instant, after: Option<Duration>) {
        self.suspects.extend(record);
        let is_last = self.waiting.is_empty() && self.parts.is_empty();
        if !self.is_probing && (is_last || self.suspects.len() >= SUSPECTS_MAX) {
            self.is_probing = true;
            for (part, _) in self.parts.drain(..) {
                part.into_iter().rev().for_each(|record| self.waiting.push_front(record));
            }
        }
        let wait = match after {
            Some(after) => after,
            None if self.is_probing => self.backoff.wait(),
            None => self.backoff.short_wait(),
        };
        self.not_before = Some(now + wait);
    }
}
