//! Random and mutated requests with a fixed seed: each is answered, and no answer says that the receiver
//! is at fault.

use std::ops::ControlFlow;

use bytes::Bytes;
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use spanledger_receiver::Limits;
use spanledger_testkit::otlp::{JSON, PROTOBUF};
use tonic::Code;

use crate::support::{
    Call, Harness, LOGS, LOGS_METHOD, TRACE_METHOD, TRACES, compress, frame, head, request, soon,
};

const CASES: u32 = 400;

/// A change of a valid body.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, mask) => {
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from..from, part);
            }
        }
    }
}

fn apply(mutations: &[Mutation], bytes: &mut Vec<u8>) {
    for mutation in mutations {
        mutation.apply(bytes);
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1..=u8::MAX).prop_map(|(at, mask)| Mutation::Flip(at, mask)),
        index().prop_map(Mutation::Cut),
        (index(), vec(any::<u8>(), 1..20)).prop_map(|(at, more)| Mutation::Insert(at, more)),
        (index(), index()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

fn seed() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(Call::new().protobuf()),
        2 => Just(Call::new().record().0),
        4 => Just(Call::new().json().into_bytes()),
        1 => vec(any::<u8>(), 0..2_000),
    ]
}

#[derive(Clone, Debug)]
struct Case {
    body: Vec<u8>,
    path: &'static str,
    method: &'static str,
    media_type: String,
    encoding: Option<String>,
    grpc_encoding: Option<String>,
    /// The most bytes of a DATA frame.
    frame_size: usize,
    is_framed: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let compression = select(vec![None, None, Some("gzip"), Some("deflate")]);
    let body = (seed(), vec(mutation(), 0..4), compression, vec(mutation(), 0..2)).prop_map(
        |(mut body, inside, compression, outside)| {
            apply(&inside, &mut body);
            body = compress(compression, &body);
            apply(&outside, &mut body);
            body
        },
    );
    let name = || {
        prop_oneof![
            4 => Just(None),
            4 => select(vec!["gzip", "deflate", "identity", "zstd", "x-gzip"]).prop_map(|v| Some(v.to_owned())),
            1 => "[ -~]{0,20}".prop_map(Some),
        ]
    };
    let media_type = prop_oneof![
        8 => select(vec![PROTOBUF, JSON, "application/grpc", "application/grpc+proto"]).prop_map(str::to_owned),
        1 => "[ -~]{0,20}",
        1 => "application/[ -~]{0,20}",
    ];
    (
        body,
        select(vec![TRACES, LOGS, TRACE_METHOD, LOGS_METHOD, "/", "/v1/metrics"]),
        prop_oneof![9 => Just("POST"), 1 => select(vec!["GET", "PUT", "HEAD", "OPTIONS"])],
        media_type,
        name(),
        name(),
        1..3_000_usize,
        any::<bool>(),
    )
        .prop_map(|(body, path, method, media_type, encoding, grpc_encoding, frame_size, is_framed)| {
            Case { body, path, method, media_type, encoding, grpc_encoding, frame_size, is_framed }
        })
}

/// Runs a property on one receiver, with the same cases every time.
fn check<S: Strategy>(
    strategy: &S,
    property: &impl AsyncFn(&Harness, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let limits = Limits { body_bytes_max: 4_000, ..Limits::default() };
    let harness = runtime.block_on(Harness::with_limits(limits));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(strategy, |case| runtime.block_on(property(&harness, case))).unwrap();
    // The receiver still works, and has counted what it refused.
    let call = Call::new();
    let answer = runtime.block_on(harness.post(TRACES, &[("content-type", PROTOBUF)], call.protobuf()));
    assert_eq!(answer.status, 200);
    assert!(harness.holds(&call));
    assert!(harness.counters().refused() > 0 && harness.counters().requests() > harness.counters().refused());
    runtime.block_on(harness.receiver.shut_down());
}

/// Complete requests over HTTP/2, of both protocols.
#[test]
fn every_http2_request_is_answered() {
    check(&case(), &async |harness, case| {
        let body = if case.is_framed {
            frame(case.grpc_encoding.is_some(), &case.body)
        } else {
            Bytes::from(case.body.clone())
        };
        let frames = body.chunks(case.frame_size).map(Bytes::copy_from_slice).collect();
        let mut headers = vec![("content-type", case.media_type.as_str()), ("te", "trailers")];
        headers.extend(case.encoding.as_deref().map(|name| ("content-encoding", name)));
        headers.extend(case.grpc_encoding.as_deref().map(|name| ("grpc-encoding", name)));
        let answer = harness.h2().await.send(case.method, case.path, &headers, frames).await;
        let answer = answer.map_err(|error| TestCaseError::fail(format!("no answer: {error:?}")))?;
        if answer.header("content-type") == Some("application/grpc") {
            let code = answer.grpc().code();
            let fine = matches!(
                code,
                Code::Ok | Code::InvalidArgument | Code::ResourceExhausted | Code::Unimplemented
            );
            prop_assert!(fine, "{code:?}");
        } else {
            prop_assert!([200, 400, 404, 405, 413, 415].contains(&answer.status), "{}", answer.status);
            if answer.status != 200 && case.method != "HEAD" {
                answer.refusal();
            }
        }
        Ok(())
    });
}

/// Bytes of HTTP/1.1, mutated anywhere, heads and framing included.
#[test]
fn no_bytes_over_http1_are_a_fault_of_the_receiver() {
    let strategy = (seed(), any::<bool>(), vec(mutation(), 0..4)).prop_map(|(body, chunked, mutations)| {
        let mut bytes = if chunked {
            let mut bytes = head("Transfer-Encoding: chunked\r\n").into_bytes();
            bytes.extend(format!("{:x}\r\n", body.len()).into_bytes());
            bytes.extend(body);
            bytes.extend(b"\r\n0\r\n\r\n");
            bytes
        } else {
            request(TRACES, PROTOBUF, &body)
        };
        apply(&mutations, &mut bytes);
        bytes
    });
    check(&strategy, &async |harness, bytes: Vec<u8>| {
        let mut raw = harness.raw().await;
        // The receiver may answer and close before everything is written.
        let (mut reader, mut writer) = raw.stream.split();
        let mut answers = Vec::new();
        let writing = async {
            use tokio::io::AsyncWriteExt as _;
            writer.write_all(&bytes).await.unwrap_or_default();
            writer.shutdown().await.unwrap_or_default();
        };
        let reading = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answers);
        let ((), read) = soon(futures_util::future::join(writing, reading)).await;
        drop(read);
        let flow = answers.split(|&byte| byte == b'\n').try_for_each(|line| {
            let status = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
            match status {
                Some(b"500" | b"501" | b"502") => ControlFlow::Break(line.to_vec()),
                _ => ControlFlow::Continue(()),
            }
        });
        prop_assert_eq!(flow, ControlFlow::Continue(()));
        Ok(())
    });
}
