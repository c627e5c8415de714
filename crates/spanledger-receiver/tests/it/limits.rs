//! Sizes, before and after inflating, and the budget of all bodies in flight.

use std::time::Duration;

use bytes::Bytes;
use spanledger_receiver::Limits;
use spanledger_testkit::otlp::PROTOBUF;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{
    Call, Harness, TRACE_METHOD, TRACES, bomb, compress, export, frame, gzip, head, message_of, post, soon,
};

const LIMIT: usize = 100_000;

fn small() -> Limits {
    Limits { body_bytes_max: LIMIT, ..Limits::default() }
}

/// The ways of sending one message.
#[derive(Clone, Copy, Debug)]
enum Sent {
    WithLength,
    Chunked,
    Gzip,
    Grpc(Option<&'static str>),
    /// With `tonic`'s own client.
    Tonic,
}

/// C2, C4, C30, C55, T21, T31: a message at the limit is taken. One byte above it is 413 or
/// `RESOURCE_EXHAUSTED` without a hint to try again, whether its length is announced or not, plain or
/// compressed.
#[tokio::test]
async fn a_message_at_the_limit_is_taken_and_one_above_it_is_not() {
    let harness = Harness::with_limits(small()).await;
    let headers = [("content-type", PROTOBUF)];
    for (length, fits) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
        for sent in [
            Sent::WithLength,
            Sent::Chunked,
            Sent::Gzip,
            Sent::Grpc(None),
            Sent::Grpc(Some("gzip")),
            Sent::Tonic,
        ] {
            let call = Call::new();
            let message = message_of(&call, length);
            let answer = match sent {
                Sent::WithLength => harness.post(TRACES, &headers, message).await,
                Sent::Gzip => {
                    let headers = [headers[0], ("content-encoding", "gzip")];
                    harness.post(TRACES, &headers, gzip(&message)).await
                }
                Sent::Chunked => {
                    let mut raw = harness.raw().await;
                    raw.send(head("Transfer-Encoding: chunked\r\n")).await;
                    for part in message.chunks(30_000) {
                        raw.send(format!("{:x}\r\n", part.len())).await;
                        raw.send(part).await;
                        raw.send("\r\n").await;
                    }
                    raw.send("0\r\n\r\n").await;
                    raw.answer().await.unwrap()
                }
                Sent::Grpc(encoding) => {
                    let body = compress(encoding, &message);
                    let status = harness.h2().await.call(TRACE_METHOD, encoding, &body).await.grpc();
                    expect_grpc(&status, fits, sent);
                    assert_eq!(harness.holds(&call), fits, "{sent:?} {length}");
                    continue;
                }
                Sent::Tonic => {
                    let answer = export(harness.receiver.grpc_addr(), TRACE_METHOD, message).await;
                    expect_grpc(&answer.err().unwrap_or_else(|| Status::ok("")), fits, sent);
                    assert_eq!(harness.holds(&call), fits, "{sent:?} {length}");
                    continue;
                }
            };
            assert_eq!(answer.status, if fits { 200 } else { 413 }, "{sent:?} {length}");
            if !fits {
                let (code, text) = answer.refusal();
                assert_eq!(code, Code::ResourceExhausted as i32, "{sent:?}");
                assert!(text.starts_with("the message is larger than 100000 bytes: "), "{text}");
                assert_eq!(answer.header("retry-after"), None, "{sent:?}");
            }
            assert_eq!(harness.holds(&call), fits, "{sent:?} {length}");
        }
    }
}

fn expect_grpc(status: &Status, fits: bool, sent: Sent) {
    assert_eq!(status.code(), if fits { Code::Ok } else { Code::ResourceExhausted }, "{sent:?}");
    assert!(status.get_details_retry_info().is_none(), "{sent:?}");
}

/// C55, C69: a length over the limit is refused before the client is asked for the body.
#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_before_the_body() {
    let harness = Harness::with_limits(small()).await;
    for length in ["100001", "9223372036854775807"] {
        let mut raw = harness.raw().await;
        raw.send(head(&format!("Content-Length: {length}\r\nExpect: 100-continue\r\n"))).await;
        assert_eq!(raw.answer().await.unwrap().status, 413, "{length}: and no 100 before it");
    }
    let mut raw = harness.raw().await;
    raw.send(head("Content-Length: 0\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
}

/// C55: a client that writes its whole body before it reads still reads the refusal. If the connection
/// were reset under it, it would take that for a passing fault and try again.
#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_writing() {
    let harness = Harness::with_limits(small()).await;
    for round in 0..10 {
        let mut raw = harness.raw().await;
        raw.send(head(&format!("Content-Length: {}\r\n", 8 << 20))).await;
        raw.send(vec![0; 8 << 20]).await;
        let answer = raw.answer().await.unwrap_or_else(|| panic!("{round}: reset before the answer"));
        assert_eq!(answer.status, 413);
    }
}

/// C2, C3: by default 60 MiB are taken on both transports. 65 MiB are not, also when they are sent as
/// 65 KiB of gzip.
#[tokio::test]
async fn the_default_limit_is_64_mib() {
    let harness = Harness::start().await;
    let call = Call::new();
    let big = Bytes::from(message_of(&call, 60 << 20));
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], big.clone()).await.status, 200);
    assert!(harness.holds(&call));
    assert_eq!(export(harness.receiver.grpc_addr(), TRACE_METHOD, big).await.unwrap(), "");
    assert_eq!(harness.counters().duplicates(), 1);

    let too_big = vec![0; 65 << 20];
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], too_big.clone()).await.status, 413);
    let status = export(harness.receiver.grpc_addr(), TRACE_METHOD, too_big).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let zipped = bomb(65 << 20);
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(harness.post(TRACES, &headers, zipped.clone()).await.status, 413);
    let status = harness.h2().await.call(TRACE_METHOD, Some("gzip"), &zipped).await.grpc();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

/// T24, T25: inflating stops at the limit. The whole of this bomb would be 2 GiB.
#[tokio::test]
async fn a_decompression_bomb_is_refused_at_the_limit() {
    let zipped = bomb(2 << 30);
    assert!(zipped.len() < 3 << 20);
    let limits = Limits { body_bytes_max: 4 << 20, ..Limits::default() };
    let harness = Harness::with_limits(limits).await;
    let status = harness.h2().await.call(TRACE_METHOD, Some("gzip"), &zipped).await.grpc();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(harness.post(TRACES, &headers, zipped).await.status, 413);
}

/// T26: the members of a gzip body are one message, and share one limit.
#[tokio::test]
async fn gzip_members_are_one_message_under_one_limit() {
    let harness = Harness::with_limits(small()).await;
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let call = Call::new();
    let message = call.protobuf();
    let (first, second) = message.split_at(message.len() / 2);
    let body = [gzip(first), gzip(second)].concat();
    assert_eq!(harness.post(TRACES, &headers, body).await.status, 200);
    assert!(harness.holds(&call));

    // Two messages in a row are one message (protobuf merges them).
    let [a, b] = [(); 2].map(|()| Call::new());
    let body = [gzip(&a.protobuf()), gzip(&b.protobuf())].concat();
    let answer = harness.h2().await.call(TRACE_METHOD, Some("gzip"), &body).await;
    answer.expect_grpc_success("two members");
    assert!(harness.holds(&a) && harness.holds(&b));

    let half = message_of(&Call::new(), LIMIT / 2 + 1);
    let body = [gzip(&half), gzip(&half)].concat();
    assert_eq!(harness.post(TRACES, &headers, body).await.status, 413, "each fits, both do not");
}

/// C32, C35, C64, T18, T30: when the bytes in flight are at their limit, a request is answered at once,
/// on both transports, so that it is retried after a second. When the bytes are free again, requests
/// are taken again.
#[tokio::test]
async fn an_exhausted_budget_is_answered_retryably() {
    let limits = Limits { in_flight_bytes_max: 256 * 1_024, ..Limits::default() };
    let harness = Harness::with_limits(limits).await;
    let slow = Call::new();
    let held = message_of(&slow, 240 * 1_024);
    let mut raw = harness.raw().await;
    raw.send(head(&format!("Content-Length: {}\r\nExpect: 100-continue\r\n", held.len()))).await;
    assert_eq!(raw.answer().await.unwrap().status, 100, "its part is reserved, its body is awaited");

    let call = Call::new();
    let message = message_of(&call, 50_000);
    let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], message.clone()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.refusal().0, Code::Unavailable as i32);
    let mut h2 = harness.h2().await;
    for (encoding, body) in [(None, message.clone()), (Some("gzip"), gzip(&message))] {
        let status = h2.call(TRACE_METHOD, encoding, &body).await.grpc();
        assert_eq!(status.code(), Code::Unavailable, "{encoding:?}");
        let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert_eq!(delay.as_secs(), 1, "{encoding:?}");
    }
    assert!(!harness.holds(&call));

    raw.send(held).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
    assert!(harness.holds(&slow));
    h2.call(TRACE_METHOD, None, &message).await.expect_grpc_success("after it");
    assert!(harness.holds(&call));
}

/// C64, T18: requests that wait for a locked ledger count as bytes in flight, so that a ledger that is
/// locked for long cannot fill the memory. When it is free again, requests are taken again.
#[tokio::test]
async fn requests_that_wait_for_the_ledger_exhaust_the_budget() {
    let limits = Limits { in_flight_bytes_max: 256 * 1_024, body_bytes_max: LIMIT, ..Limits::default() };
    let harness = Harness::with_limits(limits).await;
    let address = harness.receiver.http_addr();
    let send = || {
        let body = message_of(&Call::new(), LIMIT);
        tokio::spawn(async move { post(address, TRACES, &[("content-type", PROTOBUF)], body).await })
    };
    let lock = rusqlite::Connection::open(harness.receiver.path()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (mut waiting, mut refused) = (Vec::new(), None);
    for _ in 0..30 {
        let decoded = harness.counters().spans();
        let request = send();
        let handled = async {
            while harness.counters().spans() == decoded && !request.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(handled).await;
        if request.is_finished() {
            refused = Some(request.await.unwrap());
            break;
        }
        waiting.push(request);
    }
    let refused = refused.expect("the budget has no room for 30 of these messages");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.refusal().1.contains("too many bytes are in flight"), "{refused:?}");

    lock.execute_batch("ROLLBACK").unwrap();
    for request in waiting {
        soon(request).await.unwrap();
    }
    assert_eq!(soon(send()).await.unwrap().status, 200);
}

/// A request that is refused, malformed or abandoned releases its part of the budget: a receiver whose
/// budget is two messages takes the next one, every time.
#[tokio::test]
async fn the_budget_does_not_leak() {
    let limits = Limits { in_flight_bytes_max: 256 * 1_024, body_bytes_max: LIMIT, ..Limits::default() };
    let harness = Harness::with_limits(limits).await;
    let mut h2 = harness.h2().await;
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    for _ in 0..20 {
        assert_eq!(harness.post(TRACES, &headers, bomb(1 << 20)).await.status, 413);
        assert_eq!(harness.post(TRACES, &headers, vec![7; 90_000]).await.status, 400);
        let status = h2.call(TRACE_METHOD, None, &vec![0xff; 90_000]).await.grpc();
        assert_eq!(status.code(), Code::InvalidArgument);
        let mut raw = harness.raw().await;
        raw.send(head("Content-Length: 90000\r\nExpect: 100-continue\r\n")).await;
        assert_eq!(raw.answer().await.unwrap().status, 100);
        drop(raw);
        // The receiver notices at some moment that the client has gone.
        let body = message_of(&Call::new(), LIMIT);
        let answered = async {
            loop {
                let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], body.clone()).await;
                match answer.status {
                    503 => tokio::task::yield_now().await,
                    status => break status,
                }
            }
        };
        assert_eq!(soon(answered).await, 200);
    }
    // A body in many small frames, with no length announced.
    let call = Call::new();
    let whole = frame(false, &message_of(&call, LIMIT));
    let frames = whole.chunks(100).map(Bytes::copy_from_slice).collect();
    let headers = [("content-type", "application/grpc")];
    h2.send("POST", TRACE_METHOD, &headers, frames).await.unwrap().expect_grpc_success("small frames");
    assert!(harness.holds(&call));
}
