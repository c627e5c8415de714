use proptest::prelude::*;
use rusqlite::Connection;
use spanledger_event::Usd;

use super::*;
use crate::words::{Unknown, Words};

const USAGE: &str =
    r#"{"prompt_tokens":1200,"completion_tokens":0,"details":{"cached":640,"50% \"7\"":-1.50e3,"id":"a1"}}"#;

#[test]
fn the_form_of_a_usage_object_has_no_numbers_and_gives_the_text_back() {
    let split = split(USAGE).unwrap();
    assert_eq!(
        split.form,
        r#"{"prompt_tokens":%s,"completion_tokens":%s,"details":{"cached":%s,"50%% \"7\"":%s,"id":"a1"}}"#
    );
    assert_eq!(split.numbers, r#"[1200,0,640,"-1.50e3"]"#);
    assert_eq!(join(&split.form, &split.numbers).unwrap(), USAGE);
}

#[test]
fn sqlite_puts_the_same_text_together() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE word (id INTEGER, text TEXT)").unwrap();
    let split = split(USAGE).unwrap();
    connection.execute("INSERT INTO word VALUES (7, ?)", [&split.form]).unwrap();
    let sql = format!("SELECT {} FROM (SELECT ?1 AS f, ?2 AS n)", sql("f", "n"));
    let read = |form: Option<i64>, numbers: &str| -> String {
        connection.query_row(&sql, (form, numbers), |row| row.get(0)).unwrap()
    };
    assert_eq!(read(Some(7), &split.numbers), USAGE);
    assert_eq!(read(None, USAGE), USAGE);
}

#[test]
fn cost_lines_keep_their_rates_in_the_form() {
    let line = CostLine {
        kind: "input".into(),
        quantity: 1_200.into(),
        unit: "1M tokens".into(),
        rate: "2.5".parse().unwrap(),
        usd: Usd::from_picos(3_000_000_000),
    };
    let lines = [line.clone(), line];
    let (form, mut numbers) = (line_form(&lines).unwrap(), "old".to_owned());
    line_numbers(&lines, &mut numbers);
    assert_eq!(numbers, r#"[1200,"0.003",1200,"0.003"]"#);
    assert_eq!(join(&form, &numbers).unwrap(), serde_json::to_string(&lines).unwrap());
}

fn line() -> impl Strategy<Value = CostLine> {
    let decimal = || (any::<i64>(), 0..20_u32).prop_map(|(n, scale)| rust_decimal::Decimal::new(n, scale));
    let whole = any::<u64>().prop_map(rust_decimal::Decimal::from);
    let quantity = prop_oneof![whole, decimal()];
    let picos =
        prop_oneof![any::<i64>(), 0..3_000_000_000_000_i64, (0..5_i64).prop_map(|n| n * 10_i64.pow(12))];
    ("[a-b%\"]{0,2}", quantity, "[a-b]{0,1}", decimal(), picos).prop_map(
        |(kind, quantity, unit, rate, picos)| CostLine {
            kind: kind.into(),
            quantity: quantity.normalize(),
            unit: unit.into(),
            rate: rate.normalize(),
            usd: Usd::from_picos(picos.into()),
        },
    )
}

proptest! {
    #[test]
    fn all_cost_lines_are_given_back(many in proptest::collection::vec(
        proptest::collection::vec(line(), 1..14), 1..8,
    )) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(crate::words::DDL).unwrap();
        // Half of the forms are words.
        for lines in many.iter().step_by(2) {
            if let Some(form) = line_form(lines) {
                connection.execute("INSERT INTO word (text) VALUES (?)", [form]).unwrap();
            }
        }
        let (mut words, mut unknown) = (Words::default(), Unknown::default());
        words.load(&connection).unwrap();
        let mut words = Lookup::new(&words, &mut unknown);
        let (mut forms, mut numbers) = (LineForms::default(), String::new());
        // Each is looked up twice, so that known forms are used too.
        for lines in many.iter().chain(&many) {
            let form = line_form(lines);
            let word = form.as_deref().and_then(|form| words.dictionary().number(form));
            prop_assert_eq!(forms.of(lines, &mut words), word);
            line_numbers(lines, &mut numbers);
            match form {
                Some(form) => {
                    prop_assert_eq!(join(&form, &numbers), Some(serde_json::to_string(lines).unwrap()));
                }
                None => prop_assert!(lines.len() > NUMBERS_MAX / 2),
            }
        }
    }
}

proptest! {
    #[test]
    fn every_json_text_is_given_back(value in json()) {
        let text = value.to_string();
        if let Some(split) = split(&text) {
            prop_assert_eq!(join(&split.form, &split.numbers), Some(text));
        }
    }

    #[test]
    fn any_text_can_be_split_without_a_panic(text in ".{0,40}") {
        if let Some(split) = split(&text) {
            prop_assert_eq!(join(&split.form, &split.numbers), Some(text));
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        (-1e9..1e9_f64).prop_map(serde_json::Value::from),
        "[a-z%\"\\\\0-9é,]{0,6}".prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-z%\"0-9]{0,5}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
