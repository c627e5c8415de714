//! The append, inside its transaction: it writes the journal, folds the new observations with their stored
//! relatives, and writes the events that differ from the stored ones.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use spanledger_event::{
    Component, CostEvent, EventId, EventState, Journal, Observation, REVISION_OF_EPOCH, Relation,
    RelationKind, related_while,
};

use crate::{
    Appended, LedgerError, journal,
    keys::KeyIndex,
    prepare::{self, PreparedComponent, PreparedObservation},
    rollup::RollupDeltas,
    row::{self, EventRow, Head, INSERT_EVENT, KEEP_SUPERSEDED, NO_EVIDENCE, REPLACE_EVENT, SELECT_EVENT},
    state::State,
    words::{Unknown, Words},
};

/// So many observations with stored relatives are appended together.
const TOGETHER_MAX: usize = 256;

/// An append within a transaction.
pub(crate) struct Append<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) state: &'a mut State,
    pub(crate) words: &'a Words,
    pub(crate) unknown: &'a mut Unknown,
    pub(crate) deltas: &'a mut RollupDeltas,
    pub(crate) appended: &'a mut Appended,
    /// The time that was spent on observations with stored relatives.
    pub(crate) spent: &'a mut Duration,
    /// The repricing that the work belongs to.
    pub(crate) epoch: Option<i64>,
    /// How many events were written in place of stored ones or after them.
    pub(crate) written: usize,
}

/// The stored observations, as the fold asks for them.
pub(crate) struct Stored<'a> {
    connection: &'a Connection,
    index: &'a KeyIndex,
    words: &'a Words,
    seed: u64,
}

impl Journal for Stored<'_> {
    type Error = LedgerError;

    fn find(&mut self, relation: Relation<'_>, limit: usize) -> Result<Vec<u64>, LedgerError> {
        let key = relation.hash(self.seed);
        if self.index.may_contain(key) {
            Ok(self.index.find(self.connection, key, limit)?)
        } else {
            Ok(Vec::new())
        }
    }

    fn load(&mut self, number: u64) -> Result<Option<Arc<Observation>>, LedgerError> {
        journal::load(self.connection, self.words, number.cast_signed())
    }
}

impl Append<'_> {
    /// Appends the first of these components. If the ledger has relatives of it, those behind it that have some,
    /// too, are appended together with it, as far as the time allows: what several of them belong to is then
    /// loaded and folded once. Returns how many components were appended.
    pub(crate) fn next_components(
        &mut self,
        components: &[PreparedComponent],
        is_counted: bool,
        time: Duration,
    ) -> Result<usize, LedgerError> {
        let Some((first, others)) = components.split_first() else { return Ok(0) };
        if self.is_fresh(first)? {
            if !is_counted {
                self.count(first, true);
            }
            self.write_fresh(first)?;
            return Ok(1);
        }
        let mut together: Vec<&PreparedObservation> = first.observations.iter().collect();
        // Where in `together` each component ends.
        let mut ends = vec![together.len()];
        for component in others {
            if together.len() >= TOGETHER_MAX || self.is_fresh(component)? {
                break;
            }
            together.extend(&component.observations);
            ends.push(together.len());
        }
        let begin = Instant::now();
        let seen = self.related_while(&together, |next| {
            next == 0 || ends.binary_search(&next).is_err() || begin.elapsed() < time
        })?;
        let appended = ends.partition_point(|end| *end <= seen);
        if is_counted {
            for component in components.iter().take(appended) {
                self.count(component, false);
            }
        }
        Ok(appended)
    }

    /// Appends a component alone, whose events are not counted yet.
    pub(crate) fn component(&mut self, component: &PreparedComponent) -> Result<(), LedgerError> {
        if self.is_fresh(component)? {
            self.count(component, true);
            return self.write_fresh(component);
        }
        let observations: Vec<&PreparedObservation> = component.observations.iter().collect();
        self.related(&observations)
    }

    pub(crate) fn stored_observations(&self) -> Stored<'_> {
        Stored {
            connection: self.connection,
            index: &self.state.index,
            words: self.words,
            seed: self.state.seed,
        }
    }

    /// Adds the component's prepared events to the roll-ups, or takes them out again.
    pub(crate) fn count(&mut self, component: &PreparedComponent, is_added: bool) {
        let observations = component.observations.iter().map(|o| &*o.observation);
        for event in spanledger_event::fold(observations) {
            if is_added {
                self.deltas.add(&event, self.words, self.unknown);
            } else {
                self.deltas.remove(&event, self.words, self.unknown);
            }
        }
    }

    /// Whether the ledger has no relative of the component.
    fn is_fresh(&self, component: &PreparedComponent) -> Result<bool, LedgerError> {
        for key in component.observations.iter().flat_map(|o| o.keys.asked()) {
            if self.state.index.may_contain(*key)
                && !self.state.index.find(self.connection, *key, 1)?.is_empty()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_fresh(&mut self, component: &PreparedComponent) -> Result<(), LedgerError> {
        let first = self.state.last_number + 1;
        for observation in &component.observations {
            self.journal(observation, |_| true)?;
        }
        let number = |index: usize| first + i64::try_from(index).unwrap_or_default();
        let mut insert = self.connection.prepare_cached(&INSERT_EVENT)?;
        for event in &component.events {
            let seq = number(event.first);
            let head = Head {
                seq,
                change_seq: seq,
                evidence: event.evidence.map_or(NO_EVIDENCE, number),
                epoch: None,
            };
            event.row.write(&mut insert, head)?;
        }
        Ok(())
    }

    /// Writes an observation into the journal and files it under its keys, except those that are not to
    /// be filed. Returns its number.
    fn journal(
        &mut self,
        prepared: &PreparedObservation,
        is_filed: impl Fn(u64) -> bool,
    ) -> Result<i64, LedgerError> {
        self.state.last_number += 1;
        let seq = self.state.last_number;
        prepared.row.write(&mut *self.connection.prepare_cached(journal::INSERT)?, seq)?;
        for key in prepared.keys.filed().iter().filter(|key| is_filed(**key)) {
            self.state.index.insert(*key, seq.cast_unsigned());
        }
        self.state.observations += 1;
        self.appended.new += 1;
        Ok(seq)
    }

    /// Appends observations together with their stored relatives.
    pub(crate) fn related(&mut self, prepared: &[&PreparedObservation]) -> Result<(), LedgerError> {
        self.related_while(prepared, |_| true)?;
        Ok(())
    }

    /// The same, but stops before an observation, given by its index, for which `goes_on` is false. Returns how
    /// many were looked at.
    fn related_while(
        &mut self,
        prepared: &[&PreparedObservation],
        goes_on: impl FnMut(usize) -> bool,
    ) -> Result<usize, LedgerError> {
        let begin = Instant::now();
        let new: Vec<Arc<Observation>> = prepared.iter().map(|o| Arc::clone(&o.observation)).collect();
        let related = related_while(&new, &mut self.stored_observations(), goes_on)?;
        self.appended.duplicates += related.duplicates.len();
        self.appended.late += related.late.len();
        self.appended.refused.extend(related.refused.into_iter().map(|(_, reason)| reason));
        for component in related.components {
            self.unknown.next_component();
            self.fold(&component, prepared)?;
        }
        *self.spent += begin.elapsed();
        Ok(related.seen)
    }

    /// Journals the new observations of a component, and writes its events.
    pub(crate) fn fold(
        &mut self,
        component: &Component,
        prepared: &[&PreparedObservation],
    ) -> Result<(), LedgerError> {
        let mut members: Vec<(i64, Arc<Observation>)> =
            component.stored.iter().map(|(seq, o)| (seq.cast_signed(), Arc::clone(o))).collect();
        let full = self.full_keys(component)?;
        for (index, observation) in &component.new {
            let seq = self.journal(prepared[*index], |key| !full.contains(&key))?;
            members.push((seq, Arc::clone(observation)));
        }
        members.sort_by_key(|(seq, _)| *seq);
        let folded = component.fold();
        let rows = rows(&members, component);
        for id in &folded.retired {
            self.retire(id, &members)?;
        }
        let is_fresh = component.stored.is_empty();
        for event in folded.events {
            let Some(&seq) = rows.get(&event.event_id) else { continue };
            self.write(event, seq, &members, is_fresh)?;
        }
        Ok(())
    }

    /// The keys of crowded relations under which enough observations are filed.
    fn full_keys(&self, component: &Component) -> Result<Vec<u64>, LedgerError> {
        let mut full = Vec::new();
        for crowded in &component.crowded {
            let relation = crowded.relation();
            let key = relation.hash(self.state.seed);
            let limit = relation.kind.limit() + 1;
            if self.state.index.may_contain(key)
                && self.state.index.find(self.connection, key, limit)?.len() >= limit
            {
                full.push(key);
            }
        }
        Ok(full)
    }

    /// The stored event of a row.
    pub(crate) fn stored(&self, seq: i64) -> Result<Option<(Head, CostEvent)>, LedgerError> {
        let mut select = self.connection.prepare_cached(&SELECT_EVENT)?;
        let mut rows = select.query([seq])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some((row::read_head(row)?, row::read(row, self.words)?)))
    }

    /// Writes an event if it differs from the stored one.
    fn write(
        &mut self,
        mut event: CostEvent,
        seq: i64,
        members: &[(i64, Arc<Observation>)],
        is_fresh: bool,
    ) -> Result<(), LedgerError> {
        let stored = self.stored(seq)?;
        let mut head = Head { seq, change_seq: seq, evidence: seq, epoch: None };
        if let Some((old, known)) = &stored {
            // A sink may have stored the event under its timestamp, for example in a partition of that
            // day. An event that was handed out therefore keeps its timestamp.
            if seq.abs() <= self.state.handed_out {
                event.timestamp = known.timestamp;
            }
            head.epoch = self.epoch.or(old.epoch);
            let revision = event.revision + head.epoch.unwrap_or_default() * REVISION_OF_EPOCH;
            event.revision = known.revision;
            if event == *known {
                return Ok(());
            }
            // What was pruned is missing in the count, so the revision must be made to grow.
            event.revision = revision.max(known.revision + 1);
        }
        self.replace(&event, head, stored.as_ref(), members, is_fresh)
    }

    /// Writes an event in place of the stored one.
    pub(crate) fn replace(
        &mut self,
        event: &CostEvent,
        mut head: Head,
        stored: Option<&(Head, CostEvent)>,
        members: &[(i64, Arc<Observation>)],
        is_fresh: bool,
    ) -> Result<(), LedgerError> {
        // Among many sightings, only those of the event or its span are compared in full.
        let is_near = |o: &Observation| {
            members.len() <= 16 || o.event_id == event.event_id || o.span_id == event.span_id
        };
        let candidates = members.iter().filter(|(_, o)| is_near(o)).map(|(seq, o)| (*seq, &**o));
        head.evidence = prepare::evidence(event, candidates).unwrap_or(NO_EVIDENCE);
        let evidence = members.iter().find(|(seq, _)| *seq == head.evidence).map(|(_, o)| &**o);
        // The row inherits columns of the journal, which has the cost from before a repricing.
        let journaled = match self.state.epoch {
            0 => None,
            _ => journal::load_before_repricing(self.connection, self.words, head.evidence)?,
        };
        let evidence = journaled.as_ref().or(evidence);
        // Stored sightings have a part in the event, so that the request is not to blame.
        let row = EventRow::new(event, evidence, self.words, self.unknown).map_err(LedgerError::Damaged)?;
        // A follower reads the row of a fresh event by its number. A negative number is behind every cursor,
        // so such a row needs a change from the beginning.
        if !is_fresh || head.seq < 0 {
            // The order of the changes is that of the fold, which puts void events first.
            self.state.last_number += 1;
            head.change_seq = self.state.last_number;
        }
        if let Some((old, known)) = stored {
            if self.state.in_flight.contains(old.change_seq) {
                self.connection.prepare_cached(&KEEP_SUPERSEDED)?.execute([head.seq])?;
            }
            if old.change_seq != old.seq {
                self.connection
                    .prepare_cached("DELETE FROM change WHERE change_seq = ?")?
                    .execute([old.change_seq])?;
            }
            self.deltas.remove(known, self.words, self.unknown);
        }
        self.written += 1;
        self.deltas.add(event, self.words, self.unknown);
        let sql = if stored.is_some() { &REPLACE_EVENT } else { &INSERT_EVENT };
        row.write(&mut *self.connection.prepare_cached(sql)?, head)?;
        if head.change_seq != head.seq {
            self.connection
                .prepare_cached("INSERT INTO change (change_seq, seq) VALUES (?, ?)")?
                .execute((head.change_seq, head.seq))?;
        }
        Ok(())
    }

    /// Makes the event of a request id void, because the id turned out to be no request's.
    fn retire(&mut self, id: &EventId, members: &[(i64, Arc<Observation>)]) -> Result<(), LedgerError> {
        let first = members.iter().find(|(_, o)| o.event_id == *id).map(|(seq, _)| *seq);
        let Some(seq) = first else { return Ok(()) };
        let Some((head, known)) = self.stored(seq)? else { return Ok(()) };
        if known.event_id != *id || known.state == EventState::Void {
            return Ok(());
        }
        let mut event = known.clone();
        event.state = EventState::Void;
        event.flags.clear();
        event.revision += 1;
        self.replace(&event, head, Some(&(head, known)), members, false)
    }
}

/// The number of each event's row: that of its first observation. The event of a call under a reused
/// request id has the negative number, because the positive one belongs to the event of that id.
fn rows(members: &[(i64, Arc<Observation>)], component: &Component) -> HashMap<EventId, i64> {
    let mut rows = HashMap::new();
    for (seq, o) in members {
        let relation = Relation { kind: RelationKind::Event, value: o.event_id.as_str() };
        if component.crowded.iter().any(|crowded| crowded.relation() == relation) {
            rows.entry(EventId::of_reused(&o.event_id, &o.call_id)).or_insert(-*seq);
        } else {
            rows.entry(o.event_id.clone()).or_insert(*seq);
        }
    }
    rows
}
