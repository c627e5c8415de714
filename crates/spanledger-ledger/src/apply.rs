//! The append, inside its transaction: it writes the journal, loads the related observations, folds
//! them, and writes the events that differ from the stored ones.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Transaction, params, types::ValueRef};
use spanledger_event::{CostEvent, Observation, Role, fold};

use crate::{
    Appended, LedgerError,
    error::RowError,
    rollup::RollupDeltas,
    row::{self, SELECT_EVENT, UPSERT_EVENT},
};

/// An observation that is ready to be written. It was serialized outside the writer's thread.
#[derive(Debug)]
pub(crate) struct Incoming {
    observation: Observation,
    journal: String,
    cost: Option<String>,
    digest: [u8; 16],
}

impl Incoming {
    pub(crate) fn new(observation: Observation) -> Result<Self, RowError> {
        let (journal, digest) = observation.to_journal()?;
        let cost = observation.cost.as_ref().map(serde_json::to_string).transpose()?;
        Ok(Self { observation, journal, cost, digest: digest.to_be_bytes() })
    }
}

pub(crate) fn last_change(connection: &rusqlite::Connection) -> Result<i64, LedgerError> {
    Ok(connection.query_row("SELECT coalesce(max(change_seq), 0) FROM event", [], |row| row.get(0))?)
}

pub(crate) fn advance(transaction: &Transaction<'_>, follower: &str, cursor: i64) -> Result<(), LedgerError> {
    transaction
        .prepare_cached(
            "INSERT INTO follower (name, cursor) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET cursor = max(cursor, excluded.cursor)",
        )?
        .execute(params![follower, cursor])?;
    Ok(())
}

pub(crate) fn append(
    transaction: &Transaction<'_>,
    last_change: &mut i64,
    incoming: &[Incoming],
) -> Result<Appended, LedgerError> {
    let mut appended = Appended::default();
    let mut related = Related::default();
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO observation (digest, event_id, call_id, link, trace_link, trace_id, aggregate, facts, cost)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING",
        )?;
        for one in incoming {
            let o = &one.observation;
            let inserted = insert.execute(params![
                one.digest,
                o.event_id.as_str(),
                o.call_id,
                o.link(),
                o.trace_link(),
                o.trace_id,
                o.role == Role::Aggregate,
                one.journal,
                one.cost,
            ])?;
            if inserted == 0 {
                appended.duplicates += 1;
            } else {
                appended.new += 1;
                related.add(transaction.last_insert_rowid(), o.clone());
            }
        }
    }
    related.load(transaction)?;

    let delivered = greatest_cursor(transaction)?;
    let mut deltas = RollupDeltas::default();
    for event in fold(related.observations.values()) {
        write(transaction, last_change, delivered, event, &mut deltas)?;
    }
    deltas.write(transaction)?;
    Ok(appended)
}

/// The observations that the fold needs for the changed events, by their `seq`: those of the same event,
/// of the same call, of the same response and, if one of them is an aggregate, of the same trace.
#[derive(Default)]
struct Related {
    observations: BTreeMap<i64, Observation>,
    /// Every key that was found so far.
    found: BTreeSet<Key>,
    /// The found keys whose observations are not loaded yet.
    to_load: Vec<Key>,
}

/// A value that related observations have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Event(String),
    Call(String),
    /// A response id that is unique.
    Link(String),
    /// A response id within a trace.
    TraceLink(String),
    /// A trace. Its observations are related only if one of them is an aggregate.
    Trace(String),
    /// A trace with an aggregate.
    WholeTrace(String),
}

impl Related {
    fn add(&mut self, seq: i64, observation: Observation) {
        if self.observations.contains_key(&seq) {
            return;
        }
        self.find(Key::Event(observation.event_id.as_str().to_owned()));
        self.find(Key::Call(observation.call_id.clone()));
        if let Some(link) = observation.link() {
            self.find(Key::Link(link));
        }
        if let Some(link) = observation.trace_link() {
            self.find(Key::TraceLink(link));
        }
        if let Some(trace) = &observation.trace_id {
            self.find(match observation.role {
                Role::Aggregate => Key::WholeTrace(trace.clone()),
                Role::Call => Key::Trace(trace.clone()),
            });
        }
        self.observations.insert(seq, observation);
    }

    fn find(&mut self, key: Key) {
        if self.found.insert(key.clone()) {
            self.to_load.push(key);
        }
    }

    /// Loads observations until no key leads to another one.
    fn load(&mut self, transaction: &Transaction<'_>) -> Result<(), LedgerError> {
        while let Some(key) = self.to_load.pop() {
            let (condition, value) = match &key {
                Key::Event(id) => ("event_id = ?", id),
                Key::Call(id) => ("call_id = ?", id),
                Key::Link(link) => ("link = ?", link),
                Key::TraceLink(link) => ("trace_link = ?", link),
                Key::WholeTrace(trace) => ("trace_id = ?", trace),
                Key::Trace(trace) => {
                    let found = transaction
                        .prepare_cached(
                            "SELECT 1 FROM observation WHERE trace_id = ? AND aggregate = 1 LIMIT 1",
                        )?
                        .query_row([trace], |_| Ok(()))
                        .optional()?;
                    if found.is_some() {
                        self.find(Key::WholeTrace(trace.clone()));
                    }
                    continue;
                }
            };
            let sql = format!("SELECT seq, facts, cost FROM observation WHERE {condition}");
            let mut statement = transaction.prepare_cached(&sql)?;
            let mut rows = statement.query([value])?;
            while let Some(row) = rows.next()? {
                let seq: i64 = row.get(0)?;
                if self.observations.contains_key(&seq) {
                    continue;
                }
                self.add(seq, from_journal(row.get_ref(1)?, row.get_ref(2)?)?);
            }
        }
        Ok(())
    }
}

fn from_journal(journal: ValueRef<'_>, cost: ValueRef<'_>) -> Result<Observation, RowError> {
    let mut observation: Observation = serde_json::from_str(journal.as_str()?)?;
    observation.cost = cost.as_str_or_null()?.map(serde_json::from_str).transpose()?;
    Ok(observation)
}

/// The greatest cursor of all followers. An event may have been delivered if its first change is not
/// after this cursor.
fn greatest_cursor(transaction: &Transaction<'_>) -> Result<i64, LedgerError> {
    Ok(transaction
        .prepare_cached("SELECT coalesce(max(cursor), 0) FROM follower")?
        .query_row([], |row| row.get(0))?)
}

/// Writes an event if it differs from the stored one, and adds the difference to the roll-ups' changes.
fn write(
    transaction: &Transaction<'_>,
    last_change: &mut i64,
    delivered: i64,
    mut event: CostEvent,
    deltas: &mut RollupDeltas,
) -> Result<(), LedgerError> {
    let mut statement = transaction.prepare_cached(&SELECT_EVENT)?;
    let mut rows = statement.query([event.event_id.as_str()])?;
    let stored = match rows.next()? {
        Some(row) => Some((row.get::<_, i64>(0)?, row::read(row, 1)?)),
        None => None,
    };
    drop(rows);
    event.revision = 1;
    if let Some((first_change, stored)) = &stored {
        event.revision = stored.revision;
        // A sink may have stored the event under its timestamp, for example in a partition of that day.
        // A delivered event therefore keeps its timestamp.
        if *first_change <= delivered {
            event.timestamp = stored.timestamp;
        }
        if event == *stored {
            return Ok(());
        }
        event.revision += 1;
        deltas.remove(stored);
    }
    deltas.add(&event);
    *last_change += 1;
    let mut upsert = transaction.prepare_cached(&UPSERT_EVENT)?;
    let next = row::bind(&mut upsert, &event)?;
    upsert.raw_bind_parameter(next, *last_change)?;
    upsert.raw_bind_parameter(next + 1, *last_change)?;
    upsert.raw_execute()?;
    Ok(())
}
