//! What an append does inside its transaction: journal, gather, fold, compare, write.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Transaction, params};
use spanledger_event::{CostEvent, Observation, Role, fold};

use crate::{
    Appended, LedgerError,
    rollup::RollupDeltas,
    row::{self, SELECT_EVENT, UPSERT_EVENT},
};

/// An observation, ready to be written: serialized outside the writer's thread.
#[derive(Debug)]
pub(crate) struct Incoming {
    observation: Observation,
    facts: Vec<u8>,
    cost: Option<Vec<u8>>,
    digest: [u8; 16],
}

impl Incoming {
    pub(crate) fn new(observation: Observation) -> Result<Self, serde_json::Error> {
        let (facts, digest) = observation.facts()?;
        let cost = observation.cost.as_ref().map(serde_json::to_vec).transpose()?;
        Ok(Self { observation, facts, cost, digest: digest.to_be_bytes() })
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
    let mut gathered = Gathered::default();
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO observation (digest, event_id, call_id, link, trace_link, trace_id, aggregate, facts, cost)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING",
        )?;
        for one in incoming {
            let o = &one.observation;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).map_err(LedgerError::row);
            let inserted = insert.execute(params![
                one.digest,
                o.event_id.as_str(),
                o.call_id,
                o.link(),
                o.trace_link(),
                o.trace_id,
                o.role == Role::Aggregate,
                text(&one.facts)?,
                one.cost.as_deref().map(text).transpose()?,
            ])?;
            if inserted == 0 {
                appended.duplicates += 1;
            } else {
                appended.new += 1;
                gathered.add(transaction.last_insert_rowid(), o.clone());
            }
        }
    }
    gathered.close(transaction)?;

    let seen = greatest_cursor(transaction)?;
    let mut deltas = RollupDeltas::default();
    for event in fold(gathered.observations.values()) {
        write(transaction, last_change, seen, event, &mut deltas)?;
    }
    deltas.write(transaction)?;
    Ok(appended)
}

/// The observations that decide the touched events: those of the same event, of the same call, of the
/// same response, and, where an aggregate is among them, of the same trace.
#[derive(Default)]
struct Gathered {
    observations: BTreeMap<i64, Observation>,
    wanted: Vec<Key>,
    asked: BTreeSet<Key>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Event(String),
    Call(String),
    Link(String),
    TraceLink(String),
    /// Asks whether the trace has an aggregate.
    Trace(String),
    /// Asks for all of a trace that has one.
    WholeTrace(String),
}

impl Gathered {
    fn add(&mut self, seq: i64, observation: Observation) {
        if self.observations.contains_key(&seq) {
            return;
        }
        self.want(Key::Event(observation.event_id.as_str().to_owned()));
        self.want(Key::Call(observation.call_id.clone()));
        if let Some(link) = observation.link() {
            self.want(Key::Link(link));
        }
        if let Some(link) = observation.trace_link() {
            self.want(Key::TraceLink(link));
        }
        if let Some(trace) = &observation.trace_id {
            self.want(match observation.role {
                Role::Aggregate => Key::WholeTrace(trace.clone()),
                Role::Call => Key::Trace(trace.clone()),
            });
        }
        self.observations.insert(seq, observation);
    }

    fn want(&mut self, key: Key) {
        if self.asked.insert(key.clone()) {
            self.wanted.push(key);
        }
    }

    fn close(&mut self, transaction: &Transaction<'_>) -> Result<(), LedgerError> {
        while let Some(key) = self.wanted.pop() {
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
                        self.want(Key::WholeTrace(trace.clone()));
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
                let facts = row.get_ref(1)?.as_str().map_err(LedgerError::row)?;
                let mut observation: Observation = serde_json::from_str(facts).map_err(LedgerError::row)?;
                if let Some(cost) = row.get_ref(2)?.as_str_or_null().map_err(LedgerError::row)? {
                    observation.cost = Some(serde_json::from_str(cost).map_err(LedgerError::row)?);
                }
                self.add(seq, observation);
            }
        }
        Ok(())
    }
}

fn greatest_cursor(transaction: &Transaction<'_>) -> Result<i64, LedgerError> {
    Ok(transaction
        .prepare_cached("SELECT coalesce(max(cursor), 0) FROM follower")?
        .query_row([], |row| row.get(0))?)
}

/// Writes an event if it differs from the stored one, and notes what that does to the roll-ups.
fn write(
    transaction: &Transaction<'_>,
    last_change: &mut i64,
    seen: i64,
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
        // Once a sink has the event its partition is settled.
        if *first_change <= seen {
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
