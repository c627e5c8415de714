use std::collections::BTreeSet;

use expect_test::expect_file;

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
        usage_raw: Json::new(r#"{"prompt_tokens": 15234}"#),
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
fn the_column_table_is_pinned() {
    let table: String = COLUMNS
        .iter()
        .map(|c| {
            let null = if c.nullable { "null" } else { "not null" };
            format!("{} | {:?} | {null} | {} | {} | {}\n", c.name, c.kind, c.unit, c.focus, c.doc.trim())
        })
        .collect::<Vec<_>>()
        .concat();
    expect_file!["../../tests/golden/columns.v1.txt"].assert_eq(&table);
}

#[test]
fn what_is_written_is_read_back() {
    for event in [full(), CostEvent::default()] {
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<CostEvent>(&json).unwrap(), event);
    }
}

/// Providers print their usage over many lines; an event stands on one.
#[test]
fn json_of_others_is_put_on_one_line_and_its_literals_stay() {
    let text = "{\n  \"a b\": [1.50, \"x \\\" \\\\\"],\r\n\t\"c\": 12345678901234567890.10\n}\n";
    assert_eq!(Json::new(text).unwrap().as_str(), r#"{"a b":[1.50,"x \" \\"],"c":12345678901234567890.10}"#);
    assert_eq!(Json::new("{\"a\":"), None);
}

#[test]
fn cells_are_the_event() {
    let event = full();
    let mut copy = CostEvent::default();
    for column in COLUMNS {
        (column.set)(&mut copy, (column.get)(&event)).unwrap();
    }
    assert_eq!(copy, event);
    let error = (COLUMNS[3].set)(&mut copy, Cell::Boolean(true)).unwrap_err();
    assert_eq!(error.column, "revision");
}

#[test]
fn the_table_is_sound() {
    let names: BTreeSet<_> = COLUMNS.iter().map(|c| c.name).collect();
    assert_eq!(names.len(), COLUMNS.len(), "a name stands twice");
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
