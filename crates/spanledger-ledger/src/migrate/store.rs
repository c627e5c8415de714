//! Copies a ledger of version 1 or 2 into the tables of version 3.
//!
//! Those versions kept an observation as JSON, and an event as one row of plain columns with a sequence of
//! changes of its own. An observation keeps its number. A change gets a number after all observations, in
//! the same order, and the followers' cursors move with them.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use spanledger_event::{COLUMNS, Cell, Column, ColumnKind, CostEvent, Observation, Timestamp, Usd};

use super::STORE;
use crate::{
    LedgerError,
    error::RowError,
    evidence::{self, Inherited},
    journal, open,
    packed::{RowPacker, RowStatement},
    rollup,
    row::{self, Head, INSERT_EVENT, NO_EVIDENCE},
    schema,
    words::{Admission, Lookup, Unknown, Words},
};

/// So many rows are copied before their texts may become words.
const WORDS_EVERY: usize = 1_000;

pub(super) fn copy(transaction: &Transaction<'_>, from: i64) -> Result<(), LedgerError> {
    transaction.execute_batch(
        "ALTER TABLE observation RENAME TO old_observation;
         ALTER TABLE event RENAME TO old_event;
         ALTER TABLE follower RENAME TO old_follower;
         DROP TABLE rollup_hour; DROP TABLE rollup_day;
         DROP INDEX IF EXISTS event_explained; DROP INDEX event_timestamp; DROP INDEX event_change;",
    )?;
    transaction.execute_batch(&schema::ddl())?;
    transaction.execute_batch(schema::DROP_VIEWS)?;
    open::identify(transaction)?;
    let mut copy = Copy {
        transaction,
        words: Words::default(),
        admission: Admission::default(),
        unknown: Unknown::default(),
        rows: 0,
    };
    copy.words.load(transaction)?;
    let base: i64 =
        transaction.query_row("SELECT coalesce(max(seq), 0) FROM old_observation", [], |row| row.get(0))?;
    copy.observations()?;
    let last = copy.events(from, base)?;
    transaction.execute(
        "INSERT INTO follower (name, cursor) SELECT name, CASE cursor WHEN 0 THEN 0 ELSE cursor + ?1 END FROM old_follower",
        [base],
    )?;
    transaction.execute(
        "UPDATE ledger SET last_number = ?1, observations = (SELECT count(*) FROM old_observation),
            handed_out = CASE WHEN (SELECT max(cursor) FROM old_follower) > 0 THEN ?1 ELSE 0 END",
        [last],
    )?;
    transaction
        .execute_batch("DROP TABLE old_observation; DROP TABLE old_event; DROP TABLE old_follower;")?;
    Ok(rollup::rebuild(transaction)?)
}

struct Copy<'a> {
    transaction: &'a Transaction<'a>,
    words: Words,
    admission: Admission,
    unknown: Unknown,
    rows: usize,
}

impl Copy<'_> {
    fn observations(&mut self) -> Result<(), LedgerError> {
        let connection: &Connection = self.transaction;
        let mut statement =
            connection.prepare("SELECT seq, facts, cost FROM old_observation ORDER BY seq")?;
        let mut insert = RowStatement::new(connection, journal::INSERT)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let observation = old_observation(row)?;
            let seq = row.get(0)?;
            let mut words = Lookup::new(&self.words, &mut self.unknown);
            let mut packer = RowPacker::new(&mut words);
            let row = journal::pack(&observation, &mut packer);
            journal::write(&mut insert, &packer.finish(), &row, seq)?;
            self.learn()?;
        }
        Ok(())
    }

    /// Copies the events. Returns the last number.
    fn events(&mut self, from: i64, base: i64) -> Result<i64, LedgerError> {
        let connection: &Connection = self.transaction;
        let columns: Vec<&Column> =
            COLUMNS.iter().filter(|column| i64::from(column.since) <= from.min(STORE - 1)).collect();
        let names: Vec<String> = columns.iter().flat_map(|column| old_columns(column)).collect();
        let mut statement = connection.prepare(&format!(
            "SELECT change_seq, {} FROM old_event ORDER BY change_seq",
            names.join(", ")
        ))?;
        let mut insert = RowStatement::new(connection, &INSERT_EVENT)?;
        let mut sightings = connection.prepare(
            "SELECT seq, facts, cost FROM old_observation WHERE event_id = ? ORDER BY seq LIMIT 64",
        )?;
        let mut rows = statement.query([])?;
        let mut last = base;
        while let Some(row) = rows.next()? {
            let event = old_event(row, &columns)?;
            let mut members = Vec::new();
            let mut found = sightings.query([event.event_id.as_str()])?;
            while let Some(row) = found.next()? {
                members.push((row.get::<_, i64>(0)?, old_observation(row)?));
            }
            // An event without an observation cannot have been written. It is left out, because nothing
            // could change it any more.
            let Some(&(seq, _)) = members.first() else { continue };
            last = base + row.get::<_, i64>(0)?;
            let candidates = members.iter().map(|(seq, observation)| (*seq, observation));
            let (evidence, inherited) =
                evidence::find(&event, candidates).unwrap_or((NO_EVIDENCE, Inherited::default()));
            let head = Head { seq, change_seq: last, evidence, epoch: None };
            let mut words = Lookup::new(&self.words, &mut self.unknown);
            let mut packer = RowPacker::new(&mut words);
            let columns = row::pack(&event, inherited, &mut packer)?;
            row::write(&mut insert, &packer.finish(), &columns, head)?;
            if last != seq {
                connection
                    .prepare_cached("INSERT INTO change (change_seq, seq) VALUES (?, ?)")?
                    .execute((last, seq))?;
            }
            self.learn()?;
        }
        let seen: Option<i64> = connection
            .query_row("SELECT max(change_seq) FROM old_event", [], |row| row.get(0))
            .optional()?
            .flatten();
        Ok(last.max(base + seen.unwrap_or_default()))
    }

    /// Makes words of texts that repeat.
    fn learn(&mut self) -> Result<(), LedgerError> {
        self.rows += 1;
        if self.rows.is_multiple_of(WORDS_EVERY) {
            self.admission.admit(self.transaction, &self.words, std::mem::take(&mut self.unknown))?;
            self.admission.publish(&mut self.words);
        }
        Ok(())
    }
}

fn old_observation(row: &Row<'_>) -> Result<Observation, LedgerError> {
    let json = |index: usize| {
        row.get_ref(index)?.as_str_or_null().map_err(RowError::from).map_err(LedgerError::from)
    };
    let facts = json(1)?.unwrap_or_default();
    let mut observation: Observation = serde_json::from_str(facts).map_err(RowError::from)?;
    observation.cost = json(2)?.map(serde_json::from_str).transpose().map_err(RowError::from)?;
    Ok(observation)
}

/// The SQL columns of a column in version 2.
fn old_columns(column: &Column) -> Vec<String> {
    match column.kind {
        ColumnKind::Usd => vec![format!("{}_micros", column.name), format!("{}_picos", column.name)],
        _ => vec![column.name.to_owned()],
    }
}

/// Reads an event from a row of version 2, behind the number of its change.
fn old_event(row: &Row<'_>, columns: &[&Column]) -> Result<CostEvent, LedgerError> {
    let mut event = CostEvent::default();
    let mut index = 1;
    for column in columns {
        let value = row.get_ref(index)?;
        let text = || value.as_str().map_err(RowError::from);
        let number = || value.as_i64().map_err(RowError::from);
        let cell = match column.kind {
            _ if value == rusqlite::types::ValueRef::Null => Cell::Null,
            ColumnKind::Text => Cell::Text(text()?.into()),
            ColumnKind::Json => Cell::Json(text()?.into()),
            ColumnKind::Integer => Cell::Integer(number()?),
            ColumnKind::Boolean => Cell::Boolean(number()? != 0),
            ColumnKind::Timestamp => Cell::Timestamp(Timestamp::from_nanos(number()?)),
            ColumnKind::Usd => Cell::Usd(Usd::from_parts(number()?, row.get(index + 1)?)),
            ColumnKind::Decimal => Cell::Decimal(
                text()?.parse().map_err(|source| RowError::Decimal { column: column.name, source })?,
            ),
        };
        (column.set)(&mut event, cell).map_err(RowError::from)?;
        index += old_columns(column).len();
    }
    Ok(event)
}
