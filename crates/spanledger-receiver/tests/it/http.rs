//! Tests of OTLP/HTTP: which requests are accepted, which are refused, and with which response.

use prost::Message as _;
use spanledger_event::EventId;
use spanledger_testkit::otlp::{JSON, PROTOBUF, protobuf, text, traces};
use tonic::Code;

use crate::support::{Call, Harness, Http2, LOGS, TRACE_METHOD, TRACES, compress, gzip, post};

/// A request and its expected response.
struct Success {
    row: &'static str,
    path: &'static str,
    media_type: &'static str,
    encoding: Option<&'static str>,
    /// The body before it is compressed.
    plain: Vec<u8>,
    /// The event that the ledger must have afterwards.
    event: Option<EventId>,
}

/// C1, C7, C8, C56, C57, C72: a full success is 200, in the request's own media type, with the bytes of
/// an empty export response. Its event is in the ledger's file.
#[tokio::test]
async fn a_success_is_an_empty_export_response() {
    let harness = Harness::start().await;
    let mut rows = Vec::new();
    for (row, media_type, encoding) in [
        ("C1 identity", PROTOBUF, None),
        ("C1 identity by name", PROTOBUF, Some("identity")),
        ("C1 gzip", PROTOBUF, Some("gzip")),
        ("C72 deflate", PROTOBUF, Some("deflate")),
        ("C1 JSON", JSON, None),
        ("C1 JSON gzip", JSON, Some("gzip")),
    ] {
        let call = Call::new();
        let plain = if media_type == JSON { call.json().into_bytes() } else { call.protobuf() };
        rows.push(Success { row, path: TRACES, media_type, encoding, plain, event: Some(call.id()) });
    }
    for (row, encoding) in [("logs", None), ("logs gzip", Some("gzip"))] {
        let (plain, id) = Call::new().record();
        rows.push(Success { row, path: LOGS, media_type: PROTOBUF, encoding, plain, event: Some(id) });
    }
    for (row, path, media_type, encoding, plain) in [
        ("C7 no bytes", TRACES, PROTOBUF, None, vec![]),
        ("C7 no bytes, gzip", TRACES, PROTOBUF, Some("gzip"), vec![]),
        ("C7 no spans", TRACES, PROTOBUF, None, protobuf(&traces([]))),
        ("C7 {}", TRACES, JSON, None, b"{}".to_vec()),
        ("C7 no scopes", TRACES, JSON, None, br#"{"resourceSpans":[{}]}"#.to_vec()),
        ("C7 logs {}", LOGS, JSON, None, b"{}".to_vec()),
        ("C7 logs, no bytes", LOGS, PROTOBUF, None, vec![]),
    ] {
        rows.push(Success { row, path, media_type, encoding, plain, event: None });
    }
    for Success { row, path, media_type, encoding, plain, event } in rows {
        let mut headers = vec![("content-type", media_type)];
        headers.extend(encoding.map(|name| ("content-encoding", name)));
        let answer = harness.post(path, &headers, compress(encoding, &plain)).await;
        assert_eq!(answer.status, 200, "{row}: {answer:?}");
        assert_eq!(answer.body, if media_type == JSON { "{}" } else { "" }, "{row}");
        assert_eq!(answer.header("content-type"), Some(media_type), "{row}");
        if let Some(id) = event {
            assert!(harness.event(&id).is_some(), "{row}: acknowledged, but not in the ledger");
        }
    }
    assert_eq!(harness.counters().refused(), 0);
}

/// C52, T34: the Content-Type decides, whatever its case and parameters. C53: without a known one
/// nothing is read, and the refusal is in JSON, which every developer can read.
#[tokio::test]
async fn the_content_type_decides_how_a_body_is_read() {
    let harness = Harness::start().await;
    for (value, answered) in [
        ("application/x-protobuf", PROTOBUF),
        ("Application/X-Protobuf", PROTOBUF),
        (" application/x-protobuf ;foo=bar", PROTOBUF),
        ("application/protobuf", PROTOBUF),
        ("application/json", JSON),
        ("Application/JSON; charset=utf-8", JSON),
    ] {
        let call = Call::new();
        let body = if answered == JSON { call.json().into_bytes() } else { call.protobuf() };
        let answer = harness.post(TRACES, &[("content-type", value)], body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(answered)), "{value}");
        assert!(harness.holds(&call), "{value}");
    }
    let known = harness.summary().observations;
    for (value, named) in [
        (Some(""), "``"),
        (Some("text/plain"), "`text/plain`"),
        (Some("application/octet-stream"), "`application/octet-stream`"),
        (Some("application/x-protobuf2"), "`application/x-protobuf2`"),
        (Some("gr\u{fc}n/\u{fc}"), "`(not text)`"),
        (Some("json"), "`json`"),
        (None, "missing"),
    ] {
        let headers: Vec<_> = value.map(|value| ("content-type", value)).into_iter().collect();
        let answer = harness.post(TRACES, &headers, Call::new().protobuf()).await;
        assert_eq!((answer.status, answer.header("content-type")), (415, Some(JSON)), "{value:?}");
        let expected = format!(
            "the Content-Type is {named}: send application/x-protobuf or application/json, or gRPC over HTTP/2"
        );
        assert_eq!(answer.refusal().1, expected, "{value:?}");
    }
    assert_eq!(harness.summary().observations, known);
}

/// C36, C50: only the paths of traces and logs are served. Slashes at the end and queries do not
/// matter. C56, C60: every refusal carries a status, in the request's media type.
#[tokio::test]
async fn only_the_paths_of_traces_and_logs_are_served() {
    let harness = Harness::start().await;
    for (path, status) in [
        ("/v1/traces", 200),
        ("/v1/traces/", 200),
        ("/v1/traces?tenant=a&b", 200),
        ("/v1/traces/?", 200),
        ("/v1/metrics", 404),
        ("/v1development/profiles", 404),
        ("/v1/tracesx", 404),
        ("/V1/traces", 404),
        ("/otlp/v1/traces", 404),
        ("/", 404),
    ] {
        for media_type in [PROTOBUF, JSON] {
            let call = Call::new();
            let body = if media_type == JSON { call.json().into_bytes() } else { call.protobuf() };
            let answer = harness.post(path, &[("content-type", media_type)], body).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.header("content-type"), Some(media_type), "{path}");
            assert_eq!(harness.holds(&call), status == 200, "{path}");
            if status == 404 {
                assert_eq!(answer.refusal().0, Code::Unimplemented as i32, "{path}");
            }
        }
    }
}

/// C54: another method than POST is 405 with `Allow: POST`; a path that is not served is 404 for every
/// method.
#[tokio::test]
async fn only_post_is_allowed() {
    let harness = Harness::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let mut raw = harness.raw().await;
        raw.send(format!("{method} /v1/traces HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")).await;
        let answer = raw.answer().await.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(answer.refusal().1, "the HTTP method is not allowed: send OTLP with POST", "{method}");
    }
    // The answer to HEAD announces a body and has none.
    let mut raw = harness.raw().await;
    raw.send("HEAD /v1/traces HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut raw.stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: POST\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");

    let mut raw = harness.raw().await;
    raw.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(raw.answer().await.unwrap().status, 404);
}

/// C56, C62, C63: a body that is not an OTLP message is answered with 400 in the request's media type, not
/// with 500 or another status that clients retry. Nothing of it is recorded.
#[tokio::test]
async fn a_malformed_body_is_a_bad_request() {
    let harness = Harness::start().await;
    let message = Call::new().protobuf();
    let zipped = gzip(&message);
    let mut wrong_sum = zipped.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let truncated = |bytes: &[u8], less: usize| bytes[..bytes.len() - less].to_vec();
    let json = Call::new().json();
    let rows: Vec<(&str, &str, Option<&str>, Vec<u8>)> = vec![
        ("truncated varint", PROTOBUF, None, vec![0x0a, 0x80]),
        ("endless varint", PROTOBUF, None, vec![0xff; 11]),
        ("wrong wire type", PROTOBUF, None, vec![0x08, 0x01]),
        ("length past the end", PROTOBUF, None, vec![0x0a, 0x7f, 0x00]),
        ("tag 0", PROTOBUF, None, vec![0x02, 0x00]),
        ("wire type 7", PROTOBUF, None, vec![0x0f]),
        ("a group that does not end", PROTOBUF, None, vec![0x7b]),
        ("cut short", PROTOBUF, None, truncated(&message, 1)),
        ("JSON as protobuf", PROTOBUF, None, json.clone().into_bytes()),
        ("protobuf as JSON", JSON, None, message.clone()),
        ("no JSON", JSON, None, vec![]),
        ("JSON cut short", JSON, None, truncated(json.as_bytes(), 1)),
        ("two JSON values", JSON, None, b"{}{}".to_vec()),
        ("a JSON array", JSON, None, b"[]".to_vec()),
        ("no gzip", PROTOBUF, Some("gzip"), message.clone()),
        ("gzip cut short", PROTOBUF, Some("gzip"), truncated(&zipped, 9)),
        ("gzip without its end", PROTOBUF, Some("gzip"), truncated(&zipped, 4)),
        ("gzip with a wrong sum", PROTOBUF, Some("gzip"), wrong_sum),
        ("gzip and garbage", PROTOBUF, Some("gzip"), [zipped.clone(), b"garbage".to_vec()].concat()),
        ("gzip of garbage", PROTOBUF, Some("gzip"), gzip(b"\xff\xff\xff")),
        ("gzip as deflate", PROTOBUF, Some("deflate"), zipped.clone()),
    ];
    // Members that only traces have: for logs they are unknown, and so they are not looked at.
    let of_traces: Vec<(&str, &str, Option<&str>, Vec<u8>)> = vec![
        ("JSON of another shape", JSON, None, br#"{"resourceSpans":7}"#.to_vec()),
        ("invalid UTF-8 in JSON", JSON, None, b"{\"resourceSpans\":\"\xff\"}".to_vec()),
    ];
    let both = [TRACES, LOGS].into_iter().flat_map(|path| rows.iter().map(move |row| (path, row)));
    for (path, (row, media_type, encoding, body)) in both.chain(of_traces.iter().map(|row| (TRACES, row))) {
        let mut headers = vec![("content-type", *media_type)];
        headers.extend(encoding.map(|name| ("content-encoding", name)));
        let answer = harness.post(path, &headers, body.clone()).await;
        assert_eq!(answer.status, 400, "{path} {row}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some(*media_type), "{row}");
        assert_eq!(answer.refusal().0, Code::InvalidArgument as i32, "{row}");
        assert_eq!(answer.header("retry-after"), None, "{row}");
    }
    assert_eq!(harness.summary().observations, 0);
}

/// C71: an unknown content coding, or several of them, is 415 with the list of the supported ones.
/// C72: the name of a coding has any case.
#[tokio::test]
async fn an_unknown_content_encoding_is_refused_with_the_supported_ones() {
    let harness = Harness::start().await;
    let call = Call::new();
    for name in ["zstd", "snappy", "br", "lz4", "gzip, gzip", "gzip,identity", "\u{fc}"] {
        for media_type in [PROTOBUF, JSON] {
            let headers = [("content-type", media_type), ("content-encoding", name)];
            let answer = harness.post(TRACES, &headers, gzip(&call.protobuf())).await;
            assert_eq!(answer.status, 415, "{name}");
            assert_eq!(answer.header("accept-encoding"), Some("gzip, deflate"), "{name}");
            assert_eq!(answer.header("content-type"), Some(media_type), "{name}");
            assert!(answer.refusal().1.ends_with("send gzip, deflate or identity"), "{name}");
        }
    }
    // Two header lines are one list (RFC 9110, section 5.3).
    let twice = [("content-type", PROTOBUF), ("content-encoding", "gzip"), ("content-encoding", "gzip")];
    let answer = harness.post(TRACES, &twice, gzip(&gzip(&call.protobuf()))).await;
    assert_eq!(answer.status, 415, "two lines");
    assert!(!harness.holds(&call));
    for name in ["GZIP", "x-gzip", " gzip "] {
        let call = Call::new();
        let headers = [("content-type", PROTOBUF), ("content-encoding", name)];
        let answer = harness.post(TRACES, &headers, gzip(&call.protobuf())).await;
        assert_eq!(answer.status, 200, "{name}");
        assert!(harness.holds(&call), "{name}");
    }
}

/// C51, C67, C68: both ports take HTTP/1.1 and HTTP/2, gRPC and HTTP, protobuf and JSON.
#[tokio::test]
async fn each_port_takes_every_protocol() {
    let harness = Harness::start().await;
    for port in [harness.receiver.http_addr(), harness.receiver.grpc_addr()] {
        let calls = [(); 5].map(|()| Call::new());
        assert_eq!(post(port, TRACES, &[("content-type", PROTOBUF)], calls[0].protobuf()).await.status, 200);
        assert_eq!(post(port, TRACES, &[("content-type", JSON)], calls[1].json()).await.status, 200);
        let mut h2 = Http2::connect(port).await;
        for (call, media_type, body) in
            [(&calls[2], PROTOBUF, calls[2].protobuf()), (&calls[3], JSON, calls[3].json().into_bytes())]
        {
            let headers = [("content-type", media_type)];
            let answer = h2.send("POST", TRACES, &headers, vec![body.into()]).await.unwrap();
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{call:?}");
        }
        let answer = h2.call(TRACE_METHOD, None, &calls[4].protobuf()).await;
        answer.expect_grpc_success("on the same connection");
        for call in calls {
            assert!(harness.holds(&call), "{port}");
        }
    }
}

/// C13, T42, T43: a message with fields of later versions, in any order and at every level, is accepted.
#[tokio::test]
async fn unknown_fields_are_passed_over() {
    let harness = Harness::start().await;
    // Numbers that no message of OTLP has, in every wire type.
    let unknown: Vec<u8> = [
        &[0xa0, 0x06, 0x01][..],               // 100, varint
        &[0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], // 100, 64 bits
        &[0xa2, 0x06, 0x02, 0xff, 0xff],       // 100, bytes
        &[0xa5, 0x06, 1, 2, 3, 4],             // 100, 32 bits
        &[0xa3, 0x06, 0x08, 0x01, 0xa4, 0x06], // 100, a group
        &[0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01], // 2^29 - 1, varint
    ]
    .concat();
    let nested = |number: u8, inner: Vec<u8>| {
        let mut bytes = vec![number << 3 | 2];
        prost::encode_length_delimiter(inner.len(), &mut bytes).unwrap();
        [bytes, inner].concat()
    };
    let call = Call::new();
    let attribute = text("feature", "search").encode_to_vec();
    let span =
        [unknown.clone(), call.span().encode_to_vec(), nested(9, [attribute, unknown.clone()].concat())];
    let spans = [unknown.clone(), nested(2, span.concat()), unknown.clone()].concat();
    let resource = text("deployment.environment.name", "staging").encode_to_vec();
    let resource = [nested(1, resource), unknown.clone()].concat();
    // The resource stands after the spans that belong to it.
    let resource_spans = [nested(2, spans), nested(1, resource), unknown.clone()].concat();
    let body = [unknown, nested(1, resource_spans)].concat();
    let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let event = harness.event(&call.id()).unwrap();
    assert_eq!(event.feature.as_deref(), Some("search"));
    assert_eq!(event.environment.as_deref(), Some("staging"));
}

/// C17: if two attributes have the same key, the last one is used.
#[tokio::test]
async fn of_two_attributes_with_one_key_the_last_counts() {
    let harness = Harness::start().await;
    let call = Call::new();
    let mut span = call.span();
    span.attributes.insert(0, text("feature", "first"));
    span.attributes.push(text("feature", "last"));
    let body = protobuf(&traces([span]));
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], body).await.status, 200);
    assert_eq!(harness.event(&call.id()).unwrap().feature.as_deref(), Some("last"));
}

/// C18, T35: ids of a wrong length, or of zeros, neither fail the request nor merge two spans. The spans
/// beside them are recorded.
#[tokio::test]
async fn invalid_ids_fail_neither_the_request_nor_other_spans() {
    let harness = Harness::start().await;
    let good = Call::new();
    let mut spans = vec![good.span()];
    for (trace_id, span_id) in
        [(vec![], vec![]), (vec![0; 16], vec![0; 8]), (vec![7; 32], vec![7; 16]), (vec![7; 15], vec![7; 8])]
    {
        let mut span = good.span();
        (span.trace_id, span.span_id) = (trace_id, span_id);
        spans.push(span);
    }
    let body = protobuf(&traces(spans));
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], body).await.status, 200);
    assert!(harness.holds(&good));
    assert_eq!(harness.summary().events, 5);
}

/// T20: the same span five times is one event, whatever the transport and the batch.
#[tokio::test]
async fn a_repeated_request_is_one_event() {
    let harness = Harness::start().await;
    let call = Call::new();
    let headers = [("content-type", PROTOBUF)];
    for _ in 0..2 {
        assert_eq!(harness.post(TRACES, &headers, call.protobuf()).await.status, 200);
    }
    let mut h2 = harness.h2().await;
    for encoding in [None, Some("gzip")] {
        let body = compress(encoding, &call.protobuf());
        h2.call(TRACE_METHOD, encoding, &body).await.expect_grpc_success("again");
    }
    // The same span in another batch.
    let body = protobuf(&traces([Call::new().span(), call.span()]));
    assert_eq!(harness.post(TRACES, &headers, body).await.status, 200);
    let summary = harness.summary();
    assert_eq!((summary.observations, summary.events), (2, 2));
    assert_eq!((harness.counters().observations(), harness.counters().duplicates()), (2, 4));
    assert_eq!(harness.event(&call.id()).unwrap().revision, 1);
}
