//! The journal: one row for each observation, which never changes.

use std::sync::{Arc, LazyLock};

use rusqlite::{Connection, OptionalExtension, Row, Statement};
use spanledger_event::{Cost, Observation};

use crate::{
    LedgerError,
    datum::{self, Datum},
    error::RowError,
    facts::{self, Columns},
    row, template,
    words::{Unknown, Words},
};

pub(crate) const INSERT: &str =
    "INSERT INTO observation (seq, response_id, trace_id, span_id, parent_span_id,
    usage_raw_form, usage_raw_numbers, cost_lines_form, cost_lines_numbers, facts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// What [`read`] reads.
const COLUMNS: &str = "response_id, trace_id, span_id, parent_span_id, usage_raw_form, usage_raw_numbers,
    cost_lines_form, cost_lines_numbers, facts";

/// An observation that is ready to be written, but for its number.
#[derive(Debug)]
pub(crate) struct ObservationRow {
    values: Vec<(u16, Datum)>,
    facts: Vec<u8>,
}

impl ObservationRow {
    pub(crate) fn new(o: &Observation, words: &Words, unknown: &mut Unknown) -> Self {
        let mut values = Vec::with_capacity(8);
        if let Some(response) = &o.response {
            values.push((2, Datum::Text(response.id.as_str().into())));
        }
        for (parameter, id) in [(3, &o.trace_id), (4, &o.span_id), (5, &o.parent_span_id)] {
            if let Some(id) = id {
                values.push((parameter, Datum::hex(id)));
            }
        }
        if let Some(usage) = &o.usage_raw {
            let split = template::split(usage.as_str());
            put_template(&mut values, 6, split, || usage.as_str().into(), words, unknown);
        }
        let lines = o.cost.as_ref().map_or(&[][..], |cost| &cost.lines);
        if !lines.is_empty() {
            let text = || serde_json::to_string(lines).unwrap_or_default().into();
            put_template(&mut values, 8, template::split_lines(lines), text, words, unknown);
        }
        Self { values, facts: facts::encode(o, words, unknown) }
    }

    /// Writes the row with a statement of [`INSERT`].
    pub(crate) fn write(&self, statement: &mut Statement<'_>, seq: i64) -> rusqlite::Result<()> {
        datum::bind(statement, &self.values)?;
        statement.raw_bind_parameter(1, seq)?;
        statement.raw_bind_parameter(10, self.facts.as_slice())?;
        statement.raw_execute()?;
        Ok(())
    }
}

/// Puts a text into two columns: the number of its form and its numbers, or no form and the text.
fn put_template(
    values: &mut Vec<(u16, Datum)>,
    parameter: u16,
    split: Option<template::Split>,
    text: impl FnOnce() -> Box<str>,
    words: &Words,
    unknown: &mut Unknown,
) {
    if let Some(split) = split {
        if let Some(number) = words.number(&split.form) {
            values.push((parameter, Datum::Integer(number)));
            values.push((parameter + 1, Datum::Text(split.numbers.into())));
            return;
        }
        unknown.add(&split.form);
    }
    values.push((parameter + 1, Datum::Text(text())));
}

/// Reads an observation with this number, with the cost of the latest repricing; `None` if it was pruned.
pub(crate) fn load(
    connection: &Connection,
    words: &Words,
    seq: i64,
) -> Result<Option<Arc<Observation>>, LedgerError> {
    let Some(mut observation) = load_as_journaled(connection, words, seq)? else { return Ok(None) };
    if let Some(cost) = repriced(connection, seq)? {
        observation.cost = Some(cost);
    }
    Ok(Some(Arc::new(observation)))
}

/// Reads an observation that was repriced as it was before. `None` if it was not repriced.
pub(crate) fn load_before_repricing(
    connection: &Connection,
    words: &Words,
    seq: i64,
) -> Result<Option<Observation>, LedgerError> {
    match repriced(connection, seq)? {
        Some(_) => load_as_journaled(connection, words, seq),
        None => Ok(None),
    }
}

fn load_as_journaled(
    connection: &Connection,
    words: &Words,
    seq: i64,
) -> Result<Option<Observation>, LedgerError> {
    let mut statement = connection.prepare_cached(&SELECT)?;
    let observation = statement.query_row([seq], |row| Ok(read(row, 0, words))).optional()?;
    Ok(observation.transpose()?)
}

/// Selects an observation by its number.
static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM observation WHERE seq = ?"));

/// The cost that the latest repricing gave to an observation.
fn repriced(connection: &Connection, seq: i64) -> Result<Option<Cost>, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT cost FROM repriced WHERE seq = ? ORDER BY epoch DESC LIMIT 1")?;
    let cost: Option<String> = statement.query_row([seq], |row| row.get(0)).optional()?;
    Ok(cost.map(|json| serde_json::from_str(&json)).transpose().map_err(RowError::from)?)
}

/// Calls `each` for every observation after `seq`, in the order of their numbers. A row that cannot be read
/// is left out, so that one damaged row does not keep the ledger closed.
pub(crate) fn scan(
    connection: &Connection,
    words: &Words,
    after: i64,
    mut each: impl FnMut(i64, Observation) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let sql = format!("SELECT {COLUMNS}, seq FROM observation WHERE seq > ? ORDER BY seq");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(9)?;
        match read(row, 0, words) {
            Ok(observation) => each(seq, observation)?,
            Err(error) => tracing::error!(seq, %error, "ledger.observation.unreadable"),
        }
    }
    Ok(())
}

/// Reads an observation from a row of [`COLUMNS`] that begins at column `first`.
fn read(row: &Row<'_>, first: usize, words: &Words) -> Result<Observation, RowError> {
    let get = |index: usize| row.get_ref(first + index).map_err(|_| RowError::Template);
    let hex = |index: usize| -> Result<Option<String>, RowError> {
        Ok(match get(index)? {
            rusqlite::types::ValueRef::Null => None,
            value => Some(datum::read_hex(value)?.into_owned()),
        })
    };
    let text = |index: usize| -> Result<Option<String>, RowError> {
        let (form, numbers) = (get(index)?, get(index + 1)?);
        Ok(match numbers {
            rusqlite::types::ValueRef::Null => None,
            numbers => Some(row::read_template(form, numbers, words)?),
        })
    };
    let columns = Columns {
        response_id: get(0)?.as_str_or_null()?.map(str::to_owned),
        trace_id: hex(1)?,
        span_id: hex(2)?,
        parent_span_id: hex(3)?,
        usage_raw: text(4)?.map(Into::into),
        cost_lines: text(6)?,
    };
    Ok(facts::decode(get(8)?.as_blob()?, columns, words)?)
}
