//! Tests of faults of the receiver: the client receives an answer after which it retries.

use bytes::Bytes;
use spanledger_testkit::otlp::{PROTOBUF, protobuf, text, traces};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Answer, Call, Harness, TRACE_METHOD, TRACES};

const HEADERS: [(&str, &str); 1] = [("content-type", PROTOBUF)];

/// Asserts an answer after which clients try again in a second (C35).
fn expect_retryable(answer: &Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    let (code, message) = answer.refusal();
    assert_eq!(code, Code::Unavailable as i32);
    assert_eq!(message, "the ledger cannot be written at the moment", "no internal details (C61)");
}

/// C32, C34, C35, C60, C61, C62, C64: if the ledger fails, both transports ask the client to retry after a
/// second. The same request succeeds when the ledger works again, and is counted once.
#[tokio::test]
async fn a_ledger_that_fails_is_answered_retryably() {
    let harness = Harness::start().await;
    let call = Call::new();
    harness.set_broken(true);
    expect_retryable(&harness.post(TRACES, &HEADERS, call.protobuf()).await);
    let status = harness.h2().await.call(TRACE_METHOD, None, &call.protobuf()).await.grpc();
    assert_eq!(status.code(), Code::Unavailable);
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert_eq!(delay.as_secs(), 1);
    // A request without AI calls needs no ledger, and is answered meanwhile.
    assert_eq!(harness.post(TRACES, &HEADERS, Bytes::new()).await.status, 200);
    assert!(!harness.holds(&call));

    harness.set_broken(false);
    assert_eq!(harness.post(TRACES, &HEADERS, call.protobuf()).await.status, 200);
    assert!(harness.holds(&call));
    assert_eq!(harness.summary().observations, 1);
    assert_eq!(harness.counters().refused(), 2);
}

/// Guarantees: a damaged row of the ledger is a fault of the receiver, too. A client whose call belongs to the
/// row is asked to retry, so that it does not drop its spans. Other requests are accepted.
#[tokio::test]
async fn a_damaged_row_is_answered_retryably() {
    let harness = Harness::start().await;
    let call = Call::new();
    assert_eq!(harness.post(TRACES, &HEADERS, call.protobuf()).await.status, 200);
    harness.execute("UPDATE observation SET facts = x'7b'");
    // The same span with one more attribute is another observation of the same call.
    let mut span = call.span();
    span.attributes.push(text("feature", "search"));
    expect_retryable(&harness.post(TRACES, &HEADERS, protobuf(&traces([span]))).await);

    let other = Call::new();
    assert_eq!(harness.post(TRACES, &HEADERS, other.protobuf()).await.status, 200);
    assert!(harness.holds(&other));
}
