use proptest::prelude::*;
use spanledger_event::CostEvent;

use super::*;
use crate::encode::test_events::{any_event, any_selection, event_with, values};

fn line(columns: &Columns, event: &CostEvent) -> String {
    let mut out = Vec::new();
    JsonLine::new(columns.clone()).write(&SharedEvent::new(event.clone()), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The event that a reader has if only these columns were written.
fn only(columns: &Columns, event: &CostEvent) -> CostEvent {
    let mut copy = CostEvent::default();
    for column in columns.iter() {
        (column.set)(&mut copy, (column.get)(event)).unwrap();
    }
    copy
}

proptest! {
    #[test]
    fn any_event_is_read_back_from_the_columns_of_its_line(event in any_event(), columns in any_selection()) {
        let text = line(&columns, &event);
        prop_assert_eq!(text.find('\n'), Some(text.len() - 1), "one line");
        prop_assert_eq!(serde_json::from_str::<CostEvent>(&text).unwrap(), only(&columns, &event));
    }
}

#[test]
fn every_unusual_value_of_every_column_is_read_back() {
    for column in Columns::default().iter() {
        for value in values(column) {
            let event = event_with(column, value);
            let text = line(&Columns::default(), &event);
            assert_eq!(serde_json::from_str::<CostEvent>(&text).unwrap(), event, "{}: {text}", column.name);
        }
    }
}

#[test]
fn a_column_that_is_left_out_is_not_in_the_line() {
    let columns = Columns::from_options(&[], &["attempts".to_owned()]).unwrap();
    let event = CostEvent { attempts: 3, ..CostEvent::default() };
    assert!(line(&Columns::default(), &event).contains(r#""attempts":3"#));
    assert!(!line(&columns, &event).contains("attempts"));
}
