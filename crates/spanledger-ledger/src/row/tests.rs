use rusqlite::Connection;

use super::*;
use crate::{error::RowError, schema};

/// Values of a column at the limits of what the ledger stores.
fn limits(column: &Column) -> Vec<Cell<'static>> {
    let greatest = Usd::from_parts(i64::MAX, 999_999);
    match (column.name, column.kind) {
        ("event_id", _) => vec![Cell::Text("other".into())],
        ("state", _) => vec![Cell::Text("void".into())],
        ("usage_source", _) => vec![Cell::Text("estimated".into())],
        ("cost_lines" | "flags", _) => vec![Cell::Json("[]".into())],
        (_, ColumnKind::Json) => vec![Cell::Json(r#"{"ü":"\"|\u0000"}"#.into())],
        (_, ColumnKind::Text) => ["", "a\0b", "'; --", "🦀"].map(|text| Cell::Text(text.into())).into(),
        (_, ColumnKind::Integer) => [i64::MIN, 0, i64::MAX].map(Cell::Integer).into(),
        (_, ColumnKind::Boolean) => vec![Cell::Boolean(true)],
        (_, ColumnKind::Usd) => {
            [Usd::from_parts(i64::MIN, 0), Usd::from_picos(-1), Usd::ZERO, greatest].map(Cell::Usd).into()
        }
        (_, ColumnKind::Decimal) => ["0.0000000000000000000000000001", "-79228162514264337593543950335"]
            .map(|number| Cell::Decimal(number.parse().unwrap()))
            .into(),
        (_, ColumnKind::Timestamp) => {
            [i64::MIN, i64::MAX].map(|nanos| Cell::Timestamp(Timestamp::from_nanos(nanos))).into()
        }
    }
}

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&schema::ddl()).unwrap();
    connection
}

fn write(connection: &Connection, event: &CostEvent) -> Result<(), LedgerError> {
    let mut upsert = connection.prepare(&UPSERT_EVENT).unwrap();
    let next = bind(&mut upsert, event)?;
    upsert.raw_bind_parameter(next, 1).unwrap();
    upsert.raw_bind_parameter(next + 1, 1).unwrap();
    upsert.raw_execute().unwrap();
    Ok(())
}

fn read_back(connection: &Connection, event: &CostEvent) -> Result<CostEvent, LedgerError> {
    let mut select = connection.prepare(&SELECT_EVENT).unwrap();
    let mut rows = select.query([event.event_id.as_str()]).unwrap();
    read(rows.next().unwrap().unwrap(), 1)
}

#[test]
fn every_column_keeps_its_limits_and_null() {
    for column in COLUMNS {
        let null = column.nullable.then_some(Cell::Null);
        for value in limits(column).into_iter().chain(null) {
            let connection = connection();
            let mut event = CostEvent::default();
            (column.set)(&mut event, value).unwrap();
            write(&connection, &event).unwrap();
            assert_eq!(read_back(&connection, &event).unwrap(), event, "{}", column.name);
        }
    }
}

#[test]
fn a_later_state_replaces_every_column() {
    for column in COLUMNS.iter().filter(|column| column.name != "event_id") {
        let connection = connection();
        let mut event = CostEvent::default();
        write(&connection, &event).unwrap();
        (column.set)(&mut event, limits(column).remove(0)).unwrap();
        write(&connection, &event).unwrap();
        assert_eq!(read_back(&connection, &event).unwrap(), event, "{}", column.name);
    }
}

#[test]
fn an_amount_that_is_too_large_is_an_error_that_names_its_column() {
    let event = CostEvent { cost_usd: Some(Usd::from_picos(i128::MAX)), ..CostEvent::default() };
    let error = write(&connection(), &event).unwrap_err();
    let is_named = matches!(error, LedgerError::Unstorable(RowError::OutOfRange { column: "cost_usd", .. }));
    assert!(is_named, "{error:?}");
}

#[test]
fn a_damaged_value_is_an_error_that_names_its_column() {
    for (set, column) in
        [("state = 'dead'", "state"), ("audio_seconds = 'x'", "audio_seconds"), ("dims = '['", "dims")]
    {
        let connection = connection();
        let event = CostEvent::default();
        write(&connection, &event).unwrap();
        connection.execute_batch(&format!("UPDATE event SET {set}")).unwrap();
        let error = match read_back(&connection, &event).unwrap_err() {
            LedgerError::Damaged(error) => error,
            other => panic!("{other:?}"),
        };
        assert!(error.to_string().contains(&format!("`{column}`")), "{error}");
    }
}
