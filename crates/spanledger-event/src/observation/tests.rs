use std::collections::BTreeSet;

use super::*;
use crate::{Cell, ColumnKind, fold, keys, test_support::ObservationBuilder};

/// An observation with every field set.
fn full() -> Observation {
    full_of_version(u32::MAX)
}

/// An observation with every field set that exists in this version of the event's schema.
fn full_of_version(version: u32) -> Observation {
    let mut o = ObservationBuilder::record("order-7", "call-1", 1_700_000_000)
        .tokens(100, 10)
        .cost_picos(110)
        .response("resp_1")
        .incomplete("cut")
        .in_trace("trace", "span", Some("parent"))
        .build();
    o.server_address = Some("api.openai.com".into());
    o.usage_problem = Some("problem".into());
    o.usage_unknown = vec!["a=1".into()];
    o.usage_raw = JsonText::new(r#"{"prompt_tokens": 100}"#);
    o.emitter_cost = Some(Usd::from_picos(1));
    o.service_name = Some("api".into());
    for field in CARRIED.iter().filter(|field| field.column.since <= version) {
        let value = match field.column.kind {
            ColumnKind::Integer => Cell::Integer(12),
            _ => Cell::Text(field.column.name.into()),
        };
        (field.set)(&mut o, value).unwrap();
    }
    o
}

/// Ledgers of versions 1 and 2 hold this JSON, so neither the names of the fields nor their form may change.
/// A field of a later version is absent from earlier observations.
#[test]
fn the_journal_of_an_observation_is_pinned() {
    let journal = serde_json::to_string(&full_of_version(1)).unwrap();
    assert_eq!(
        journal,
        r#"{"event_id":"415d48f9-7293-814e-a82c-4ac00e445767","call_id":"call-1","sighting":"record","role":"call","response":{"namespace":"openai","id":"resp_1","unique":true},"emitter":"Record","provider":"openai","endpoint":"other","server_address":"api.openai.com","model":"model","response_model":"response_model","service_tier":"service_tier","region":"region","organization":"organization","project":"project","start":1700000000000000000,"end":1700000001000000000,"time_to_first_token_ms":12,"stream":false,"outcome":{"incomplete":"cut"},"attempts":1,"usage":{"tokens":{"input":100,"output":10}},"usage_problem":"problem","usage_unknown":["a=1"],"usage_source":"provider","usage_raw":"{\"prompt_tokens\":100}","emitter_cost":0.000000000001,"prompt_cache_key":"prompt_cache_key","reasoning_effort":"reasoning_effort","attribution":{"feature":"search","route":"/search","customer_id":"acme","environment":"test","request_id":"order-7"},"trace_id":"trace","span_id":"span","parent_span_id":"parent","service_name":"api"}"#
    );
    let minimal = Observation::new(EventId::from_text("e"), "c", ObservedAs::Span, Timestamp::from_nanos(1));
    assert_eq!(
        serde_json::to_string(&minimal).unwrap(),
        r#"{"event_id":"e","call_id":"c","sighting":"span","role":"call","emitter":"","provider":"","endpoint":"other","start":1,"end":1,"stream":false,"outcome":"success","attempts":1,"usage_source":"none","attribution":{}}"#
    );
}

#[test]
fn an_observation_is_read_back_from_its_journal_without_its_cost() {
    let o = full();
    let journal = serde_json::to_string(&o).unwrap();
    let read: Observation = serde_json::from_str(&journal).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), journal);
    assert_eq!(Observation { cost: o.cost.clone(), ..read }, o);
}

#[test]
fn the_journal_has_every_carried_field_and_not_the_cost() {
    let journal = |o: &Observation| serde_json::to_string(o).unwrap();
    let o = full();
    assert_eq!(journal(&Observation { cost: None, ..o.clone() }), journal(&o));
    for field in CARRIED {
        let mut other = o.clone();
        (field.set)(&mut other, Cell::Null).unwrap();
        assert_ne!(journal(&other), journal(&o), "{}", field.column.name);
    }
}

#[test]
fn a_usage_in_an_old_journal_that_is_not_json_is_left_out() {
    let journal = serde_json::to_string(&full()).unwrap();
    let damaged = journal.replace(r#""{\"prompt_tokens\":100}""#, r#""{\"prompt_tokens\":""#);
    assert_ne!(damaged, journal);
    assert_eq!(serde_json::from_str::<Observation>(&damaged).unwrap().usage_raw, None);
}

#[test]
fn a_carried_field_has_an_optional_column_and_a_key_of_its_own() {
    let keys: BTreeSet<_> = CARRIED.iter().map(|field| field.key).collect();
    assert_eq!(keys.len(), CARRIED.len());
    for field in CARRIED {
        assert!(field.column.nullable, "{}", field.column.name);
        // The record knows these two types of attributes.
        assert!(matches!(field.column.kind, ColumnKind::Text | ColumnKind::Integer), "{}", field.column.name);
    }
    assert!(keys.contains(keys::REQUEST_MODEL));
}

#[test]
fn an_event_takes_each_carried_field_from_the_first_sighting_that_states_it() {
    for field in CARRIED {
        let (column, full) = (field.column, full());
        let value = (field.get)(&full);
        let mut record = ObservationBuilder::record("r", "c", 1).tokens(1, 1).build();
        let mut span = record.clone();
        span.sighting = ObservedAs::Span;
        (field.set)(&mut record, Cell::Null).unwrap();
        (field.set)(&mut span, value.clone()).unwrap();
        let events = fold([&record, &span]);
        assert_eq!((column.get)(&events[0]), value, "{}", column.name);
    }
}

#[test]
fn facts_are_everything_but_the_cost() {
    let o = full();
    let otherwise_priced = Observation { cost: None, ..o.clone() };
    assert!(o.has_same_facts(&otherwise_priced) && o.cmp_facts(&otherwise_priced).is_eq());
    for field in CARRIED {
        let mut other = o.clone();
        (field.set)(&mut other, Cell::Null).unwrap();
        assert!(!o.has_same_facts(&other) && o.cmp_facts(&other).is_ne(), "{}", field.column.name);
    }
    assert!(!o.has_same_facts(&Observation { service_name: None, ..o.clone() }));
}
