//! The destination of traces: Tempo, Jaeger, a Collector.

use std::{str::FromStr, time::Duration};

use ::http::{StatusCode, Uri, uri::PathAndQuery};
use bytes::{Buf, BufMut, Bytes};
use reqwest::header;
use spanledger_otlp::{Encoding, Traces};
use tonic::{
    Code, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use crate::{
    Refusal,
    pipeline::{Message, chain},
};

/// Below the ten seconds that SDKs wait for us.
const TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where traces are passed on to, as they came.
///
/// Over HTTP the body is the one that was received, compression included. Over gRPC it is the same
/// message, inflated; JSON is written in protobuf for it, since gRPC has no JSON.
#[derive(Clone, Debug)]
pub struct Destination {
    transport: Transport,
}

#[derive(Clone, Debug)]
enum Transport {
    Http { client: reqwest::Client, url: reqwest::Url },
    Grpc { channel: Channel },
}

/// An address that is no destination.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// Not a URL of a known scheme.
    #[error(
        "`{url}` is no OTLP destination: write http://host:4318 for OTLP/HTTP or grpc://host:4317 for OTLP/gRPC"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// The HTTP client could not be made.
    #[error("no HTTP client could be made for the destination")]
    Client(#[source] reqwest::Error),
}

impl Destination {
    /// A destination by its address: `http://host:4318` (OTLP/HTTP) or `grpc://host:4317`
    /// (OTLP/gRPC). A path other than `/` is used as it is, else `/v1/traces` is added. Must be
    /// called within a Tokio runtime.
    pub fn new(address: &str) -> Result<Self, DestinationError> {
        let bad = || DestinationError::Url { url: address.to_owned() };
        if let Some(authority) = address.strip_prefix("grpc://") {
            let uri = Uri::from_str(&format!("http://{authority}")).map_err(|_| bad())?;
            let endpoint = Endpoint::from(uri).connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
            return Ok(Self { transport: Transport::Grpc { channel: endpoint.connect_lazy() } });
        }
        let mut url = reqwest::Url::parse(address).map_err(|_| bad())?;
        if url.scheme() != "http" || !url.has_host() {
            return Err(bad());
        }
        if matches!(url.path(), "" | "/") {
            url.set_path("/v1/traces");
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(DestinationError::Client)?;
        Ok(Self { transport: Transport::Http { client, url } })
    }

    /// Passes a message on and waits until it is accepted.
    pub(crate) async fn send(&self, message: &Message, plain: &Bytes) -> Result<(), Refusal> {
        match &self.transport {
            Transport::Http { client, url } => http(client, url.clone(), message).await,
            Transport::Grpc { channel } => {
                let bytes = match message.encoding {
                    Encoding::Protobuf => plain.clone(),
                    Encoding::Json => Traces::decode(plain, Encoding::Json)
                        .map(|traces| traces.to_protobuf().into())
                        .map_err(|error| Refusal::Malformed(chain(&error)))?,
                };
                grpc(channel.clone(), bytes).await
            }
        }
    }
}

fn unavailable(what: impl std::fmt::Display) -> Refusal {
    tracing::warn!(%what, "receiver.forward.unavailable");
    Refusal::Unavailable(format!("the destination of traces is not available: {what}"))
}

fn refused(what: impl std::fmt::Display) -> Refusal {
    tracing::warn!(%what, "receiver.forward.refused");
    Refusal::Malformed(format!("the destination refused these traces: {what}; their costs are recorded"))
}

async fn http(client: &reqwest::Client, url: reqwest::Url, message: &Message) -> Result<(), Refusal> {
    let content_type = match message.encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let mut request = client.post(url).header(header::CONTENT_TYPE, content_type).body(message.bytes.clone());
    if let Some(name) = message.compression.name() {
        request = request.header(header::CONTENT_ENCODING, name);
    }
    let response = request.send().await.map_err(|error| unavailable(chain(&error.without_url())))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        // OTLP specification, "Failures": these four are retried, no other.
        status @ (StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT) => Err(unavailable(status)),
        status => Err(refused(status)),
    }
}

async fn grpc(channel: Channel, bytes: Bytes) -> Result<(), Refusal> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| unavailable(chain(&error)))?;
    let path = PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    match client.unary(tonic::Request::new(bytes), path, RawCodec).await {
        Ok(_) => Ok(()),
        Err(status) => Err(judge(&status)),
    }
}

/// OTLP specification, "Failures": which codes are retried.
fn judge(status: &Status) -> Refusal {
    let what = format!("{:?} {}", status.code(), status.message());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => unavailable(what),
        Code::ResourceExhausted if status.get_details_retry_info().is_some() => unavailable(what),
        // What tonic itself says of a connection that broke.
        Code::Unknown if std::error::Error::source(status).is_some() => unavailable(what),
        _ => refused(what),
    }
}

/// Messages as bytes.
#[derive(Clone, Copy, Debug, Default)]
struct RawCodec;

impl Codec for RawCodec {
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

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
