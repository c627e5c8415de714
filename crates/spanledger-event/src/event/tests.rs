use std::collections::BTreeSet;

use expect_test::expect_file;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::{CostLine, Timestamp};

fn full() -> CostEvent {
    CostEvent {
        event: "openai.request".into(),
        event_id: EventId::from_text("0190d5c8-0000-8000-8000-000000000001"),
        request_id: Some("order-7".into()),
        revision: 2,
        timestamp: Timestamp::parse("2026-11-21T10:00:00.25Z").unwrap(),
        feature: Some("search".into()),
        route: Some("/search".into()),
        customer_id: Some("acme \"quoted\"".into()),
        environment: Some("production".into()),
        provider: "openai".into(),
        endpoint: "chat".into(),
        model: Some("gpt-5.5".into()),
        response_model: Some("gpt-5.5-2026-04-23".into()),
        service_tier: Some("default".into()),
        prompt_tokens: Some(15_234),
        cached_tokens: Some(12_000),
        cache_write_tokens: Some(0),
        completion_tokens: Some(812),
        reasoning_tokens: Some(4_500),
        audio_seconds: Some("1.50".parse().unwrap()),
        usage_source: UsageSource::Provider,
        latency_ms: Some(1_834),
        cost_usd: Some("0.18153".parse().unwrap()),
        cost_state: "priced".into(),
        cost_lines: vec![CostLine {
            kind: "input".into(),
            quantity: 3_234.into(),
            unit: "1M tokens".into(),
            rate: "5.00".parse().unwrap(),
            usd: "0.01617".parse().unwrap(),
        }],
        price_version: Some("2026-11-20+0123456789ab".into()),
        priced_at: Timestamp::parse("2026-11-21T10:00:00.25Z"),
        usage_raw: JsonText::new(r#"{"prompt_tokens": 15234}"#),
        retry_cost_usd: Some(Usd::ZERO),
        billed_usd: Some("0.18153".parse().unwrap()),
        attempts: 1,
        emitter: "spanledger".into(),
        flags: vec![Flag::PossibleDuplicate],
        dims: [("team".to_owned(), "growth".to_owned())].into(),
        ..CostEvent::default()
    }
}

#[test]
fn the_json_form_is_pinned() {
    let json = serde_json::to_string(&full()).unwrap();
    expect_file!["../../tests/golden/event.v1.json"].assert_eq(&format!("{json}\n"));
    let minimal =
        serde_json::to_string(&CostEvent { cost_state: "unpriced".into(), ..CostEvent::default() }).unwrap();
    expect_file!["../../tests/golden/event.v1.minimal.json"].assert_eq(&format!("{minimal}\n"));
}

#[test]
fn an_event_is_read_back_from_its_json() {
    for event in [full(), CostEvent::default()] {
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<CostEvent>(&json).unwrap(), event);
    }
}

/// Providers format their usage over many lines; the JSON form of an event has one line.
#[test]
fn a_json_text_is_put_on_one_line_and_keeps_its_literals() {
    let text = "{\n  \"a b\": [1.50, \"x \\\" \\\\\"],\r\n\t\"c\": 12345678901234567890.10\n}\n";
    assert_eq!(
        JsonText::new(text).unwrap().as_str(),
        r#"{"a b":[1.50,"x \" \\"],"c":12345678901234567890.10}"#
    );
    assert_eq!(JsonText::new("{\"a\":"), None);
    assert_eq!(JsonText::new(" null\n"), None, "null is the absence of a value");
}

#[test]
fn the_text_of_a_shared_event_is_that_of_serde_with_and_without_columns() {
    for event in [full(), CostEvent::default()] {
        let shared = SharedEvent::new(event.clone());
        assert_eq!(shared.json(), serde_json::to_string(&event).unwrap());
        assert_eq!((shared.model.as_deref(), &*shared), (event.model.as_deref(), &event));
        for names in [&["event", "dims"][..], &["usage_raw", "cost_lines"], &[]] {
            let columns: Vec<&Column> = names.iter().map(|name| Column::named(name).unwrap()).collect();
            let form = event.with_columns(&columns);
            let mut text = b"before ".to_vec();
            form.write_to(&mut text);
            assert_eq!(
                String::from_utf8(text).unwrap(),
                format!("before {}", serde_json::to_string(&form).unwrap())
            );
        }
    }
}

#[test]
fn an_event_is_restored_from_its_cells() {
    let event = full();
    let mut copy = CostEvent::default();
    for column in COLUMNS {
        (column.set)(&mut copy, (column.get)(&event)).unwrap();
    }
    assert_eq!(copy, event);
}

/// Values at the limits of the column's type, and unusual ones.
fn values(column: &Column) -> Vec<Cell<'static>> {
    let json = |texts: &[&'static str]| texts.iter().map(|text| Cell::Json((*text).into())).collect();
    match (column.name, column.kind) {
        ("state", _) => EventState::ALL.map(|state| Cell::Text(state.as_str().into())).into(),
        ("usage_source", _) => UsageSource::ALL.map(|source| Cell::Text(source.as_str().into())).into(),
        ("flags", _) => json(&["[]", r#"["possible_duplicate","usage_not_understood"]"#]),
        ("dims", _) => json(&["{}", r#"{"a":"\"\\\n|","ü":""}"#]),
        ("cost_lines", _) => json(&[
            "[]",
            r#"[{"kind":"input","quantity":0.000000000001,"unit":"1M tokens","rate":5,"usd":-1.5}]"#,
        ]),
        (_, ColumnKind::Json) => json(&["{}", r#"[1.50,"x \" \\",12345678901234567890.10,{"a b":null}]"#]),
        (_, ColumnKind::Text) => ["", "a", "null", "\"quoted\"\\", "a\nb\t\u{0}", "Größe 🦀", "\u{202e}"]
            .map(|text| Cell::Text(text.into()))
            .into(),
        (_, ColumnKind::Integer) => [i64::MIN, -1, 0, 1, i64::MAX].map(Cell::Integer).into(),
        (_, ColumnKind::Boolean) => [false, true].map(Cell::Boolean).into(),
        (_, ColumnKind::Usd) => {
            let greatest = 10_i128.pow(24) - 1; // of DECIMAL(24,12)
            [-greatest, -1, 0, 1, greatest].map(|picos| Cell::Usd(Usd::from_picos(picos))).into()
        }
        (_, ColumnKind::Decimal) => {
            ["0", "1.50", "-0.0000000000000000000000000001", "79228162514264337593543950335"]
                .map(|number| Cell::Decimal(number.parse().unwrap()))
                .into()
        }
        (_, ColumnKind::Timestamp) => {
            [i64::MIN, -1, 0, 1, i64::MAX].map(|nanos| Cell::Timestamp(Timestamp::from_nanos(nanos))).into()
        }
    }
}

#[test]
fn every_column_keeps_every_value_as_a_cell_and_in_json() {
    for column in COLUMNS {
        for value in values(column) {
            let mut event = CostEvent::default();
            (column.set)(&mut event, value.clone()).unwrap();
            assert_eq!((column.get)(&event), value, "{}", column.name);
            let json = serde_json::to_string(&event).unwrap();
            assert!(!json.contains('\n'), "the JSON of an event has one line: {json}");
            assert_eq!(SharedEvent::new(event.clone()).json(), json, "the text differs from serde's");
            assert_eq!(serde_json::from_str::<CostEvent>(&json).unwrap(), event, "{}: {json}", column.name);
        }
    }
}

#[test]
fn a_cell_that_does_not_fit_is_an_error_that_names_the_column() {
    for column in COLUMNS {
        let mut event = full();
        let wrong = match column.kind {
            ColumnKind::Boolean => Cell::Integer(1),
            _ => Cell::Boolean(true),
        };
        let error = (column.set)(&mut event, wrong).unwrap_err();
        assert_eq!((error.column, &event), (column.name, &full()), "the event has changed");
        assert_eq!((column.set)(&mut event, Cell::Null).is_ok(), column.nullable, "{}", column.name);
    }
    let mut event = full();
    let state = Column::named("state").unwrap();
    assert_eq!((state.set)(&mut event, Cell::Text("dead".into())).unwrap_err().expected, "an event state");
}

#[test]
fn every_column_has_a_unique_name_and_documentation() {
    let names: BTreeSet<_> = COLUMNS.iter().map(|c| c.name).collect();
    assert_eq!(names.len(), COLUMNS.len(), "two columns have the same name");
    for column in COLUMNS {
        assert!(column.doc.trim().len() > 8, "{} has no documentation", column.name);
        assert_eq!(matches!(column.kind, ColumnKind::Usd), column.name.ends_with("_usd"), "{}", column.name);
    }
}

#[test]
fn a_column_of_a_later_version_is_skipped_and_a_bad_value_is_named() {
    let event: CostEvent =
        serde_json::from_str(r#"{"event":"openai.request","from_the_future":{"a":[1]}}"#).unwrap();
    assert_eq!(event.event, "openai.request");
    let error = serde_json::from_str::<CostEvent>(r#"{"cost_usd":true}"#).unwrap_err().to_string();
    assert!(error.contains("`cost_usd`"), "{error}");
    let big = serde_json::from_str::<CostEvent>(r#"{"cost_usd":0.000000000001}"#).unwrap();
    assert_eq!(big.cost_usd, Some(Usd::from_picos(1)));
}

fn any_decimal() -> impl Strategy<Value = Decimal> {
    let bits = (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>(), 0..29_u32);
    let large =
        bits.prop_map(|(a, b, c, is_negative, scale)| Decimal::from_parts(a, b, c, is_negative, scale));
    let small = (-10_000..10_000_i64, 0..29_u32).prop_map(|(number, scale)| Decimal::new(number, scale));
    prop_oneof![large, small]
}

proptest! {
    #[test]
    fn every_number_of_the_text_is_that_of_serde(
        quantity in any_decimal(),
        rate in any_decimal(),
        picos in prop_oneof![any::<i64>().prop_map(i128::from), -10_i128.pow(24)..10_i128.pow(24)],
    ) {
        let usd = Usd::from_picos(picos);
        let event = CostEvent {
            audio_seconds: Some(quantity),
            cost_usd: Some(usd),
            cost_lines: vec![CostLine { kind: "a\"b".into(), quantity, unit: "1M tokens".into(), rate, usd }; 2],
            ..CostEvent::default()
        };
        let json = serde_json::to_string(&event.cost_lines).unwrap();
        prop_assert_eq!((Column::named("cost_lines").unwrap().get)(&event), Cell::Json(json.into()));
        prop_assert_eq!(event.to_json(), serde_json::to_string(&event).unwrap());
        let seconds = format!("\"audio_seconds\":{}", quantity.normalize());
        prop_assert!(event.to_json().contains(&seconds));
    }
}
