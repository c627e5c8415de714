//! Requests of which the ledger refuses a part.

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceResponse, trace::v1::ExportTraceServiceResponse},
    logs::v1::LogRecord,
    trace::v1::Span,
};
use prost::Message as _;
use spanledger_event::{EventId, Observation, ObservedAs, RefusedReason, Timestamp, limits};
use spanledger_otlp::record;
use spanledger_testkit::otlp::{JSON, PROTOBUF, START, SpanBuilder, json, logs, protobuf, text, traces};

use crate::support::{Harness, LOGS, LOGS_METHOD, TRACE_METHOD, TRACES};

/// So many sightings of one call are more than the ledger keeps.
const TOO_MANY: usize = 3;

/// Different sightings of one call.
fn spans() -> Vec<Span> {
    let call = SpanBuilder::chat("gpt-5.5");
    let tokens = 1..=i64::try_from(limits::CALL_LIMIT + TOO_MANY).unwrap();
    tokens.map(|tokens| call.clone().tokens(1_000, tokens).build()).collect()
}

fn records() -> Vec<LogRecord> {
    let start = Timestamp::from_nanos(i64::try_from(START).unwrap());
    let record = |number: usize| {
        let id = EventId::of_request("request", 7);
        let mut sighting = Observation::new(id, "call".to_owned(), ObservedAs::Record, start);
        sighting.model = Some(format!("model-{number}"));
        record::record(&sighting)
    };
    (0..limits::CALL_LIMIT + TOO_MANY).map(record).collect()
}

/// The message of a unary call, without its prefix.
fn unframed(body: &Bytes) -> &[u8] {
    assert_eq!(body[0], 0, "it is not compressed");
    assert_eq!(usize::try_from(u32::from_be_bytes(body[1..5].try_into().unwrap())).unwrap(), body.len() - 5);
    &body[5..]
}

fn of_traces(body: &[u8]) -> (i64, String) {
    let partial = ExportTraceServiceResponse::decode(body).unwrap().partial_success.unwrap();
    (partial.rejected_spans, partial.error_message)
}

fn of_logs(body: &[u8]) -> (i64, String) {
    let partial = ExportLogsServiceResponse::decode(body).unwrap().partial_success.unwrap();
    (partial.rejected_log_records, partial.error_message)
}

/// In JSON, an integer of 64 bits is a text.
fn of_json(body: &[u8], count: &str) -> (i64, String) {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap();
    let partial = &answer["partialSuccess"];
    (partial[count].as_str().unwrap().parse().unwrap(), partial["errorMessage"].as_str().unwrap().to_owned())
}

/// C9, C10, C58: what the ledger refuses is counted in `partial_success` with the reason, and the rest of the
/// request is stored. Sent again, in whatever way, the same is refused, and nothing changes.
#[tokio::test]
async fn what_the_ledger_refuses_of_traces_is_answered_as_a_partial_success() {
    let harness = Harness::start().await;
    let request = traces(spans());
    let reason = RefusedReason::SightingsOfCall.to_string();
    let expect = |what: &str, (rejected, message): (i64, String)| {
        assert_eq!(rejected, i64::try_from(TOO_MANY).unwrap(), "{what}");
        assert_eq!(message, format!("3 spans were not stored. 3: {reason}"), "{what}");
        assert_eq!(harness.summary().observations, i64::try_from(limits::CALL_LIMIT).unwrap(), "{what}");
    };

    let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], protobuf(&request)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(PROTOBUF)));
    expect("protobuf", of_traces(&answer.body));
    let answer = harness.post(TRACES, &[("content-type", JSON)], json(&request).unwrap()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(JSON)));
    expect("JSON", of_json(&answer.body, "rejectedSpans"));
    let answer = harness.h2().await.call(TRACE_METHOD, None, &protobuf(&request)).await;
    assert_eq!(
        (answer.grpc().code(), answer.trailers["grpc-status"].as_bytes()),
        (tonic::Code::Ok, &b"0"[..])
    );
    expect("gRPC", of_traces(unframed(&answer.body)));

    let refused = harness.counters().observations_refused();
    assert_eq!(refused[&RefusedReason::SightingsOfCall], 3 * 3, "each time");
    assert_eq!(refused.values().sum::<u64>(), 3 * 3);
    assert_eq!(harness.counters().refused(), 0, "no request was refused");
}

/// C9, C10, C58: the same for the records of a service, and for a record that has lost its event id on its way.
#[tokio::test]
async fn what_is_refused_of_logs_is_answered_as_a_partial_success() {
    let harness = Harness::start().await;
    let without_id = LogRecord { event_name: "spanledger.call".into(), ..LogRecord::default() };
    let other = LogRecord { attributes: vec![text("a", "b")], ..LogRecord::default() };
    let request = logs(records().into_iter().chain([without_id, other]));
    let expect = |what: &str, (rejected, message): (i64, String)| {
        assert_eq!(rejected, i64::try_from(TOO_MANY + 1).unwrap(), "{what}: {message}");
        assert!(message.starts_with("4 log records were not stored. "), "{what}: {message}");
        assert!(message.contains(&format!("3: {}", RefusedReason::SightingsOfCall)), "{what}: {message}");
        assert!(message.contains("1: a record of the crate spanledger has no event id"), "{what}: {message}");
        assert_eq!(harness.summary().observations, i64::try_from(limits::CALL_LIMIT).unwrap(), "{what}");
    };
    let answer = harness.post(LOGS, &[("content-type", PROTOBUF)], protobuf(&request)).await;
    assert_eq!(answer.status, 200);
    expect("protobuf", of_logs(&answer.body));
    let answer = harness.post(LOGS, &[("content-type", JSON)], json(&request).unwrap()).await;
    assert_eq!(answer.status, 200);
    expect("JSON", of_json(&answer.body, "rejectedLogRecords"));
    let answer = harness.h2().await.call(LOGS_METHOD, None, &protobuf(&request)).await;
    assert_eq!(answer.grpc().code(), tonic::Code::Ok);
    expect("gRPC", of_logs(unframed(&answer.body)));
    assert_eq!(harness.counters().records_rejected(), 3);
}

/// C9: a request of which everything is refused is a partial success, too, and is not repeated.
#[tokio::test]
async fn a_request_of_which_nothing_is_stored_is_a_partial_success() {
    let harness = Harness::start().await;
    let (first, rest) = (spans(), spans());
    let (kept, _) = first.split_at(limits::CALL_LIMIT);
    let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], protobuf(&traces(kept.to_vec()))).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0), "all of them were stored");
    let same_call = |mut span: Span| {
        span.trace_id.clone_from(&kept[0].trace_id);
        span.span_id.clone_from(&kept[0].span_id);
        span
    };
    let rest = rest.into_iter().skip(limits::CALL_LIMIT).map(same_call);
    let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], protobuf(&traces(rest))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(of_traces(&answer.body).0, 3);
}
