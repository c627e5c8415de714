//! Clients that send exactly the bytes that a test specifies, including invalid ones.

use std::net::SocketAddr;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    Request,
    body::Frame,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use spanledger_otlp::RawCodec;
use spanledger_testkit::otlp::{JSON, PROTOBUF};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::soon;

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

    /// Code and message of the `google.rpc.Status` that every refusal carries (C60). The message is for
    /// the client's developer and shows no internal details of the receiver (C61).
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

    /// Asserts a full success of OTLP/gRPC: an empty message, then status 0 in the trailers.
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

/// A client of HTTP/1.1 that sends the bytes that a test gives it.
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

    /// The next answer, or `None` if the connection was closed instead.
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

    /// Whether the receiver has closed the connection, after all answers were read.
    pub(crate) async fn is_closed(&mut self) -> bool {
        assert!(self.buffer.is_empty(), "there are more bytes: {:?}", self.buffer);
        // A reset is a way of closing.
        soon(self.stream.read_buf(&mut self.buffer)).await.unwrap_or(0) == 0
    }
}

/// The head of an HTTP/1.1 request with traces in protobuf, and these header lines.
pub(crate) fn head(lines: &str) -> String {
    format!("POST /v1/traces HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\n{lines}\r\n")
}

/// A complete HTTP/1.1 request with `Content-Length`.
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

/// A client of HTTP/2 with prior knowledge that sends the DATA frames that a test gives it.
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

    /// A unary gRPC call with one message in one DATA frame.
    pub(crate) async fn call(&mut self, path: &str, encoding: Option<&str>, message: &[u8]) -> Answer {
        let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
        headers.extend(encoding.map(|name| ("grpc-encoding", name)));
        let frame = frame(encoding.is_some(), message);
        self.send("POST", path, &headers, vec![frame]).await.unwrap()
    }
}

/// A gRPC message with its prefix.
pub(crate) fn frame(is_compressed: bool, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(u8::from(is_compressed));
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put(message);
    frame.freeze()
}

/// One export with `tonic`'s client, as an SDK does it.
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
    soon(client.unary(tonic::Request::new(message.into()), path, RawCodec))
        .await
        .map(tonic::Response::into_inner)
}
