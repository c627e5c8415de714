//! Forwards traces to a destination, such as Tempo, Jaeger or a Collector.

use std::{str::FromStr, time::Duration};

use ::http::{StatusCode, Uri, uri::PathAndQuery};
use bytes::Bytes;
use reqwest::header;
use spanledger_event::{
    ErrorChain,
    limits::{ERROR_BYTES_MAX, cut},
};
use spanledger_otlp::{Encoding, PartialSuccess, RawCodec, Traces};
use tonic::{
    Code, Status,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use crate::{
    Refusal,
    message::{Compression, Message, Signal},
};

/// The longest time to wait for the destination; it is shorter than the ten seconds that SDKs wait for the receiver.
const TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer of the destination that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1_024;

/// The destination to which traces are forwarded.
///
/// Over HTTP the received body is forwarded unchanged, including its compression. Over gRPC the message is
/// forwarded inflated, and JSON is converted to protobuf, because OTLP/gRPC has no JSON.
#[derive(Clone, Debug)]
pub struct Destination {
    transport: Transport,
}

#[derive(Clone, Debug)]
enum Transport {
    Http { client: reqwest::Client, url: reqwest::Url },
    Grpc { channel: Channel },
}

/// Why an address cannot be used as a destination.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// The address is not a URL with a known scheme.
    #[error(
        "`{url}` is not an OTLP destination: write http://host:4318 for OTLP/HTTP or grpc://host:4317 for OTLP/gRPC"
    )]
    Url {
        /// The address as it was given.
        url: String,
    },
    /// The HTTP client could not be created.
    #[error("the HTTP client for the destination could not be created")]
    Client(#[source] reqwest::Error),
}

impl Destination {
    /// A destination by its address: `http://host:4318` (OTLP/HTTP) or `grpc://host:4317`
    /// (OTLP/gRPC). If an HTTP address has no path, `/v1/traces` is added. Must be called within a Tokio
    /// runtime.
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
            url.set_path(Signal::Traces.http_path());
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(DestinationError::Client)?;
        Ok(Self { transport: Transport::Http { client, url } })
    }

    /// Prepares a message for the transport of the destination.
    pub(crate) fn prepare(&self, message: &Message, plain: &Bytes, traces: &Traces) -> Outgoing {
        match (&self.transport, message.encoding) {
            (Transport::Http { .. }, encoding) => Outgoing {
                bytes: message.bytes.clone(),
                compression: message.compression,
                encoding,
                _source: None,
            },
            (Transport::Grpc { .. }, Encoding::Protobuf) => Outgoing::protobuf(plain.clone(), None),
            (Transport::Grpc { .. }, Encoding::Json) => {
                Outgoing::protobuf(traces.to_protobuf().into(), Some(plain.clone()))
            }
        }
    }

    /// Sends an empty message, which records nothing, and waits until it is accepted.
    pub async fn probe(&self) -> Result<(), ForwardError> {
        self.send(Outgoing::protobuf(Bytes::new(), None)).await
    }

    /// Sends traces and waits until they are accepted.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<(), ForwardError> {
        match &self.transport {
            Transport::Http { client, url } => http(client, url.clone(), &outgoing).await,
            Transport::Grpc { channel } => grpc(channel.clone(), outgoing.bytes.clone()).await,
        }
    }
}

/// A message in the form that the destination accepts.
#[derive(Debug)]
pub(crate) struct Outgoing {
    bytes: Bytes,
    compression: Compression,
    encoding: Encoding,
    /// The JSON from which `bytes` was converted. It is kept so that its part of the budget stays reserved:
    /// the protobuf is shorter than the JSON and has no part of its own.
    _source: Option<Bytes>,
}

impl Outgoing {
    fn protobuf(bytes: Bytes, source: Option<Bytes>) -> Self {
        Self { bytes, compression: Compression::Identity, encoding: Encoding::Protobuf, _source: source }
    }
}

/// Why the destination did not accept traces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The destination cannot be reached, or temporarily accepts no traces. The request may be repeated.
    #[error("the destination of traces is not available: {0}")]
    Unavailable(String),
    /// The destination refuses the traces and would refuse the same request again.
    #[error("the destination refused these traces: {0}")]
    Refused(String),
}

fn unavailable(what: impl std::fmt::Display) -> ForwardError {
    ForwardError::Unavailable(what.to_string())
}

fn refused(what: impl std::fmt::Display) -> ForwardError {
    ForwardError::Refused(what.to_string())
}

impl From<ForwardError> for Refusal {
    fn from(error: ForwardError) -> Self {
        match &error {
            ForwardError::Unavailable(what) => {
                tracing::warn!(what, "receiver.forward.unavailable");
                Self::Unavailable(error.to_string())
            }
            ForwardError::Refused(what) => {
                tracing::warn!(what, "receiver.forward.refused");
                Self::Malformed(format!("{error}; their costs are recorded"))
            }
        }
    }
}

async fn http(client: &reqwest::Client, url: reqwest::Url, outgoing: &Outgoing) -> Result<(), ForwardError> {
    let content_type = match outgoing.encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let mut request =
        client.post(url).header(header::CONTENT_TYPE, content_type).body(outgoing.bytes.clone());
    if let Some(name) = outgoing.compression.name() {
        request = request.header(header::CONTENT_ENCODING, name);
    }
    let response = request.send().await.map_err(|error| unavailable(ErrorChain(&error.without_url())))?;
    match response.status() {
        status if status.is_success() => {
            let is_short = response.content_length().is_some_and(|bytes| bytes <= ANSWER_BYTES_MAX);
            // The status is the acknowledgement; an answer that cannot be read says nothing more.
            if let Some(body) = if is_short { response.bytes().await.ok() } else { None } {
                note_partial(PartialSuccess::of_traces(&body, outgoing.encoding));
            }
            Ok(())
        }
        // OTLP specification, "Failures": only these four statuses are retryable.
        status @ (StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT) => Err(unavailable(status)),
        status => Err(refused(status)),
    }
}

/// Tells what the destination left out. Its costs are recorded, and OTLP forbids sending it again.
fn note_partial(mut partial: PartialSuccess) {
    if partial.rejected > 0 || !partial.message.is_empty() {
        cut(&mut partial.message, ERROR_BYTES_MAX);
        // Not as the event's own message, which a log prints without escaping control characters.
        let (spans, what) = (partial.rejected, partial.message.as_str());
        tracing::warn!(spans, what, "receiver.forward.partial_success");
    }
}

async fn grpc(channel: Channel, bytes: Bytes) -> Result<(), ForwardError> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| unavailable(ErrorChain(&error)))?;
    let path = PathAndQuery::from_static(Signal::Traces.grpc_path());
    match client.unary(tonic::Request::new(bytes), path, RawCodec).await {
        Ok(response) => {
            note_partial(PartialSuccess::of_traces(response.get_ref(), Encoding::Protobuf));
            Ok(())
        }
        Err(status) => Err(error_of_status(&status)),
    }
}

/// Distinguishes retryable statuses from final ones (OTLP specification, "Failures").
fn error_of_status(status: &Status) -> ForwardError {
    let what = format!("{:?} {}", status.code(), status.message());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => unavailable(what),
        Code::ResourceExhausted if status.get_details_retry_info().is_some() => unavailable(what),
        // tonic reports a broken connection as `Unknown` with a source.
        Code::Unknown if std::error::Error::source(status).is_some() => unavailable(what),
        _ => refused(what),
    }
}
