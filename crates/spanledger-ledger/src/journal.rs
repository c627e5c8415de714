//! The journal: one row for each observation, which never changes.

use std::sync::{Arc, LazyLock};

use rusqlite::{Connection, OptionalExtension, Row};
use spanledger_event::{Cost, Observation};

use crate::{
    LedgerError, datum,
    error::RowError,
    facts::{self, Columns},
    packed::{PackedRow, PackedRows, RowPacker, RowStatement},
    row,
    words::Words,
};

pub(crate) const INSERT: &str =
    "INSERT INTO observation (seq, response_id, trace_id, span_id, parent_span_id,
    usage_raw_form, usage_raw_numbers, cost_lines_form, cost_lines_numbers, facts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// What [`read`] reads.
const COLUMNS: &str = "response_id, trace_id, span_id, parent_span_id, usage_raw_form, usage_raw_numbers,
    cost_lines_form, cost_lines_numbers, facts";

/// Packs an observation, but for its number.
pub(crate) fn pack(o: &Observation, packer: &mut RowPacker<'_, '_>) -> PackedRow {
    let begin = packer.begin();
    if let Some(response) = &o.response {
        packer.text(2, &response.id);
    }
    for (parameter, id) in [(3, &o.trace_id), (4, &o.span_id), (5, &o.parent_span_id)] {
        if let Some(id) = id {
            packer.hex(parameter, id);
        }
    }
    if let Some(usage) = &o.usage_raw {
        packer.template(6, usage.as_str());
    }
    let lines = o.cost.as_ref().map_or(&[][..], |cost| &cost.lines);
    if !lines.is_empty() {
        packer.cost_lines(8, lines);
    }
    packer.facts(10, o);
    packer.end(begin)
}

/// Writes a packed observation with a statement of [`INSERT`].
pub(crate) fn write(
    statement: &mut RowStatement<'_>,
    rows: &PackedRows,
    row: &PackedRow,
    seq: i64,
) -> rusqlite::Result<()> {
    rows.bind(row, statement)?;
    statement.bind(1, seq)?;
    statement.execute()?;
    Ok(())
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
