//! OTLP/gRPC: framing, statuses, `tonic`'s client.

use bytes::Bytes;
use spanledger_testkit::otlp::{protobuf, traces};
use tonic::Code;

use crate::support::{
    Call, Harness, LOGS_METHOD, TRACE_METHOD, compress, export, frame, gzip, head, request,
};

const GRPC: [(&str, &str); 2] = [("content-type", "application/grpc"), ("te", "trailers")];

/// C1, C7, C31: `tonic`'s client sends traces and logs; the answer is the empty message.
#[tokio::test]
async fn a_real_client_exports_traces_and_logs() {
    let harness = Harness::start().await;
    let grpc = harness.receiver.grpc_addr();
    let call = Call::new();
    assert_eq!(export(grpc, TRACE_METHOD, call.protobuf()).await.unwrap(), "");
    assert!(harness.holds(&call));
    let (record, id) = call.record();
    assert_eq!(export(grpc, LOGS_METHOD, record).await.unwrap(), "");
    assert!(harness.event(&id).is_some());
    let known = harness.summary().observations;
    for empty in [Bytes::new(), protobuf(&traces([])).into()] {
        assert_eq!(export(grpc, TRACE_METHOD, empty).await.unwrap(), "");
    }
    assert_eq!(export(grpc, LOGS_METHOD, Bytes::new()).await.unwrap(), "");
    assert_eq!(harness.summary().observations, known);
}

/// C1, C8, C41, C72: on the wire a success is the empty message, then its status in the trailers.
#[tokio::test]
async fn a_success_is_an_empty_message_and_trailers() {
    let harness = Harness::start().await;
    let mut h2 = harness.h2().await;
    for encoding in [None, Some("gzip"), Some("deflate")] {
        let call = Call::new();
        let answer = h2.call(TRACE_METHOD, encoding, &compress(encoding, &call.protobuf())).await;
        answer.expect_grpc_success(&format!("{encoding:?}"));
        assert_eq!(answer.header("grpc-status"), None, "{encoding:?}");
        assert!(harness.holds(&call), "{encoding:?}");
    }
    // A message may be plain although a compression is announced (gRPC, "Compression").
    let call = Call::new();
    let headers = [GRPC[0], GRPC[1], ("grpc-encoding", "gzip")];
    let frames = vec![frame(false, &call.protobuf())];
    h2.send("POST", TRACE_METHOD, &headers, frames).await.unwrap().expect_grpc_success("plain");
    assert!(harness.holds(&call));
}

/// C33, C39: a body that is not exactly one OTLP message is `INVALID_ARGUMENT`, which clients do not retry. The
/// same applies to a message that is marked as compressed without a compression. gRPC's document says
/// `INTERNAL` there, which is also final, but reads as a fault of the receiver.
#[tokio::test]
async fn a_malformed_message_is_an_invalid_argument() {
    let harness = Harness::start().await;
    let mut h2 = harness.h2().await;
    let message = Call::new().protobuf();
    let whole = frame(false, &message);
    let cut = |bytes: &Bytes| bytes.slice(..bytes.len() - 1);
    let json = Call::new().json();
    let rows: Vec<(&str, Option<&str>, Vec<Bytes>)> = vec![
        ("truncated varint", None, vec![frame(false, &[0x0a, 0x80])]),
        ("wrong wire type", None, vec![frame(false, &[0x08, 0x01])]),
        ("length past the end", None, vec![frame(false, &[0x0a, 0x7f])]),
        ("JSON", None, vec![frame(false, json.as_bytes())]),
        ("no frame", None, vec![]),
        ("half a prefix", None, vec![whole.slice(..3)]),
        ("cut short", None, vec![cut(&whole)]),
        ("two messages", None, vec![whole.clone(), whole.clone()]),
        ("a byte too many", None, vec![whole.clone(), Bytes::from_static(&[0])]),
        ("unknown flags", None, vec![Bytes::from_static(&[2, 0, 0, 0, 0])]),
        ("compressed by identity", Some("identity"), vec![frame(true, &message)]),
        ("compressed by nothing", None, vec![frame(true, &gzip(&message))]),
        ("no gzip", Some("gzip"), vec![frame(true, &message)]),
        ("gzip cut short", Some("gzip"), vec![frame(true, &cut(&gzip(&message).into()))]),
    ];
    for method in [TRACE_METHOD, LOGS_METHOD] {
        for (row, encoding, frames) in &rows {
            let mut headers = GRPC.to_vec();
            headers.extend(encoding.map(|name| ("grpc-encoding", name)));
            let status = h2.send("POST", method, &headers, frames.clone()).await.unwrap().grpc();
            assert_eq!(status.code(), Code::InvalidArgument, "{row}: {status:?}");
            assert!(status.details().is_empty(), "no RetryInfo: {row}");
            assert!(!status.message().is_empty(), "{row}");
        }
    }
    assert_eq!(harness.summary().observations, 0);
}

/// C39: a message may be split over DATA frames anywhere, its prefix included.
#[tokio::test]
async fn a_message_may_be_split_anywhere() {
    let harness = Harness::start().await;
    let mut h2 = harness.h2().await;
    for size in [1, 2, 3, 4, 5, 6, 7, 100] {
        let call = Call::new();
        let whole = frame(false, &call.protobuf());
        let frames: Vec<Bytes> = whole.chunks(size).map(Bytes::copy_from_slice).collect();
        h2.send("POST", TRACE_METHOD, &GRPC, frames).await.unwrap().expect_grpc_success("split");
        assert!(harness.holds(&call), "{size}");
    }
}

/// C36, C41: metrics, profiles and every other method are `UNIMPLEMENTED`, in trailers alone.
#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let harness = Harness::start().await;
    let mut h2 = harness.h2().await;
    for method in [
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/opentelemetry.proto.collector.trace.v1.TraceService/export",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export/",
        "/grpc.health.v1.Health/Check",
        "/v1/traces",
        "/",
    ] {
        let answer = h2.call(method, None, &Call::new().protobuf()).await;
        assert_eq!(answer.grpc().code(), Code::Unimplemented, "{method}");
        assert!(answer.trailers.is_empty() && answer.body.is_empty(), "trailers only: {method}");
    }
    assert_eq!(harness.summary().observations, 0);
}

/// C37: gRPC with protobuf is recognized whatever the case and the parameters of its content type.
/// Every other type on gRPC's path is 415.
#[tokio::test]
async fn only_grpc_with_protobuf_is_taken_on_the_path_of_grpc() {
    let harness = Harness::start().await;
    let mut h2 = harness.h2().await;
    for value in ["application/grpc", "application/grpc+proto", "Application/gRPC", "application/grpc; a=b"] {
        let call = Call::new();
        let headers = [("content-type", value), ("te", "trailers")];
        let frames = vec![frame(false, &call.protobuf())];
        h2.send("POST", TRACE_METHOD, &headers, frames).await.unwrap().expect_grpc_success(value);
        assert!(harness.holds(&call), "{value}");
    }
    let known = harness.summary().observations;
    for value in [
        "application/grpc+json",
        "application/grpc-web",
        "application/grpcx",
        "application/x-protobuf",
        "text/plain",
        "",
    ] {
        let frames = vec![frame(false, &Call::new().protobuf())];
        let answer = h2.send("POST", TRACE_METHOD, &[("content-type", value)], frames).await.unwrap();
        assert_eq!(answer.status, 415, "{value:?}");
        answer.refusal();
    }
    assert_eq!(harness.summary().observations, known);
}

/// C38: an unknown compression is `UNIMPLEMENTED`, with the list of the supported ones.
#[tokio::test]
async fn an_unknown_compression_is_unimplemented() {
    let harness = Harness::start().await;
    let mut h2 = harness.h2().await;
    for name in ["zstd", "snappy", "br", "gzip, gzip", "\u{fc}"] {
        let answer = h2.call(TRACE_METHOD, Some(name), &Call::new().protobuf()).await;
        let status = answer.grpc();
        assert_eq!(status.code(), Code::Unimplemented, "{name}");
        assert!(status.message().ends_with("send gzip, deflate or identity"), "{name}: {status:?}");
        assert_eq!(answer.header("grpc-accept-encoding"), Some("identity,gzip,deflate"), "{name}");
    }
    assert_eq!(harness.summary().observations, 0);
}

/// C41: the message of a status is percent-encoded, so that a client's own words arrive as they were.
/// C5: it is shortened, however long it would be.
#[tokio::test]
async fn the_message_of_a_status_is_encoded_and_short() {
    let harness = Harness::start().await;
    let mut h2 = harness.h2().await;
    let answer = h2.call("/100%25/50%20%", None, &[]).await;
    let wire = answer.headers["grpc-message"].to_str().unwrap();
    assert!(wire.contains("100%2525/50%2520%25"), "{wire}");
    assert!(answer.grpc().message().contains("/100%25/50%20%"), "{:?}", answer.grpc());

    let answer = h2.call(&format!("/{}", "x".repeat(10_000)), None, &[]).await;
    assert_eq!(answer.grpc().code(), Code::Unimplemented);
    assert_eq!(answer.grpc().message().len(), 1_024);
}

/// C44: many calls run at the same time on one connection.
#[tokio::test]
async fn one_connection_has_many_streams() {
    let harness = Harness::start().await;
    let h2 = harness.h2().await;
    let calls: Vec<Call> = (0..100).map(|_| Call::new()).collect();
    let sent = calls.iter().map(|call| {
        let (mut h2, message) = (h2.clone(), call.protobuf());
        async move { h2.call(TRACE_METHOD, None, &message).await }
    });
    for answer in futures_util::future::join_all(sent).await {
        answer.expect_grpc_success("one of many");
    }
    for call in &calls {
        assert!(harness.holds(call));
    }
}

/// gRPC is sent with POST. Another method is refused, and nothing is recorded.
#[tokio::test]
async fn another_http_method_is_unimplemented() {
    let harness = Harness::start().await;
    let call = Call::new();
    let mut h2 = harness.h2().await;
    let frames = vec![frame(false, &call.protobuf())];
    let answer = h2.send("PUT", TRACE_METHOD, &GRPC, frames).await.unwrap();
    assert_eq!(answer.grpc().code(), Code::Unimplemented);
    assert!(!harness.holds(&call));
}

/// C37: gRPC needs HTTP/2, because its status is sent in trailers. Over HTTP/1.1 it is 415, and
/// nothing is recorded.
#[tokio::test]
async fn grpc_over_http1_is_refused() {
    let harness = Harness::start().await;
    let call = Call::new();
    let mut raw = harness.raw().await;
    raw.send(request(TRACE_METHOD, "application/grpc", &frame(false, &call.protobuf()))).await;
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.status, 415, "{answer:?}");
    answer.refusal();
    assert!(!harness.holds(&call));
    // The connection still works.
    raw.send(head("Content-Length: 0\r\n")).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
}
