//! The shared tail: the events of the latest commits, in memory.
//!
//! Followers that keep up are given their events from here, and all of them the same ones: nothing is read from
//! the file, and an event's JSON text is made once. The tail answers only if it has the whole range, and then
//! as the tables would: an event that changed again is where its latest change is, and its earlier revision is
//! there only while a batch in flight contains it.
//!
//! Without followers the tail is empty, and appends do not keep their events for it.

use std::{collections::VecDeque, sync::Arc};

use spanledger_event::{CostEvent, SharedEvent, limits::COMPONENT_MAX};

use super::{Change, followers::Followers, latest};

/// The tail has at most this many events.
pub(crate) const TAIL_EVENTS_MAX: usize = 32_768;
/// The events of the tail take at most about this many bytes, with their JSON texts.
pub(crate) const TAIL_BYTES_MAX: usize = 48 << 20;

/// An event that an append keeps for the tail.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) event: Arc<SharedEvent>,
    bytes: usize,
}

impl Kept {
    pub(crate) fn new(event: CostEvent) -> Self {
        Self { bytes: bytes_of(&event), event: Arc::new(event.into()) }
    }
}

/// The names and numbers of the JSON text take about as many bytes.
const TEXT_BYTES: usize = 768;

/// About the memory that an event takes with its JSON text.
fn bytes_of(event: &CostEvent) -> usize {
    let texts: usize = [
        event.event.len(),
        event.provider.len(),
        event.endpoint.len(),
        event.emitter.len(),
        event.cost_state.len(),
        event.event_id.as_str().len(),
        event.usage_raw.as_ref().map_or(0, |json| json.as_str().len()),
        event.dims.iter().map(|(name, value)| name.len() + value.len() + 64).sum(),
        event.cost_lines.iter().map(|line| 96 + line.kind.len() + line.unit.len()).sum(),
    ]
    .into_iter()
    .sum();
    let optional: usize = [
        &event.request_id,
        &event.feature,
        &event.route,
        &event.customer_id,
        &event.environment,
        &event.model,
        &event.response_model,
        &event.service_tier,
        &event.region,
        &event.organization,
        &event.project,
        &event.cost_reason,
        &event.cost_detail,
        &event.price_version,
        &event.error_code,
        &event.prompt_cache_key,
        &event.reasoning_effort,
        &event.batch_job_id,
        &event.response_id,
        &event.trace_id,
        &event.span_id,
        &event.parent_span_id,
        &event.service_name,
    ]
    .into_iter()
    .flatten()
    .map(String::len)
    .sum();
    size_of::<SharedEvent>() + TEXT_BYTES + 2 * (texts + optional)
}

#[derive(Debug)]
struct Entry {
    change: i64,
    /// The row of the event.
    row: i64,
    /// `None` if neither the table of events nor that of kept revisions has the change any more.
    kept: Option<Kept>,
    /// Whether a later change of the event replaced it.
    is_superseded: bool,
}

/// The tail does not have all changes of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHeld;

/// The changes after one number, up to the latest.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    is_on: bool,
    /// The tail has every change after this one.
    after: i64,
    /// In the order of the changes.
    entries: VecDeque<Entry>,
    /// The changes of those that a later change of their event replaced, and that batches in flight contain.
    superseded: Vec<i64>,
    bytes: usize,
    /// Events that left the tail. Others than the writer free their memory.
    freed: Vec<Arc<SharedEvent>>,
}

impl Tail {
    /// Keeps changes from the next one on, or does not keep them any more.
    pub(crate) fn turn(&mut self, is_on: bool, last_number: i64) {
        if self.is_on != is_on {
            self.is_on = is_on;
            self.clear(last_number);
        }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Forgets everything up to the latest change, for instance because a transaction was undone.
    pub(crate) fn clear(&mut self, last_number: i64) {
        self.entries.clear();
        self.superseded.clear();
        (self.bytes, self.after) = (0, last_number);
    }

    /// Adds a change.
    pub(crate) fn push(&mut self, change: i64, row: i64, kept: Kept) {
        self.bytes += kept.bytes;
        let entry = Entry { change, row, kept: Some(kept), is_superseded: false };
        // The events of a component need not have the order of their rows.
        let later = self.entries.iter().rev().take_while(|entry| entry.change > change).count();
        self.entries.insert(self.entries.len() - later, entry);
    }

    /// A change whose event is not known here: the tail begins after it.
    pub(crate) fn skip(&mut self, change: i64) {
        while self.entries.front().is_some_and(|entry| entry.change <= change) {
            self.pop();
        }
        self.after = self.after.max(change);
    }

    /// A later change of its event has replaced this one.
    pub(crate) fn supersede(&mut self, change: i64, is_in_flight: bool) {
        if let Some(entry) = self.entry(change) {
            entry.is_superseded = true;
            if is_in_flight {
                self.superseded.push(change);
            } else {
                self.remove(change);
            }
        }
    }

    /// The event of this change was deleted.
    pub(crate) fn remove(&mut self, change: i64) {
        if let Some(kept) = self.entry(change).and_then(|entry| entry.kept.take()) {
            self.bytes -= kept.bytes;
            self.freed.push(kept.event);
        }
    }

    /// A follower has acknowledged changes, or was forgotten: revisions that no batch in flight contains are
    /// not kept any more, nor what every follower has passed.
    pub(crate) fn release(&mut self, followers: &Followers, up_to: i64) {
        for change in std::mem::take(&mut self.superseded) {
            if change <= up_to && !followers.hold(change) {
                self.remove(change);
            } else {
                self.superseded.push(change);
            }
        }
        if let Some(passed) = followers.passed() {
            while self.entries.front().is_some_and(|entry| entry.change <= passed) {
                self.pop();
            }
        }
    }

    /// Removes the oldest changes beyond the greatest size.
    pub(crate) fn trim(&mut self) {
        while self.entries.len() > TAIL_EVENTS_MAX || self.bytes > TAIL_BYTES_MAX {
            self.pop();
        }
    }

    /// The events that left the tail, for others to free their memory.
    pub(crate) fn take_freed(&mut self) -> Vec<Arc<SharedEvent>> {
        std::mem::take(&mut self.freed)
    }

    fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.after = self.after.max(entry.change);
        if entry.is_superseded {
            self.superseded.retain(|change| *change != entry.change);
        }
        if let Some(kept) = entry.kept {
            self.bytes -= kept.bytes;
            self.freed.push(kept.event);
        }
    }

    fn entry(&mut self, change: i64) -> Option<&mut Entry> {
        let place = self.entries.binary_search_by_key(&change, |entry| entry.change).ok()?;
        self.entries.get_mut(place)
    }

    fn has_all_after(&self, change: i64) -> bool {
        self.is_on && change >= self.after
    }

    fn entries_after(&self, change: i64) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|entry| entry.change <= change);
        self.entries.range(first..)
    }

    /// The last change of a new batch, as the tables would give it; `None` if there is no further change.
    pub(crate) fn end(&self, after: i64, limit: usize) -> Result<Option<i64>, NotHeld> {
        if !self.has_all_after(after) {
            return Err(NotHeld);
        }
        let limit = limit.max(1);
        let present = self.entries_after(after).filter(|entry| !entry.is_superseded);
        let events = present.filter_map(|entry| Some((entry.change, &entry.kept.as_ref()?.event)));
        let (mut last, mut count) = (None, 0);
        for (change, event) in events.take(limit.saturating_add(COMPONENT_MAX)) {
            last = Some(change);
            count += 1;
            if count >= limit && event.counts() {
                break;
            }
        }
        Ok(last)
    }

    /// The events of a batch; `None` if the tail does not have all of them.
    pub(crate) fn batch(&self, (cursor, last): (i64, i64), known: i64) -> Option<Vec<Change>> {
        if !self.has_all_after(cursor) {
            return None;
        }
        let entries = self.entries_after(cursor).take_while(|entry| entry.change <= last);
        let mut has_superseded = false;
        let mut changes: Vec<(i64, i64, &Arc<SharedEvent>)> = entries
            .filter_map(|entry| {
                has_superseded |= entry.is_superseded;
                Some((entry.row, entry.change, &entry.kept.as_ref()?.event))
            })
            .collect();
        if has_superseded {
            latest(&mut changes);
        }
        let is_given = |row: i64, event: &SharedEvent| event.counts() || row.abs() <= known;
        let given = changes.into_iter().filter(|(row, _, event)| is_given(*row, event));
        let change = |(row, seq, event): (i64, i64, &Arc<SharedEvent>)| Change {
            seq,
            event: Arc::clone(event),
            was_given: row.abs() <= known,
        };
        Some(given.map(change).collect())
    }
}
