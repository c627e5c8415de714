//! Senders that choose absurd texts and counts.

use spanledger_event::{Flag, limits};
use spanledger_ledger::{GroupBy, LedgerReader, Query};
use spanledger_otlp::record::{self, LogRecord};
use spanledger_testkit::otlp::{PROTOBUF, SpanBuilder, protobuf, text, traces};

use crate::support::{Call, Harness, LOGS, TRACES};

/// Text may have any character: what is shown in a terminal is made safe there.
#[tokio::test]
async fn names_with_nul_and_control_characters_are_stored_as_they_are() {
    let harness = Harness::start().await;
    let name = "gpt\0-5.5\u{1b}[2J\u{9b}\u{202e}é";
    let span = SpanBuilder::chat(name).tokens(1, 1).attribute(text("spanledger.dim.t\0eam", "x"));
    let body = protobuf(&traces([span.clone().build()]));
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], body).await.status, 200);

    let event = harness.event(&span.event_id()).unwrap();
    assert_eq!(
        (event.model.as_deref(), event.dims["t\0eam"].as_str(), event.flags),
        (Some(name), "x", vec![])
    );
    let reader = LedgerReader::open(harness.receiver.path()).unwrap();
    let report = reader.report(&Query::by(GroupBy::Model)).unwrap();
    assert_eq!(report.rows.iter().map(|row| row.name.as_deref()).collect::<Vec<_>>(), [Some(name)]);
}

/// Scenario: a name of a megabyte, 6,000 dimensions and 6,000 counts of unknown meaning.
#[tokio::test]
async fn what_is_stored_of_a_span_is_bounded_and_the_event_is_flagged() {
    let harness = Harness::start().await;
    let span = SpanBuilder::chat(&"m".repeat(1 << 20))
        .tokens(1, 1)
        .attributes((0..6_000).map(|n| text(format!("spanledger.dim.{n}"), "x".repeat(200))))
        .attributes((0..6_000).map(|n| text(format!("gen_ai.usage.{n}"), "7")));
    let body = protobuf(&traces([span.clone().build()]));
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], body).await.status, 200);

    let event = harness.event(&span.event_id()).unwrap();
    assert_eq!(event.model.as_ref().map(String::len), Some(limits::NAME_BYTES_MAX));
    assert_eq!(event.dims.len(), limits::DIMS_MAX);
    assert!(event.flags.contains(&Flag::Truncated), "{:?}", event.flags);
    let json = serde_json::to_string(&event).unwrap();
    assert!(json.len() < 64 << 10, "the event has {} bytes", json.len());
}

/// Scenario: a processor of a Collector removes the event id of a record, or empties it.
#[tokio::test]
async fn records_without_an_event_id_are_counted_as_rejected() {
    let harness = Harness::start().await;
    let record = |event_id: Option<&str>| LogRecord {
        event_name: "spanledger.call".into(),
        attributes: event_id.map(|id| text("spanledger.event_id", id)).into_iter().collect(),
        ..LogRecord::default()
    };
    let body =
        record::request(vec![record(None), record(Some("")), record(Some("e"))], &[], "0").to_protobuf();
    let answer = harness.post(LOGS, &[("content-type", PROTOBUF)], body).await;
    let counters = harness.counters();
    assert_eq!((answer.status, counters.records(), counters.observations()), (200, 3, 1));
    assert_eq!(counters.records_rejected(), 2);
    // A readable record is none of them.
    let (body, id) = Call::new().record();
    assert_eq!(harness.post(LOGS, &[("content-type", PROTOBUF)], body).await.status, 200);
    assert!(harness.event(&id).is_some());
    assert_eq!(harness.counters().records_rejected(), 2);
}
