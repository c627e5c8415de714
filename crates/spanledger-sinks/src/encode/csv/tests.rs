use proptest::prelude::*;
use spanledger_event::{Column, Timestamp, Usd};

use super::*;
use crate::encode::test_events::{any_event, any_selection, event_with, values};

fn table(columns: &Columns, events: &[CostEvent]) -> Vec<u8> {
    let csv = Csv::new(columns.clone());
    let mut out = Vec::new();
    csv.write_header(&mut out).unwrap();
    for event in events {
        csv.write(event, &mut out).unwrap();
    }
    out
}

/// Compares a table, as the crate `csv` reads it, with the events.
fn compare(columns: &Columns, events: &[CostEvent]) {
    let table = table(columns, events);
    let mut reader = ::csv::Reader::from_reader(table.as_slice());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, columns.iter().map(|column| column.name).collect::<Vec<_>>());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.iter().zip(events) {
        for (column, field) in columns.iter().zip(row) {
            assert!(is_same(column, event, field), "{}: {field:?} of {event:?}", column.name);
        }
    }
}

/// Whether a field holds the column's value. The reader does not tell an absent value from an empty text.
fn is_same(column: &Column, event: &CostEvent, field: &str) -> bool {
    match (column.get)(event) {
        Cell::Null => field.is_empty(),
        Cell::Text(text) | Cell::Json(text) => field == text,
        Cell::Integer(number) => field.parse() == Ok(number),
        Cell::Boolean(truth) => field.parse() == Ok(truth),
        Cell::Usd(amount) => field.parse::<Usd>() == Ok(amount),
        Cell::Decimal(number) => field.parse() == Ok(number),
        Cell::Timestamp(moment) => Timestamp::parse(field) == Some(moment),
    }
}

proptest! {
    #[test]
    fn any_events_are_read_back_from_the_columns_of_their_rows(
        events in proptest::collection::vec(any_event(), 0..4),
        columns in any_selection(),
    ) {
        compare(&columns, &events);
    }
}

#[test]
fn every_unusual_value_of_every_column_is_read_back() {
    for column in Columns::default().iter() {
        let events: Vec<_> = values(column).into_iter().map(|value| event_with(column, value)).collect();
        compare(&Columns::default(), &events);
    }
}

#[test]
fn an_absent_value_is_an_empty_field_and_an_empty_text_is_quoted() {
    let columns = Columns::from_options(&["feature".to_owned(), "route".to_owned()], &[]).unwrap();
    let event = CostEvent {
        event_id: spanledger_event::EventId::from_text("e1"),
        revision: 1,
        feature: None,
        route: Some(String::new()),
        ..CostEvent::default()
    };
    let table = String::from_utf8(table(&columns, &[event])).unwrap();
    assert_eq!(table, "event_id,revision,state,feature,route\ne1,1,live,,\"\"\n");
}

#[test]
fn quotes_commas_and_line_breaks_are_quoted() {
    let columns = Columns::from_options(&["feature".to_owned()], &[]).unwrap();
    for (text, field) in [
        ("plain text ü", "plain text ü"),
        ("a,b", "\"a,b\""),
        ("say \"yes\"", "\"say \"\"yes\"\"\""),
        ("\"", "\"\"\"\""),
        ("a\r\nb", "\"a\r\nb\""),
    ] {
        let event = CostEvent { feature: Some(text.to_owned()), ..CostEvent::default() };
        let mut row = Vec::new();
        Csv::new(columns.clone()).write(&event, &mut row).unwrap();
        let row = String::from_utf8(row).unwrap();
        assert!(row.ends_with(&format!(",live,{field}\n")), "{row}");
    }
}
