use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::template::{line_form, line_numbers, split};

/// A dictionary with these words, and the number of the first.
fn dictionary(texts: &[&str]) -> (Words, i64) {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(crate::words::DDL).unwrap();
    for (number, text) in (1_i64..).zip(texts) {
        connection.execute("INSERT INTO word (id, text) VALUES (?, ?)", (number, text)).unwrap();
    }
    let mut words = Words::default();
    words.load(&connection).unwrap();
    (words, 1)
}

fn line(kind: &'static str, quantity: &str, unit: &'static str, rate: &str, usd: &str) -> CostLine {
    CostLine {
        kind: kind.into(),
        quantity: quantity.parse().unwrap(),
        unit: unit.into(),
        rate: rate.parse().unwrap(),
        usd: usd.parse().unwrap(),
    }
}

#[test]
fn a_text_of_a_known_form_is_put_together_from_its_numbers() {
    let texts = [
        r#"{"a":1,"b 100% \"7\"":[0,-2.50e3,12345678901234567890],"c":null}"#,
        r#"{"a":7,"b 100% \"7\"":[5,1.0,3],"c":null}"#,
    ];
    let splits = texts.map(|text| split(text).unwrap());
    assert_eq!(splits[0].form, splits[1].form);
    let (words, form) = dictionary(&[&splits[0].form]);
    let mut forms = Forms::default();
    for (text, split) in texts.iter().zip(&splits) {
        assert_eq!(forms.text(form, &split.numbers, &words).unwrap().unwrap().as_str(), *text);
    }
}

#[test]
fn numbers_that_do_not_fit_the_form_and_forms_that_are_no_json_are_found() {
    let (words, form) = dictionary(&[r#"{"a":%s,"b":%s}"#, r#"{"a":%s"#, "%d", r#"{ "a":%s}"#]);
    let mut forms = Forms::default();
    assert!(forms.text(form, "[1,2]", &words).unwrap().is_some());
    for numbers in
        ["[1]", "[1,2,3]", "[]", "1,2", "[1,x]", r#"[1,"2}"]"#, r#"[1,"1-2"]"#, r#"[1,"01"]"#, "[1,]"]
    {
        assert!(forms.text(form, numbers, &words).is_err(), "{numbers}");
    }
    for other in [form + 1, form + 2, form + 3] {
        assert!(forms.text(other, "[1]", &words).unwrap().is_none());
    }
    assert!(matches!(forms.text(9, "[1]", &words), Err(RowError::Word(9))));
    assert!(matches!(forms.lines(9, "[1]", &words), Err(RowError::Word(9))));
}

#[test]
fn lines_whose_rates_are_numbers_of_the_form_are_read_in_the_ordinary_way() {
    let lines = [line("input", "3", TOKENS, "5", "0.000015")];
    let split = split(&serde_json::to_string(&lines).unwrap()).unwrap();
    let (words, form) = dictionary(&[&split.form]);
    assert_eq!(Forms::default().lines(form, &split.numbers, &words).unwrap(), None);
}

fn number() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0..13_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

proptest! {
    #[test]
    fn lines_of_a_known_form_are_those_that_were_written(
        kinds in proptest::collection::vec((0..3_usize, number()), 1..4),
        values in proptest::collection::vec((number(), -10_i128.pow(15)..10_i128.pow(15)), 8),
    ) {
        let of = |values: &[(Decimal, i128)]| -> Vec<CostLine> {
            kinds.iter().zip(values).map(|((kind, rate), (quantity, picos))| CostLine {
                kind: ["input", "a \"kind\" 100%", "images"][*kind].into(),
                quantity: quantity.normalize(),
                unit: ["1M tokens", "call"][*kind % 2].into(),
                rate: rate.normalize(),
                usd: Usd::from_picos(*picos),
            }).collect()
        };
        let (first, second) = (of(&values[..4]), of(&values[4..]));
        let (words, form) = dictionary(&[&line_form(&first).unwrap()]);
        let mut forms = Forms::default();
        for lines in [first, second] {
            let mut numbers = String::new();
            line_numbers(&lines, &mut numbers);
            prop_assert_eq!(forms.lines(form, &numbers, &words).unwrap().unwrap(), lines);
        }
    }
}

#[test]
fn numbers_of_lines_that_do_not_fit_are_found() {
    let lines = [line("input", "3", TOKENS, "5", "0.000015")];
    let (words, form) = dictionary(&[&line_form(&lines).unwrap()]);
    let mut forms = Forms::default();
    assert_eq!(forms.lines(form, r#"[3,"0.000015"]"#, &words).unwrap().unwrap(), lines);
    for numbers in ["[3]", "[3,1,2]", "[x,1]", "[3,y]", "3,1"] {
        assert!(forms.lines(form, numbers, &words).is_err(), "{numbers}");
    }
}
