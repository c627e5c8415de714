//! Tests of forwarding: the received bytes are forwarded, and the answer depends on the destination and the ledger.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use ::http::HeaderMap;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use spanledger_receiver::Destination;
use spanledger_testkit::otlp::{JSON, PROTOBUF, protobuf, traces};
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::support::{Answer, Call, Harness, LOGS, LOGS_METHOD, TRACE_METHOD, TRACES, compress, frame};

/// A request that a destination received.
#[derive(Clone, Debug)]
struct Received {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A planned answer of a destination. Without a plan the destination accepts.
#[derive(Clone, Debug)]
enum Reply {
    Http(u16),
    Grpc(tonic::Status),
}

/// A destination of traces that keeps the requests and gives planned answers.
#[derive(Clone)]
struct StandIn {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    plan: Arc<Mutex<VecDeque<Reply>>>,
}

impl StandIn {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this =
            Self { address: listener.local_addr().unwrap(), received: Arc::default(), plan: Arc::default() };
        let serving = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = serving.clone();
                let service = service_fn(move |request| {
                    let this = this.clone();
                    async move { Ok::<_, std::convert::Infallible>(this.answer(request).await) }
                });
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    builder.serve_connection(TokioIo::new(stream), service).await.unwrap_or_default();
                });
            }
        });
        this
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Response<UnsyncBoxBody<Bytes, std::convert::Infallible>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let is_grpc = parts.headers["content-type"] == "application/grpc";
        self.received.lock().unwrap().push(Received {
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            body,
        });
        let reply = self.plan.lock().unwrap().pop_front();
        match reply {
            Some(Reply::Http(status)) => {
                // A proxy answers a gRPC client without a body. A text would be read as a broken message,
                // whatever the status.
                let text: &[u8] = if is_grpc { b"" } else { b"what the destination says" };
                let body = Full::new(Bytes::from_static(text)).boxed_unsync();
                Response::builder().status(status).body(body).unwrap()
            }
            Some(Reply::Grpc(status)) => {
                status.into_http::<()>().map(|()| Full::new(Bytes::new()).boxed_unsync())
            }
            None if is_grpc => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let body = Full::new(Bytes::from_static(&[0; 5]))
                    .with_trailers(std::future::ready(Some(Ok(trailers))));
                Response::builder()
                    .header("content-type", "application/grpc")
                    .body(body.boxed_unsync())
                    .unwrap()
            }
            None => Response::new(Full::new(Bytes::new()).boxed_unsync()),
        }
    }

    /// Plans the next answer.
    fn plan(&self, reply: Reply) {
        self.plan.lock().unwrap().push_back(reply);
    }

    /// The requests since the last call of this.
    fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    /// The one request since the last call.
    fn one_received(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.into_iter().next().unwrap()
    }

    fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    fn grpc(&self) -> String {
        format!("grpc://{}", self.address)
    }
}

/// C12, C13, C14, T42: over HTTP the body is forwarded byte for byte, unknown fields and compression
/// included, from both transports.
#[tokio::test]
async fn over_http_the_body_is_forwarded_byte_for_byte() {
    let destination = StandIn::start().await;
    let harness = Harness::forwarding_to(&destination.http()).await;
    // With a field that no version of OTLP has.
    let message = |call: &Call| [call.protobuf(), vec![0xa0, 0x06, 0x01]].concat();
    let mut calls = 0;
    for (media_type, encoding) in [
        (PROTOBUF, None),
        (PROTOBUF, Some("gzip")),
        (PROTOBUF, Some("deflate")),
        (JSON, None),
        (JSON, Some("gzip")),
    ] {
        let call = Call::new();
        let plain = if media_type == JSON { call.json().into_bytes() } else { message(&call) };
        let body = compress(encoding, &plain);
        let mut headers = vec![("content-type", media_type)];
        headers.extend(encoding.map(|name| ("content-encoding", name)));
        assert_eq!(harness.post(TRACES, &headers, body.clone()).await.status, 200);
        let received = destination.one_received();
        assert_eq!(received.path, "/v1/traces");
        assert_eq!(received.headers["content-type"], media_type);
        let header = received.headers.get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(header, encoding);
        assert_eq!(received.body, body, "{media_type} {encoding:?}");
        assert!(harness.holds(&call));
        calls += 1;
    }
    // From gRPC to HTTP: the message without its prefix.
    for encoding in [None, Some("gzip")] {
        let call = Call::new();
        let body = compress(encoding, &message(&call));
        harness.h2().await.call(TRACE_METHOD, encoding, &body).await.expect_grpc_success("forwarded");
        let received = destination.one_received();
        assert_eq!(received.headers["content-type"], PROTOBUF);
        assert_eq!(received.headers.get("content-encoding").map(|v| v.to_str().unwrap()), encoding);
        assert_eq!(received.body, body);
        calls += 1;
    }
    assert_eq!(harness.counters().forwarded(), calls);
}

/// Over gRPC the same message is forwarded, inflated. JSON is converted to the same message in protobuf.
#[tokio::test]
async fn over_grpc_the_inflated_message_is_forwarded() {
    let destination = StandIn::start().await;
    let harness = Harness::forwarding_to(&destination.grpc()).await;
    for encoding in [None, Some("gzip")] {
        let call = Call::new();
        let message = [call.protobuf(), vec![0xa0, 0x06, 0x01]].concat();
        let body = compress(encoding, &message);
        harness.h2().await.call(TRACE_METHOD, encoding, &body).await.expect_grpc_success("forwarded");
        let received = destination.one_received();
        assert_eq!(received.path, TRACE_METHOD);
        assert_eq!(received.body, frame(false, &message), "{encoding:?}");
    }
    let call = Call::new();
    assert_eq!(harness.post(TRACES, &[("content-type", JSON)], call.json()).await.status, 200);
    let received = destination.one_received();
    let message = ExportTraceServiceRequest::decode(received.body.slice(5..)).unwrap();
    let span = &message.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((&span.trace_id, &span.span_id), (&call.span().trace_id, &call.span().span_id));
    assert_eq!(span.attributes.len(), 3);
    assert!(harness.holds(&call));
}

/// Guarantees: all spans are forwarded, not only those of AI calls; log records are never forwarded.
#[tokio::test]
async fn all_spans_are_forwarded_and_no_records() {
    let destination = StandIn::start().await;
    let harness = Harness::forwarding_to(&destination.http()).await;
    let mut span = Call::new().span();
    span.attributes.clear();
    let body = protobuf(&traces([span]));
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], body.clone()).await.status, 200);
    let received = destination.one_received();
    assert_eq!(received.body, body);

    let (record, id) = Call::new().record();
    assert_eq!(harness.post(LOGS, &[("content-type", PROTOBUF)], record.clone()).await.status, 200);
    harness.h2().await.call(LOGS_METHOD, None, &record).await.expect_grpc_success("logs");
    assert!(harness.event(&id).is_some());
    // A body that is not OTLP is not forwarded either.
    assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], vec![0xff]).await.status, 400);
    assert!(destination.received().is_empty());
}

/// A destination without a path gets the path of traces; any other path is used as it is.
#[tokio::test]
async fn a_destination_may_have_a_path() {
    let destination = StandIn::start().await;
    for (suffix, path) in [("", "/v1/traces"), ("/", "/v1/traces"), ("/otlp/v1/traces", "/otlp/v1/traces")] {
        let harness = Harness::forwarding_to(&format!("{}{suffix}", destination.http())).await;
        let body = Call::new().protobuf();
        assert_eq!(harness.post(TRACES, &[("content-type", PROTOBUF)], body).await.status, 200);
        assert_eq!(destination.received()[0].path, path, "{suffix}");
    }
    for address in ["", "host", "host:4317", "https://host", "ftp://host", "grpc://", "grpc://a b", "http://"]
    {
        let error = Destination::new(address).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("`{address}` is not an OTLP destination: ")),
            "{error}"
        );
    }
}

fn is_retryable(answer: &Answer) -> bool {
    let (code, _) = answer.refusal();
    match answer.status {
        503 => {
            assert_eq!((answer.header("retry-after"), code), (Some("1"), Code::Unavailable as i32));
            true
        }
        400 => {
            assert_eq!((answer.header("retry-after"), code), (None, Code::InvalidArgument as i32));
            false
        }
        _ => panic!("{answer:?}"),
    }
}

/// C34, C62: the destination's answer decides whether the client tries again, by OTLP's tables. The event
/// is durable in any case, and the retry is a duplicate.
#[tokio::test]
async fn the_answer_of_the_destination_decides_about_a_retry() {
    let destination = StandIn::start().await;
    let http = Harness::forwarding_to(&destination.http()).await;
    let grpc = Harness::forwarding_to(&destination.grpc()).await;
    let status = |code| Reply::Grpc(tonic::Status::new(code, "words of the destination"));
    let exhausted = |delay| {
        let details = ErrorDetails::with_retry_info(Some(std::time::Duration::from_secs(delay)));
        Reply::Grpc(tonic::Status::with_error_details(Code::ResourceExhausted, "full", details))
    };
    let rows = [
        (&http, Reply::Http(429), true),
        (&http, Reply::Http(502), true),
        (&http, Reply::Http(503), true),
        (&http, Reply::Http(504), true),
        (&http, Reply::Http(400), false),
        (&http, Reply::Http(401), false),
        (&http, Reply::Http(404), false),
        (&http, Reply::Http(413), false),
        (&http, Reply::Http(500), false),
        (&http, Reply::Http(302), false),
        (&grpc, status(Code::Cancelled), true),
        (&grpc, status(Code::DeadlineExceeded), true),
        (&grpc, status(Code::Aborted), true),
        (&grpc, status(Code::OutOfRange), true),
        (&grpc, status(Code::Unavailable), true),
        (&grpc, status(Code::DataLoss), true),
        (&grpc, exhausted(3), true),
        (&grpc, status(Code::ResourceExhausted), false),
        (&grpc, status(Code::Unknown), false),
        (&grpc, status(Code::InvalidArgument), false),
        (&grpc, status(Code::NotFound), false),
        (&grpc, status(Code::PermissionDenied), false),
        (&grpc, status(Code::Unauthenticated), false),
        (&grpc, status(Code::FailedPrecondition), false),
        (&grpc, status(Code::Unimplemented), false),
        (&grpc, status(Code::Internal), false),
        (&grpc, Reply::Http(503), true),
        (&grpc, Reply::Http(404), false),
    ];
    for (harness, reply, retry) in rows {
        let call = Call::new();
        let headers = [("content-type", PROTOBUF)];
        destination.plan(reply.clone());
        let answer = harness.post(TRACES, &headers, call.protobuf()).await;
        assert_eq!(is_retryable(&answer), retry, "{reply:?}: {answer:?}");
        assert!(harness.holds(&call), "{reply:?}: recorded, although not forwarded");

        destination.plan(reply.clone());
        let status = harness.h2().await.call(TRACE_METHOD, None, &call.protobuf()).await.grpc();
        assert_eq!(status.code(), if retry { Code::Unavailable } else { Code::InvalidArgument }, "{reply:?}");
        assert_eq!(status.get_details_retry_info().is_some(), retry, "{reply:?}");

        let duplicates = harness.counters().duplicates();
        assert_eq!(harness.post(TRACES, &headers, call.protobuf()).await.status, 200, "{reply:?}");
        assert_eq!(harness.counters().duplicates(), duplicates + 1);
        assert_eq!(destination.received().len(), 3);
    }
    for harness in [http, grpc] {
        let summary = harness.summary();
        assert_eq!(summary.observations, summary.events);
    }
}

/// Guarantees: if the destination does not listen, the client receives an answer after which it retries.
#[tokio::test]
async fn a_destination_that_is_down_is_answered_retryably() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["http", "grpc"] {
        let harness = Harness::forwarding_to(&format!("{scheme}://{closed}")).await;
        for _ in 0..3 {
            let call = Call::new();
            let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], call.protobuf()).await;
            assert!(is_retryable(&answer), "{scheme}: {answer:?}");
            assert!(harness.holds(&call), "{scheme}");
            let status = harness.h2().await.call(TRACE_METHOD, None, &call.protobuf()).await.grpc();
            assert_eq!(status.code(), Code::Unavailable, "{scheme}");
        }
        assert_eq!(harness.counters().forwarded(), 0);
    }
}

/// A request whose traces were forwarded, but not recorded, is not a success.
#[tokio::test]
async fn a_destination_that_accepts_does_not_replace_the_ledger() {
    let destination = StandIn::start().await;
    let harness = Harness::forwarding_to(&destination.http()).await;
    let call = Call::new();
    harness.set_broken(true);
    let answer = harness.post(TRACES, &[("content-type", PROTOBUF)], call.protobuf()).await;
    assert!(is_retryable(&answer));
    assert!(!harness.holds(&call));
}
