//! HTTP/1.1 on the wire: framing, keep-alive, connections that break.

use spanledger_testkit::otlp::{JSON, PROTOBUF};

use crate::support::{Call, Harness, TRACES, head, request};

/// C66: a connection takes many requests, and pipelined ones are answered in order.
#[tokio::test]
async fn a_connection_is_kept_alive_and_answers_in_order() {
    let harness = Harness::start().await;
    let mut raw = harness.raw().await;
    for _ in 0..500 {
        raw.send(request(TRACES, PROTOBUF, &[])).await;
        assert_eq!(raw.answer().await.unwrap().status, 200);
    }
    let calls: Vec<Call> = (0..20).map(|_| Call::new()).collect();
    let mut bytes = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let path = if number % 3 == 0 { "/nothing" } else { TRACES };
        bytes.extend(request(path, JSON, call.json().as_bytes()));
    }
    raw.send(bytes).await;
    for (number, call) in calls.iter().enumerate() {
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.status, if number % 3 == 0 { 404 } else { 200 }, "{number}");
        assert_eq!(harness.holds(call), number % 3 != 0, "{number}");
    }
}

/// C70: framing is decided by `hyper`. It answers what it cannot read with 400 without a body, and
/// closes the connection. These rows make a change of that visible.
#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let harness = Harness::start().await;
    let call = Call::new();
    let body = call.protobuf();
    let chunk = |size: &str| {
        let mut bytes = format!("{size}\r\n").into_bytes();
        bytes.extend(&body);
        bytes.extend(b"\r\n");
        bytes
    };
    let size = format!("{:x}", body.len());
    let length = body.len();
    let last = b"0\r\n\r\n".to_vec();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let rows: Vec<(&str, String, Vec<u8>, u16)> = vec![
        ("chunked", head(chunked), [chunk(&size), last.clone()].concat(), 200),
        ("chunk extension", head(chunked), [chunk(&format!("{size};a=b")), last.clone()].concat(), 200),
        ("trailers", head(chunked), [chunk(&size), b"0\r\nA: b\r\n\r\n".to_vec()].concat(), 200),
        ("equal lengths twice", head(&format!("Content-Length: {length}\r\n").repeat(2)), body.clone(), 200),
        // RFC 9112, section 6.3 allows both headers; hyper takes the chunks and ignores the length.
        (
            "length and chunks",
            head(&format!("{chunked}Content-Length: 3\r\n")),
            [chunk(&size), last.clone()].concat(),
            200,
        ),
        ("two lengths", head("Content-Length: 3\r\nContent-Length: 4\r\n"), b"abcd".to_vec(), 400),
        ("a length of letters", head("Content-Length: 0x3\r\n"), b"abc".to_vec(), 400),
        ("a negative length", head("Content-Length: -1\r\n"), vec![], 400),
        ("a folded header", head("A: b\r\n c\r\n"), vec![], 400),
        ("a space before the colon", head("A : b\r\n"), vec![], 400),
        ("a NUL in a header", head("A: \0\r\n"), vec![], 400),
        ("not the last coding", head("Transfer-Encoding: chunked, gzip\r\n"), vec![], 400),
        ("a chunk size of letters", head(chunked), b"zz\r\n".to_vec(), 400),
        ("no HTTP", "\x16\x03\x01\x02\x00\x01\x00 client hello\r\n\r\n".to_owned(), vec![], 400),
        ("HTTP/3.0", "POST /v1/traces HTTP/3.0\r\n\r\n".to_owned(), vec![], 400),
    ];
    for (row, head, body, status) in rows {
        let before = harness.summary().observations;
        let mut raw = harness.raw().await;
        raw.send(head).await;
        raw.send(body).await;
        let answer = raw.answer().await.unwrap_or_else(|| panic!("{row}: no answer"));
        assert_eq!(answer.status, status, "{row}: {answer:?}");
        if status == 200 {
            assert!(harness.holds(&call), "{row}");
        } else {
            assert_eq!(harness.summary().observations, before, "{row}");
            assert!(raw.is_closed().await, "{row}");
        }
    }
}

/// C74: of a request that breaks off, in its head, in a body with a length or in chunks, nothing is
/// recorded.
#[tokio::test]
async fn a_request_that_breaks_off_records_nothing() {
    let harness = Harness::start().await;
    let call = Call::new();
    let body = call.protobuf();
    let whole = request(TRACES, PROTOBUF, &body);
    let chunked =
        [head("Transfer-Encoding: chunked\r\n").into_bytes(), format!("{:x}\r\n", body.len()).into(), body]
            .concat();
    for bytes in [&whole[..20], &whole[..whole.len() - 1], &chunked] {
        let mut raw = harness.raw().await;
        raw.send(bytes).await;
        // Only our side is closed, so that the receiver can still answer.
        tokio::io::AsyncWriteExt::shutdown(&mut raw.stream).await.unwrap();
        if let Some(answer) = raw.answer().await {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        assert!(raw.is_closed().await);
    }
    assert!(!harness.holds(&call));
    assert_eq!(harness.summary().observations, 0);
}

/// C75: when a client leaves before the answer, its event may be recorded or not. After its retry the
/// event is recorded once.
#[tokio::test]
async fn a_client_that_left_before_the_answer_may_retry() {
    let harness = Harness::start().await;
    let calls: Vec<Call> = (0..20).map(|_| Call::new()).collect();
    for call in &calls {
        let mut raw = harness.raw().await;
        raw.send(request(TRACES, PROTOBUF, &call.protobuf())).await;
        drop(raw);
    }
    for call in &calls {
        let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], call.protobuf()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(harness.event(&call.id()).unwrap().attempts, 1);
    }
    let summary = harness.summary();
    assert_eq!((summary.observations, summary.events), (20, 20));
}
