//! A receiver on ports of its own, calls to send to it, and clients that can misbehave.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    Request,
    body::Frame,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use spanledger_event::{CostEvent, EventId, Observation, ObservedAs, Timestamp};
use spanledger_ledger::{Ledger, LedgerReader, Summary};
use spanledger_otlp::record;
use spanledger_price::PriceBook;
use spanledger_receiver::{Addresses, Counters, Destination, Limits, Pipeline, RunningServer, Server};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A guard against hanging, long enough for a busy machine; no test measures time with it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";
pub(crate) const TRACES: &str = "/v1/traces";
pub(crate) const LOGS: &str = "/v1/logs";
pub(crate) const TRACE_METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(crate) const LOGS_METHOD: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("an answer before the patience ends")
}

/// A receiver that serves.
pub(crate) struct Harness {
    folder: TempDir,
    pub(crate) ledger: Ledger,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    server: RunningServer,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default(), None).await
    }

    pub(crate) async fn with(limits: Limits, destination: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
        let mut pipeline = Pipeline::new(
            ledger.clone(),
            PriceBook::builtin(),
            spanledger_otlp::ObservationReader::default(),
        );
        if let Some(address) = destination {
            pipeline = pipeline.with_destination(Destination::new(address).unwrap());
        }
        let server = Server::builder().limits(limits).bind().await.unwrap().spawn(pipeline);
        let Addresses { grpc, http, .. } = server.addresses();
        Self { folder, ledger, grpc, http, server }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.server.pipeline().counters()
    }

    /// The event as another process finds it.
    pub(crate) fn event(&self, id: &EventId) -> Option<CostEvent> {
        LedgerReader::open(self.path()).unwrap().event(id).unwrap()
    }

    pub(crate) fn holds(&self, call: &Call) -> bool {
        self.event(&call.id()).is_some()
    }

    pub(crate) fn summary(&self) -> Summary {
        LedgerReader::open(self.path()).unwrap().summary().unwrap()
    }

    /// Makes the ledger refuse to write, or write again.
    pub(crate) fn set_broken(&self, broken: bool) {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
            .execute_batch(if broken {
                "CREATE TRIGGER broken BEFORE INSERT ON observation
                 BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            } else {
                "DROP TRIGGER broken"
            })
            .unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn shut_down(self) -> (TempDir, Ledger) {
        soon(self.server.stop()).await.unwrap();
        (self.folder, self.ledger)
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        post(self.http, path, headers, body).await
    }

    pub(crate) async fn raw(&self) -> Http1 {
        Http1::connect(self.http).await
    }

    pub(crate) async fn h2(&self) -> Http2 {
        Http2::connect(self.grpc).await
    }
}

/// A GenAI call that no other test sends.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
}

pub(crate) const START: u64 = 1_763_719_200_000_000_000;

impl Call {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut trace = [0xab; 16];
        trace[8..].copy_from_slice(&number.to_be_bytes());
        Self { trace, span: (number << 8 | 1).to_be_bytes() }
    }

    pub(crate) fn id(&self) -> EventId {
        let start = Timestamp::from_nanos(i64::try_from(START).unwrap());
        EventId::of_span(&hex(&self.trace), &hex(&self.span), start)
    }

    pub(crate) fn span(&self) -> Span {
        Span {
            trace_id: self.trace.to_vec(),
            span_id: self.span.to_vec(),
            name: "chat gpt-5.5".to_owned(),
            kind: 3,
            start_time_unix_nano: START,
            end_time_unix_nano: START + 1_000_000_000,
            attributes: vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "gpt-5.5"),
                integer("gen_ai.usage.input_tokens", 1_000),
                integer("gen_ai.usage.output_tokens", 50),
            ],
            ..Span::default()
        }
    }

    pub(crate) fn protobuf(&self) -> Vec<u8> {
        traces(vec![self.span()]).encode_to_vec()
    }

    /// The span in JSON, with more members where a test needs them.
    pub(crate) fn json_span(&self, more: &str) -> String {
        format!(
            r#"{{"traceId":"{}","spanId":"{}","name":"chat gpt-5.5","kind":3,"startTimeUnixNano":"{START}","endTimeUnixNano":"{}","attributes":[
                {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
                {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1000"}}}},
                {{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"50"}}}}]{more}}}"#,
            hex(&self.trace),
            hex(&self.span),
            START + 1,
        )
    }

    pub(crate) fn json(&self) -> String {
        json_traces(&self.json_span(""))
    }

    /// The project's own record of another call with this call's numbers, and its event.
    pub(crate) fn record(&self) -> (Vec<u8>, EventId) {
        let id = EventId::of_request(&hex(&self.span), 7);
        let start = Timestamp::from_nanos(i64::try_from(START).unwrap());
        let observation = Observation::new(id.clone(), hex(&self.span), ObservedAs::Record, start);
        (record::request(vec![record::record(&observation)], &[], "0").to_protobuf(), id)
    }
}

pub(crate) fn json_traces(spans: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
}

pub(crate) fn traces(spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource::default()),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

/// A message of exactly `length` bytes with one call in it.
pub(crate) fn message_of(call: &Call, length: usize) -> Vec<u8> {
    let build = |padding: usize| {
        let mut span = call.span();
        span.attributes.push(text("padding", &"x".repeat(padding)));
        traces(vec![span]).encode_to_vec()
    };
    let mut padding = length - build(0).len();
    let mut message = build(padding);
    // The lengths around the padding grow with it.
    while message.len() > length {
        padding -= message.len() - length;
        message = build(padding);
    }
    assert_eq!(message.len(), length, "no message has this length: choose another");
    message
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub(crate) fn integer(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gzip body, in members of 1 MiB, that inflates to this many bytes.
pub(crate) fn bomb(inflated: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    encoder.finish().unwrap().repeat(inflated >> 20)
}

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Code and message of the `google.rpc.Status` that every refusal carries (C60).
    pub(crate) fn refusal(&self) -> (i32, String) {
        let (code, message) = match self.header("content-type") {
            Some(PROTOBUF) => {
                let status = tonic_types::pb::Status::decode(self.body.clone()).unwrap();
                (status.code, status.message)
            }
            Some(JSON) => {
                let status: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
                (
                    i32::try_from(status["code"].as_i64().unwrap()).unwrap(),
                    status["message"].as_str().unwrap().to_owned(),
                )
            }
            other => panic!("a refusal in {other:?}: {self:?}"),
        };
        assert!(!message.is_empty(), "{self:?}");
        // C61: for the client's developer, without what is inside.
        for inside in ["src/", ".rs:", "panicked", "Error {", "SqliteFailure"] {
            assert!(!message.contains(inside), "{message}");
        }
        (code, message)
    }

    /// The gRPC status, from the trailers or, where there is no message, from the headers.
    pub(crate) fn grpc(&self) -> tonic::Status {
        assert_eq!(self.status, 200, "gRPC answers 200: {self:?}");
        assert_eq!(self.header("content-type"), Some("application/grpc"), "{self:?}");
        let place = if self.trailers.is_empty() { &self.headers } else { &self.trailers };
        tonic::Status::from_header_map(place).unwrap_or_else(|| panic!("no grpc-status: {self:?}"))
    }

    /// Asserts a whole success of OTLP/gRPC: an empty message, then status 0 in the trailers.
    pub(crate) fn expect_grpc_success(&self, what: &str) {
        assert_eq!(self.grpc().code(), tonic::Code::Ok, "{what}: {self:?}");
        assert_eq!(&self.body[..], &[0; 5], "{what}");
        assert_eq!(self.trailers["grpc-status"], "0", "{what}");
    }
}

pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = reqwest::Client::new().post(format!("http://{address}{path}")).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let response = soon(request.send()).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = soon(response.bytes()).await.unwrap();
    Answer { status, headers, body, trailers: HeaderMap::new() }
}

/// HTTP/1.1, byte by byte.
pub(crate) struct Http1 {
    pub(crate) stream: TcpStream,
    buffer: BytesMut,
}

impl Http1 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: BytesMut::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// The next answer; `None` when the connection was closed instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if soon(self.stream.read_buf(&mut self.buffer)).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.split_to(end).to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |value| value.to_str().unwrap().parse::<usize>().unwrap());
        while self.buffer.len() < length {
            if soon(self.stream.read_buf(&mut self.buffer)).await.unwrap() == 0 {
                return None;
            }
        }
        let body = self.buffer.split_to(length).freeze();
        Some(Answer { status, headers, body, trailers: HeaderMap::new() })
    }

    /// Whether the other side has closed, after all answers were read.
    pub(crate) async fn is_closed(&mut self) -> bool {
        assert!(self.buffer.is_empty(), "there is more: {:?}", self.buffer);
        // A reset is a way of closing.
        soon(self.stream.read_buf(&mut self.buffer)).await.unwrap_or(0) == 0
    }
}

/// The head of an HTTP/1.1 request to the path of traces, protobuf.
pub(crate) fn head(lines: &str) -> String {
    format!("POST /v1/traces HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\n{lines}\r\n")
}

/// A whole HTTP/1.1 request with a length.
pub(crate) fn request(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

type Chunks =
    StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, std::io::Error>>>>;

/// HTTP/2 with prior knowledge, frame by frame.
#[derive(Clone)]
pub(crate) struct Http2 {
    sender: SendRequest<Chunks>,
}

impl Http2 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    /// Sends a request whose body is these DATA frames.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        frames: Vec<Bytes>,
    ) -> Result<Answer, hyper::Error> {
        let frames: Vec<_> = frames.into_iter().map(|data| Ok(Frame::data(data))).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://test{path}"))
            .version(hyper::Version::HTTP_2);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let request = request.body(StreamBody::new(futures_util::stream::iter(frames))).unwrap();
        soon(self.sender.ready()).await?;
        let response = soon(self.sender.send_request(request)).await?;
        let (parts, body) = response.into_parts();
        let body = soon(body.collect()).await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes(), trailers })
    }

    /// A unary call with one frame of a message.
    pub(crate) async fn call(&mut self, path: &str, encoding: Option<&str>, message: &[u8]) -> Answer {
        let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
        headers.extend(encoding.map(|name| ("grpc-encoding", name)));
        let frame = frame(encoding.is_some(), message);
        self.send("POST", path, &headers, vec![frame]).await.unwrap()
    }
}

/// A message with its prefix.
pub(crate) fn frame(is_compressed: bool, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(u8::from(is_compressed));
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put(message);
    frame.freeze()
}

/// Messages as bytes, for `tonic`'s own client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw;

impl tonic::codec::Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl tonic::codec::Encoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, item: Bytes, buffer: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), tonic::Status> {
        buffer.put(item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, buffer: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// What an SDK does: one export with `tonic`'s client.
pub(crate) async fn export(
    address: SocketAddr,
    path: &'static str,
    message: impl Into<Bytes>,
) -> Result<Bytes, tonic::Status> {
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = ::http::uri::PathAndQuery::from_static(path);
    soon(client.unary(tonic::Request::new(message.into()), path, Raw)).await.map(tonic::Response::into_inner)
}
