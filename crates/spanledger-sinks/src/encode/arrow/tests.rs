use arrow_array::{Array, cast::AsArray, types};
use proptest::prelude::*;
use spanledger_event::{COLUMNS, JsonText, Timestamp, Usd};

use super::*;
use crate::encode::test_events::{PICOS_MAX, any_event, any_selection, event_with, values};

fn encode(columns: &Columns, events: &[CostEvent]) -> Encoded {
    ArrowBatches::new(columns.clone()).encode(&events.iter().collect::<Vec<_>>()).unwrap()
}

/// The value of an array as the value of a column.
fn cell(column: &Column, array: &dyn Array, row: usize) -> Cell<'static> {
    if array.is_null(row) {
        return Cell::Null;
    }
    let text = || array.as_string::<i32>().value(row).to_owned().into();
    let decimal = || array.as_primitive::<types::Decimal128Type>();
    match column.kind {
        ColumnKind::Text => Cell::Text(text()),
        ColumnKind::Json => Cell::Json(text()),
        ColumnKind::Integer => Cell::Integer(array.as_primitive::<types::Int64Type>().value(row)),
        ColumnKind::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        ColumnKind::Usd => Cell::Usd(Usd::from_picos(decimal().value(row))),
        ColumnKind::Decimal => Cell::Decimal(decimal().value_as_string(row).parse().unwrap()),
        ColumnKind::Timestamp => {
            let micros = array.as_primitive::<types::TimestampMicrosecondType>().value(row);
            Cell::Integer(micros)
        }
    }
}

/// The event of a row. Its moments are those that the row has.
pub(crate) fn event_of_row(batch: &RecordBatch, row: usize) -> CostEvent {
    let mut event = CostEvent::default();
    for column in COLUMNS {
        let Some(array) = batch.column_by_name(column.name) else { continue };
        let value = match (column.kind, cell(column, array, row)) {
            (ColumnKind::Timestamp, Cell::Integer(micros)) => {
                Cell::Timestamp(Timestamp::from_nanos(micros * 1_000))
            }
            (_, value) => value,
        };
        (column.set)(&mut event, value).unwrap();
    }
    event
}

/// Compares every cell of the batches with the events.
fn compare(columns: &Columns, events: &[CostEvent]) {
    let encoded = encode(columns, events);
    assert_eq!(encoded.rejected, []);
    let rows: usize = encoded.batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, events.len());
    let mut events = events.iter();
    for batch in &encoded.batches {
        for row in 0..batch.num_rows() {
            let event = events.next().unwrap();
            for (column, array) in columns.iter().zip(batch.columns()) {
                let expected = match (column.get)(event) {
                    Cell::Timestamp(moment) => Cell::Integer(moment.nanos().div_euclid(1_000)),
                    expected => expected,
                };
                assert_eq!(cell(column, array, row), expected, "{}", column.name);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_events_have_their_values_in_the_columns_of_their_rows(
        events in proptest::collection::vec(any_event(), 0..4),
        columns in any_selection(),
    ) {
        compare(&columns, &events);
    }
}

#[test]
fn every_unusual_value_of_every_column_is_kept() {
    for column in COLUMNS {
        let events: Vec<_> = values(column).into_iter().map(|value| event_with(column, value)).collect();
        compare(&Columns::default(), &events);
    }
}

#[test]
fn the_schema_has_the_types_and_the_nullability_of_the_table() {
    let schema = ArrowBatches::new(Columns::default()).schema();
    assert_eq!(schema.fields().len(), COLUMNS.len());
    for (field, column) in schema.fields().iter().zip(COLUMNS) {
        assert_eq!((field.name().as_str(), field.is_nullable()), (column.name, column.nullable));
    }
    let data_type = |name: &str| schema.field_with_name(name).unwrap().data_type().to_string();
    assert_eq!(data_type("cost_usd"), "Decimal128(24, 12)");
    assert_eq!(data_type("audio_seconds"), "Decimal128(38, 18)");
    assert_eq!(data_type("timestamp"), "Timestamp(µs, \"UTC\")");
    assert_eq!(data_type("dims"), "Utf8");
}

#[test]
fn a_moment_is_rounded_down_to_the_microsecond_also_before_1970() {
    let events = [1_999, -1]
        .map(|nanos| CostEvent { timestamp: Timestamp::from_nanos(nanos), ..CostEvent::default() });
    let encoded = encode(&Columns::default(), &events);
    let array = encoded.batches[0].column_by_name("timestamp").unwrap();
    let micros = array.as_primitive::<types::TimestampMicrosecondType>();
    assert_eq!(micros.values().as_ref(), &[1, -1]);
}

/// Scenario: some rows of several record batches hold values that do not fit; the others do not suffer.
#[test]
fn a_value_out_of_range_is_an_error_of_its_row() {
    let beyond = |picos| CostEvent { cost_usd: Some(Usd::from_picos(picos)), ..CostEvent::default() };
    let seconds =
        |number: &str| CostEvent { audio_seconds: Some(number.parse().unwrap()), ..CostEvent::default() };
    let mut events: Vec<CostEvent> = (0..ROWS_MAX + 10)
        .map(|n| CostEvent { revision: i64::try_from(n).unwrap(), ..CostEvent::default() })
        .collect();
    let wrong = [
        (0, beyond(PICOS_MAX + 1), "cost_usd"),
        (3, beyond(i128::MIN), "cost_usd"),
        (4, seconds("0.0000000000000000001"), "audio_seconds"),
        (5, seconds("79228162514264337593543950335"), "audio_seconds"),
        (ROWS_MAX, beyond(-PICOS_MAX - 1), "cost_usd"),
        (
            ROWS_MAX + 9,
            CostEvent {
                usage_raw: JsonText::new(format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX))),
                ..CostEvent::default()
            },
            "usage_raw",
        ),
    ];
    for (index, event, _) in &wrong {
        events[*index] = event.clone();
    }
    let encoded = encode(&Columns::default(), &events);
    let rejected: Vec<(usize, &str)> =
        encoded.rejected.iter().map(|error| (error.index, error.column)).collect();
    assert_eq!(rejected, wrong.each_ref().map(|(index, _, column)| (*index, *column)));
    let mut revisions = Vec::new();
    for batch in &encoded.batches {
        let array = batch.column_by_name("revision").unwrap();
        revisions.extend_from_slice(array.as_primitive::<types::Int64Type>().values());
    }
    let expected: Vec<i64> = (0..ROWS_MAX + 10)
        .filter(|index| !wrong.iter().any(|(wrong, ..)| wrong == index))
        .map(|index| i64::try_from(index).unwrap())
        .collect();
    assert_eq!(revisions, expected);
    assert_eq!(encoded.rejected[0].to_string(), "`cost_usd`: 1000000000000 does not fit DECIMAL(24,12)");
}

#[test]
fn without_a_row_that_fits_there_is_no_batch() {
    let event = CostEvent { cost_usd: Some(Usd::from_picos(i128::MAX)), ..CostEvent::default() };
    let encoded = encode(&Columns::default(), &[event]);
    assert_eq!((encoded.batches.len(), encoded.rejected.len()), (0, 1));
    assert!(encode(&Columns::default(), &[]).batches.is_empty());
}
