//! The append, inside its transaction: it writes the journal, folds the new observations with their stored
//! relatives, and writes the events that differ from the stored ones.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use spanledger_event::{
    Component, CostEvent, EventId, EventState, Observation, REVISION_OF_EPOCH, related_while,
};

use crate::{
    Appended, LedgerError,
    evidence::{self, Inherited},
    journal,
    outbox::Kept,
    packed::{PackedRows, RowPacker, RowStatement},
    prepare::{Content, PreparedComponent, PreparedObservation},
    rollup::RollupDeltas,
    row::{self, Forms, Head, INSERT_EVENT, KEEP_SUPERSEDED, NO_EVIDENCE, REPLACE_EVENT, SELECT_EVENT},
    state::State,
    words::{Lookup, Unknown, Words},
};

mod stored;

use stored::{Stored, rows_of_events};

/// So many observations with stored relatives are appended together.
const TOGETHER_MAX: usize = 256;

/// An append within a transaction.
pub(crate) struct Append<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) state: &'a mut State,
    pub(crate) words: Lookup<'a>,
    pub(crate) deltas: &'a mut RollupDeltas,
    pub(crate) appended: &'a mut Appended,
    /// The time that was spent on observations with stored relatives.
    pub(crate) spent: &'a mut Duration,
    /// The repricing that the work belongs to.
    pub(crate) epoch: Option<i64>,
    /// How many events were written in place of stored ones or after them.
    pub(crate) written: usize,
    inserts: Inserts<'a>,
    forms: RefCell<Forms>,
}

/// What an append changes besides the tables.
pub(crate) struct Changes<'a> {
    pub(crate) words: &'a Words,
    pub(crate) unknown: &'a mut Unknown,
    pub(crate) deltas: &'a mut RollupDeltas,
    /// The time that the transaction has spent on observations with stored relatives.
    pub(crate) spent: &'a mut Duration,
}

/// The statements that each observation needs. To look them up in the connection's cache for each of them
/// would take a tenth of the writer's time.
#[derive(Default)]
struct Inserts<'a> {
    observation: Option<RowStatement<'a>>,
    event: Option<RowStatement<'a>>,
}

/// The statement, which is prepared at the first use.
fn prepared<'s, 'a>(
    statement: &'s mut Option<RowStatement<'a>>,
    connection: &'a Connection,
    sql: &str,
) -> rusqlite::Result<&'s mut RowStatement<'a>> {
    if statement.is_none() {
        *statement = Some(RowStatement::new(connection, sql)?);
    }
    statement.as_mut().ok_or(rusqlite::Error::InvalidQuery)
}

impl<'a> Append<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        state: &'a mut State,
        appended: &'a mut Appended,
        changes: Changes<'a>,
    ) -> Self {
        let Changes { words, unknown, deltas, spent } = changes;
        Self {
            connection,
            state,
            words: Lookup::new(words, unknown),
            deltas,
            appended,
            spent,
            epoch: None,
            written: 0,
            inserts: Inserts::default(),
            forms: RefCell::default(),
        }
    }

    /// Appends the first of the components that are left. If the ledger has relatives of it, those behind it that
    /// have some, too, are appended together with it, as far as the time allows: what several of them belong to
    /// is then loaded and folded once. Returns how many components were appended.
    pub(crate) fn next_components(
        &mut self,
        content: &Content,
        left: &[PreparedComponent],
        is_counted: bool,
        time: Duration,
    ) -> Result<usize, LedgerError> {
        let Some((first, others)) = left.split_first() else { return Ok(0) };
        let observations = content.observations(first);
        if self.is_fresh(observations)? {
            if !is_counted {
                self.count(observations, true);
            }
            self.write_fresh(content, first)?;
            return Ok(1);
        }
        // How many observations there are up to the end of each component.
        let mut end = observations.len();
        let mut ends = vec![end];
        for component in others {
            let observations = content.observations(component);
            if end >= TOGETHER_MAX || self.is_fresh(observations)? {
                break;
            }
            end += observations.len();
            ends.push(end);
        }
        let together = content.observations_of(left.get(..ends.len()).unwrap_or_default());
        let begin = Instant::now();
        let seen = self.related_while(&content.rows, together, |next| {
            next == 0 || ends.binary_search(&next).is_err() || begin.elapsed() < time
        })?;
        let appended = ends.partition_point(|end| *end <= seen);
        if is_counted {
            for component in left.iter().take(appended) {
                self.count(content.observations(component), false);
            }
        }
        Ok(appended)
    }

    pub(crate) fn stored_observations(&self) -> Stored<'_> {
        Stored {
            connection: self.connection,
            index: &self.state.index,
            words: self.words.dictionary(),
            seed: self.state.seed,
        }
    }

    /// Adds the prepared events of a component to the roll-ups, or takes them out again.
    pub(crate) fn count(&mut self, component: &[PreparedObservation], is_added: bool) {
        for event in spanledger_event::fold(component.iter().map(|o| &*o.observation)) {
            if is_added {
                self.deltas.add(&event, false, &mut self.words);
            } else {
                self.deltas.remove(&event, false, &mut self.words);
            }
        }
    }

    /// Whether the ledger has no relative of the component.
    fn is_fresh(&self, component: &[PreparedObservation]) -> Result<bool, LedgerError> {
        for key in component.iter().flat_map(|o| o.keys.asked()) {
            if self.state.index.may_contain(*key)
                && !self.state.index.find(self.connection, *key, 1)?.is_empty()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_fresh(&mut self, content: &Content, component: &PreparedComponent) -> Result<(), LedgerError> {
        let first = self.state.last_number + 1;
        for observation in content.observations(component) {
            self.journal(&content.rows, observation, |_| true)?;
        }
        let number = |index: usize| first + i64::try_from(index).unwrap_or_default();
        let insert = prepared(&mut self.inserts.event, self.connection, &INSERT_EVENT)?;
        for event in content.events(component) {
            let seq = number(event.first);
            let head = Head {
                seq,
                change_seq: seq,
                evidence: event.evidence.map_or(NO_EVIDENCE, number),
                epoch: None,
            };
            row::write(insert, &content.rows, &event.row, head)?;
            if self.state.tail.is_on() {
                match &event.kept {
                    Some(kept) => self.state.tail.push(seq, seq, kept.clone()),
                    // It was prepared when the ledger had no follower.
                    None => self.state.tail.skip(seq),
                }
            }
        }
        Ok(())
    }

    /// Writes an observation into the journal and files it under its keys, except those that are not to
    /// be filed. Returns its number.
    fn journal(
        &mut self,
        rows: &PackedRows,
        observation: &PreparedObservation,
        is_filed: impl Fn(u64) -> bool,
    ) -> Result<i64, LedgerError> {
        self.state.last_number += 1;
        let seq = self.state.last_number;
        let insert = prepared(&mut self.inserts.observation, self.connection, journal::INSERT)?;
        journal::write(insert, rows, &observation.row, seq)?;
        for key in observation.keys.filed().iter().filter(|key| is_filed(**key)) {
            self.state.index.insert(*key, seq.cast_unsigned());
        }
        self.state.observations += 1;
        self.appended.new += 1;
        Ok(seq)
    }

    /// Appends observations together with their stored relatives.
    pub(crate) fn related(
        &mut self,
        rows: &PackedRows,
        prepared: &[PreparedObservation],
    ) -> Result<(), LedgerError> {
        self.related_while(rows, prepared, |_| true)?;
        Ok(())
    }

    /// The same, but stops before an observation, given by its index, for which `goes_on` is false. Returns how
    /// many were looked at.
    fn related_while(
        &mut self,
        rows: &PackedRows,
        prepared: &[PreparedObservation],
        goes_on: impl FnMut(usize) -> bool,
    ) -> Result<usize, LedgerError> {
        let begin = Instant::now();
        let new: Vec<Arc<Observation>> = prepared.iter().map(|o| Arc::clone(&o.observation)).collect();
        let related = related_while(&new, &mut self.stored_observations(), goes_on)?;
        self.appended.duplicates += related.duplicates.len();
        self.appended.late += related.late.len();
        self.appended.refused.extend(related.refused.into_iter().map(|(_, reason)| reason));
        for component in related.components {
            self.words.next_component();
            self.fold(&component, rows, prepared)?;
        }
        *self.spent += begin.elapsed();
        Ok(related.seen)
    }

    /// Folds stored observations again, and writes the events that differ from the stored ones.
    pub(crate) fn fold_stored(&mut self, component: &Component) -> Result<(), LedgerError> {
        self.fold(component, &PackedRows::default(), &[])
    }

    /// Journals the new observations of a component, and writes its events.
    fn fold(
        &mut self,
        component: &Component,
        rows: &PackedRows,
        prepared: &[PreparedObservation],
    ) -> Result<(), LedgerError> {
        let mut members: Vec<(i64, Arc<Observation>)> =
            component.stored.iter().map(|(seq, o)| (seq.cast_signed(), Arc::clone(o))).collect();
        let full = self.full_keys(component)?;
        for (index, observation) in &component.new {
            let seq = self.journal(rows, &prepared[*index], |key| !full.contains(&key))?;
            members.push((seq, Arc::clone(observation)));
        }
        members.sort_by_key(|(seq, _)| *seq);
        let folded = component.fold();
        let rows = rows_of_events(&members, component);
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
        Ok(Some((
            row::read_head(row)?,
            row::read(row, self.words.dictionary(), &mut self.forms.borrow_mut())?,
        )))
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
        self.replace(event, head, stored.as_ref(), members, is_fresh)
    }

    /// Writes an event in place of the stored one.
    pub(crate) fn replace(
        &mut self,
        event: CostEvent,
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
        let (evidence, mut inherited) =
            evidence::find(&event, candidates).unwrap_or((NO_EVIDENCE, Inherited::default()));
        head.evidence = evidence;
        // The row inherits columns of the journal, which has the cost from before a repricing.
        if self.state.epoch != 0
            && let Some(journaled) =
                journal::load_before_repricing(self.connection, self.words.dictionary(), evidence)?
        {
            inherited = Inherited::between(&event, &journaled);
        }
        let mut packer = RowPacker::new(&mut self.words);
        // Stored sightings have a part in the event, so that the request is not to blame.
        let row = row::pack(&event, inherited, &mut packer).map_err(LedgerError::Damaged)?;
        let rows = packer.finish();
        // A follower reads the row of a fresh event by its number. A negative number is behind every cursor,
        // so such a row needs a change from the beginning.
        if !is_fresh || head.seq < 0 {
            // The order of the changes is that of the fold, which puts void events first.
            self.state.last_number += 1;
            head.change_seq = self.state.last_number;
        }
        if let Some((old, known)) = stored {
            let is_in_flight = self.state.followers.hold(old.change_seq);
            self.state.tail.supersede(old.change_seq, is_in_flight);
            if is_in_flight {
                self.connection.prepare_cached(&KEEP_SUPERSEDED)?.execute([head.seq])?;
            }
            if old.change_seq != old.seq {
                self.connection
                    .prepare_cached("DELETE FROM change WHERE change_seq = ?")?
                    .execute([old.change_seq])?;
            }
            self.deltas.remove(known, self.is_settled(head.seq), &mut self.words);
        }
        self.written += 1;
        self.deltas.add(&event, self.is_settled(head.seq), &mut self.words);
        if stored.is_some() {
            row::write(&mut RowStatement::new(self.connection, &REPLACE_EVENT)?, &rows, &row, head)?;
        } else {
            let insert = prepared(&mut self.inserts.event, self.connection, &INSERT_EVENT)?;
            row::write(insert, &rows, &row, head)?;
        }
        if head.change_seq != head.seq {
            self.connection
                .prepare_cached("INSERT INTO change (change_seq, seq) VALUES (?, ?)")?
                .execute((head.change_seq, head.seq))?;
        }
        if self.state.tail.is_on() {
            self.state.tail.push(head.change_seq, head.seq, Kept::new(event));
        }
        Ok(())
    }

    /// Whether the roll-ups have the event of a row, if it is stored.
    pub(crate) fn is_settled(&self, seq: i64) -> bool {
        seq.abs() <= self.state.rolled_up
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
        self.replace(event, head, Some(&(head, known)), members, false)
    }
}
