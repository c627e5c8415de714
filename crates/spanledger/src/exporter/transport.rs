//! Sends a request to the receiver and reads its answer.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::{StatusCode, header};
use spanledger_event::{ErrorChain, keys::RECEIVER_HEADER};
use spanledger_otlp::{Encoding, PartialSuccess};

use super::{config::Compression, outbox::Verdict, settings::Settings};

#[cfg(feature = "grpc")]
mod grpc;
#[cfg(test)]
mod tests;

#[cfg(feature = "grpc")]
pub(super) use grpc::endpoint as grpc_endpoint;

/// The longest wait that is accepted from a `Retry-After` header.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// The shortest one, so that a server that answers `Retry-After: 0` is not asked without a pause.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(100);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    /// The wait that the receiver asks for.
    pub(super) after: Option<Duration>,
    /// Why the request was not acknowledged.
    pub(super) reason: String,
    /// What a receiver that acknowledged the request left out.
    pub(super) partial: PartialSuccess,
    /// Whether the answer says that it comes from Spanledger's receiver.
    pub(super) is_from_receiver: bool,
}

impl Answer {
    fn acknowledged(is_from_receiver: bool, partial: PartialSuccess) -> Self {
        let verdict = Verdict::Acknowledged;
        Self { verdict, after: None, reason: String::new(), partial, is_from_receiver }
    }

    fn failed(verdict: Verdict, after: Option<Duration>, reason: String) -> Self {
        Self { verdict, after, reason, partial: PartialSuccess::default(), is_from_receiver: false }
    }
}

/// The way to the receiver.
pub(super) trait Transport {
    /// Sends an export request and waits for its answer.
    fn post(&self, request: Bytes) -> impl Future<Output = Answer>;
}

/// OTLP over HTTP or gRPC.
#[derive(Debug)]
pub(super) enum OtlpTransport {
    Http(Box<Http>),
    #[cfg(feature = "grpc")]
    Grpc(Box<grpc::Grpc>),
}

impl Transport for OtlpTransport {
    async fn post(&self, request: Bytes) -> Answer {
        match self {
            Self::Http(http) => http.post(request).await,
            #[cfg(feature = "grpc")]
            Self::Grpc(grpc) => match tokio::time::timeout(grpc.timeout, grpc.post(request)).await {
                Ok(answer) => answer,
                Err(_) => {
                    // All requests use this connection, and it may be the connection that is silent.
                    grpc.reconnect();
                    let reason = format!("the receiver did not answer within {:?}", grpc.timeout);
                    Answer::failed(Verdict::Failed, None, reason)
                }
            },
        }
    }
}

impl OtlpTransport {
    /// Must be called within a Tokio runtime.
    pub(super) fn new(settings: &Settings) -> Self {
        #[cfg(feature = "grpc")]
        if let Some(endpoint) = &settings.grpc {
            return Self::Grpc(Box::new(grpc::Grpc::new(settings, endpoint)));
        }
        Self::Http(Box::new(Http {
            client: settings.client.clone(),
            url: settings.url.clone(),
            headers: settings.headers.clone(),
            timeout: settings.timeout,
            compression: settings.compression,
        }))
    }
}

/// OTLP/HTTP with protobuf.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: header::HeaderMap,
    timeout: Duration,
    compression: Compression,
}

impl Http {
    async fn post(&self, message: Bytes) -> Answer {
        let request = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .headers(self.headers.clone())
            .header(header::CONTENT_TYPE, "application/x-protobuf");
        let request = match self.compression {
            Compression::None => request.body(message),
            Compression::Gzip => request.header(header::CONTENT_ENCODING, "gzip").body(gzip(&message)),
        };
        match request.send().await {
            Ok(response) => read(response).await,
            Err(error) => {
                let verdict = if error.is_connect() || error.is_builder() {
                    Verdict::Unreachable
                } else {
                    // A receiver that crashes at a record closes the connection, too.
                    Verdict::Failed
                };
                Answer::failed(verdict, None, ErrorChain(&error.without_url()).to_string())
            }
        }
    }
}

/// Compresses a message.
pub(super) fn gzip(message: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing into memory cannot fail. If it did, the receiver would refuse the message.
    drop(encoder.write_all(message));
    encoder.finish().unwrap_or_default()
}

async fn read(mut response: reqwest::Response) -> Answer {
    let status = response.status();
    let headers = response.headers();
    let after = headers.get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
    let is_from_receiver = headers.contains_key(RECEIVER_HEADER);
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let reason = || format!("the receiver answered {status}");
    match status {
        status if status.is_success() => {
            if content_type.starts_with("text/html") {
                let reason =
                    format!("the answer is a web page ({status}), not an answer of OTLP; {WRONG_ADDRESS}");
                return Answer::failed(Verdict::Unreachable, after, reason);
            }
            let encoding = if content_type.contains("json") { Encoding::Json } else { Encoding::Protobuf };
            let mut body = Vec::new();
            // The status is the acknowledgement; an answer that cannot be read says nothing more.
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > ANSWER_BYTES_MAX {
                    body.clear();
                    break;
                }
            }
            Answer::acknowledged(is_from_receiver, PartialSuccess::of_logs(&body, encoding))
        }
        StatusCode::PAYLOAD_TOO_LARGE => Answer::failed(Verdict::TooLarge, None, reason()),
        // The same bytes would be refused again.
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            Answer::failed(Verdict::Refused, after, reason())
        }
        status if status.is_server_error() => Answer::failed(Verdict::Failed, after, reason()),
        StatusCode::TOO_MANY_REQUESTS => Answer::failed(Verdict::Unreachable, after, reason()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            let reason = format!("{}: its headers lack a valid key (SPANLEDGER_HEADERS)", reason());
            Answer::failed(Verdict::Unreachable, after, reason)
        }
        // A Jaeger or Tempo takes traces and answers 404 for logs; a redirect leads to a login page.
        _ => Answer::failed(Verdict::Unreachable, after, format!("{}; {WRONG_ADDRESS}", reason())),
    }
}

const WRONG_ADDRESS: &str = "nothing takes OTLP logs there (a trace backend takes only traces): set \
                             SPANLEDGER_ENDPOINT to the address of `spanledger serve`";

/// The wait of a `Retry-After` header: a number of seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
            SystemTime::from(at).duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX))
}
