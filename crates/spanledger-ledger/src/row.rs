//! Converts events to rows and back, by the table of the event's columns.

use std::{fmt::Write as _, sync::LazyLock};

use rusqlite::{
    Row, Statement,
    types::{ToSqlOutput, Value, ValueRef},
};
use spanledger_event::{COLUMNS, Cell, Column, ColumnKind, CostEvent, Timestamp, Usd};

use crate::{LedgerError, error::RowError, schema::sql_columns};

#[cfg(test)]
mod tests;

/// The SQL columns of the event's columns, in their order and separated by commas.
pub(crate) static EVENT_COLUMNS: LazyLock<String> =
    LazyLock::new(|| COLUMNS.iter().flat_map(sql_columns).collect::<Vec<_>>().join(", "));

/// Selects one event by id, after the sequence number of its first change.
pub(crate) static SELECT_EVENT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT first_change_seq, {} FROM event WHERE event_id = ?", *EVENT_COLUMNS));

pub(crate) static UPSERT_EVENT: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<String> = COLUMNS.iter().flat_map(sql_columns).collect();
    let mut sql = format!("INSERT INTO event ({}, change_seq, first_change_seq) VALUES (?", *EVENT_COLUMNS);
    for _ in 0..=names.len() {
        sql.push_str(", ?");
    }
    sql.push_str(") ON CONFLICT (event_id) DO UPDATE SET change_seq = excluded.change_seq");
    for name in names.iter().filter(|name| *name != "event_id") {
        // Writing to a string cannot fail.
        write!(sql, ", {name} = excluded.{name}").unwrap_or_default();
    }
    sql
});

/// Binds an event to the first parameters of a statement. Returns the index of the next one.
pub(crate) fn bind(statement: &mut Statement<'_>, event: &CostEvent) -> Result<usize, LedgerError> {
    let mut index = 1;
    for column in COLUMNS {
        let mut put = |value: ToSqlOutput<'_>| -> rusqlite::Result<()> {
            statement.raw_bind_parameter(index, value)?;
            index += 1;
            Ok(())
        };
        match (column.get)(event) {
            Cell::Null if column.kind == ColumnKind::Usd => {
                put(ToSqlOutput::Owned(Value::Null))?;
                put(ToSqlOutput::Owned(Value::Null))?;
            }
            Cell::Null => put(ToSqlOutput::Owned(Value::Null))?,
            Cell::Text(text) | Cell::Json(text) => {
                put(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())))?;
            }
            Cell::Integer(number) => put(number.into())?,
            Cell::Boolean(truth) => put(i64::from(truth).into())?,
            Cell::Decimal(number) => put(ToSqlOutput::Owned(Value::Text(number.normalize().to_string())))?,
            Cell::Timestamp(moment) => put(moment.nanos().into())?,
            Cell::Usd(usd) => {
                let (micros, picos) = usd.to_parts().ok_or_else(|| {
                    LedgerError::Unstorable(RowError::OutOfRange { column: column.name, usd })
                })?;
                put(micros.into())?;
                put(picos.into())?;
            }
        }
    }
    Ok(index)
}

/// Reads an event from a row of [`EVENT_COLUMNS`] that begins at column `first`.
pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<CostEvent, LedgerError> {
    let mut event = CostEvent::default();
    let mut index = first;
    for column in COLUMNS {
        let width = sql_columns_width(column);
        let cell = read_cell(row, index, column)?;
        (column.set)(&mut event, cell).map_err(RowError::from)?;
        index += width;
    }
    Ok(event)
}

fn sql_columns_width(column: &Column) -> usize {
    if column.kind == ColumnKind::Usd { 2 } else { 1 }
}

fn read_cell<'r>(row: &'r Row<'_>, index: usize, column: &Column) -> Result<Cell<'r>, LedgerError> {
    let value = row.get_ref(index)?;
    if value == ValueRef::Null {
        return Ok(Cell::Null);
    }
    let picos = if column.kind == ColumnKind::Usd { row.get_ref(index + 1)? } else { ValueRef::Null };
    let cell = || -> Result<Cell<'r>, RowError> {
        Ok(match column.kind {
            ColumnKind::Text => Cell::Text(value.as_str()?.into()),
            ColumnKind::Json => Cell::Json(value.as_str()?.into()),
            ColumnKind::Decimal => {
                let number = value.as_str()?.parse();
                Cell::Decimal(number.map_err(|source| RowError::Decimal { column: column.name, source })?)
            }
            ColumnKind::Integer => Cell::Integer(value.as_i64()?),
            ColumnKind::Boolean => Cell::Boolean(value.as_i64()? != 0),
            ColumnKind::Timestamp => Cell::Timestamp(Timestamp::from_nanos(value.as_i64()?)),
            ColumnKind::Usd => Cell::Usd(Usd::from_parts(value.as_i64()?, picos.as_i64()?)),
        })
    };
    Ok(cell()?)
}
