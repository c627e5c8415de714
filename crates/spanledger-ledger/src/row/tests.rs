use rusqlite::Connection;
use spanledger_event::{ColumnKind, Timestamp, Usd};

use super::*;
use crate::{
    LedgerError,
    words::{Lookup, Unknown, Words},
};

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

fn connection() -> (Connection, Words) {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&schema::ddl()).unwrap();
    crate::open::identify(&connection).unwrap();
    let mut words = Words::default();
    words.load(&connection).unwrap();
    (connection, words)
}

fn write(connection: &Connection, words: &Words, event: &CostEvent, sql: &str) -> Result<(), RowError> {
    let mut unknown = Unknown::default();
    let mut words = Lookup::new(words, &mut unknown);
    let mut packer = RowPacker::new(&mut words);
    let row = pack(event, Inherited::default(), &mut packer)?;
    let head = Head { seq: 1, change_seq: 1, evidence: 1, epoch: None };
    super::write(&mut RowStatement::new(connection, sql).unwrap(), &packer.finish(), &row, head).unwrap();
    Ok(())
}

fn read_back(connection: &Connection, words: &Words) -> Result<CostEvent, LedgerError> {
    let mut select = connection.prepare(&SELECT_EVENT).unwrap();
    let mut rows = select.query([1]).unwrap();
    read(rows.next().unwrap().unwrap(), words, &mut Forms::default())
}

#[test]
fn the_columns_that_are_taken_from_the_evidence_have_the_forms_for_it() {
    for column in COLUMNS {
        let form = matches!(storage::form(column), Form::Hex | Form::Inherited | Form::Template);
        assert_eq!(Inherited::place(column.name).is_some(), form, "{}", column.name);
    }
}

#[test]
fn every_column_keeps_its_limits_and_null() {
    for column in COLUMNS {
        let null = column.nullable.then_some(Cell::Null);
        for value in limits(column).into_iter().chain(null) {
            let (connection, words) = connection();
            let mut event = CostEvent::default();
            (column.set)(&mut event, value).unwrap();
            write(&connection, &words, &event, &INSERT_EVENT).unwrap();
            assert_eq!(read_back(&connection, &words).unwrap(), event, "{}", column.name);
        }
    }
}

#[test]
fn a_later_state_replaces_every_column() {
    for column in COLUMNS {
        let (connection, words) = connection();
        let mut event = CostEvent::default();
        write(&connection, &words, &event, &INSERT_EVENT).unwrap();
        (column.set)(&mut event, limits(column).remove(0)).unwrap();
        write(&connection, &words, &event, &REPLACE_EVENT).unwrap();
        assert_eq!(read_back(&connection, &words).unwrap(), event, "{}", column.name);
        write(&connection, &words, &CostEvent::default(), &REPLACE_EVENT).unwrap();
        assert_eq!(read_back(&connection, &words).unwrap(), CostEvent::default(), "{}", column.name);
    }
}

#[test]
fn an_amount_that_is_too_large_is_an_error_that_names_its_column() {
    let event = CostEvent { cost_usd: Some(Usd::from_picos(i128::MAX)), ..CostEvent::default() };
    let (connection, words) = connection();
    let error = write(&connection, &words, &event, &INSERT_EVENT).unwrap_err();
    assert!(matches!(error, RowError::OutOfRange { column: "cost_usd", .. }), "{error:?}");
}

#[test]
fn a_damaged_value_is_an_error_that_names_its_column() {
    for (set, column) in
        [("state = 'dead'", "state"), ("audio_seconds = 'x'", "audio_seconds"), ("dims = '['", "dims")]
    {
        let (connection, words) = connection();
        write(&connection, &words, &CostEvent::default(), &INSERT_EVENT).unwrap();
        connection.execute_batch(&format!("UPDATE event SET {set}")).unwrap();
        let error = match read_back(&connection, &words).unwrap_err() {
            LedgerError::Damaged(error) => error,
            other => panic!("{other:?}"),
        };
        assert!(error.to_string().contains(&format!("`{column}`")), "{error}");
    }
}
