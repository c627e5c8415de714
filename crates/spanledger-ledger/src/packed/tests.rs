use rusqlite::{Connection, types::Value};

use super::*;
use crate::{
    row::EVENT_COLUMNS,
    words::{Unknown, Words},
};

#[test]
fn every_value_is_bound_to_its_parameter_and_the_others_are_null() {
    let (words, mut unknown) = (Words::default(), Unknown::default());
    let mut words = Lookup::new(&words, &mut unknown);
    let mut packer = RowPacker::new(&mut words);
    let (first, id) = (packer.begin(), "00f067aa0ba902b7");
    packer.integer(2, -7);
    packer.text(3, "a\0b");
    packer.hex(5, id);
    let first = packer.end(first);
    let second = packer.begin();
    packer.word(1, "");
    packer.uuid(4, id);
    let second = packer.end(second);
    let forgotten = packer.begin();
    packer.integer(1, 1);
    packer.undo(forgotten);
    let rows = packer.finish();
    assert_eq!(rows.0.len(), second.0.end);

    let connection = Connection::open_in_memory().unwrap();
    let mut statement = RowStatement::new(&connection, "SELECT ?1, ?2, ?3, ?4, ?5").unwrap();
    let mut read = |row: &PackedRow| -> Vec<Value> {
        rows.bind(row, &mut statement).unwrap();
        let mut answer = statement.statement.raw_query();
        let answer = answer.next().unwrap().unwrap();
        (0..5).map(|index| answer.get(index).unwrap()).collect()
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let bytes = vec![0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
    assert_eq!(
        read(&first),
        [Value::Null, Value::Integer(-7), text("a\0b"), Value::Null, Value::Blob(bytes)]
    );
    assert_eq!(read(&second), [text(""), Value::Null, Value::Null, text(id), Value::Null]);
    assert_eq!(read(&first)[0], Value::Null);
}

#[test]
fn the_columns_of_an_event_have_a_bit_each() {
    assert!(EVENT_COLUMNS.split(',').count() < 128);
}
