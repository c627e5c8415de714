//! Refusals and their form on each transport.

use std::time::Duration;

use ::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use hyper::Response;
use prost::Message as _;
use spanledger_otlp::Encoding;
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::body::{ResponseBody, full};

/// How long a client is asked to wait: long enough to recover, short enough for an SDK whose whole
/// budget is ten seconds.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Bytes of a message to the client; the answer's limit of the specification is far above it.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// Why a request is not accepted. Its text is for the client's developer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such path or method.
    #[error("{0}")]
    NotFound(String),
    /// Not a POST.
    #[error("OTLP is sent with POST")]
    MethodNotAllowed,
    /// Not OTLP by its content type.
    #[error("the Content-Type is {0}: send application/x-protobuf or application/json, or gRPC over HTTP/2")]
    UnsupportedMediaType(String),
    /// A compression that is not understood.
    #[error("the encoding `{0}` is not supported: send gzip, deflate or identity")]
    UnsupportedEncoding(String),
    /// Over the limit, before or after inflating.
    #[error(
        "the message is larger than {limit} bytes: send smaller batches, or raise the limit of the receiver"
    )]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Not the message that it should be.
    #[error("{0}")]
    Malformed(String),
    /// The receiver is at its limits for the moment.
    #[error("the receiver is busy: {0}")]
    Busy(&'static str),
    /// Something that the receiver needs does not answer for the moment.
    #[error("{0}")]
    Unavailable(String),
}

impl Refusal {
    /// Whether the client should send the same request again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_))
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType(_) | Self::UnsupportedEncoding(_) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Busy(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) | Self::MethodNotAllowed | Self::UnsupportedEncoding(_) => Code::Unimplemented,
            // Without a RetryInfo it is not retried (OTLP specification, "Failures").
            Self::TooLarge { .. } => Code::ResourceExhausted,
            Self::Malformed(_) | Self::UnsupportedMediaType(_) => Code::InvalidArgument,
            Self::Busy(_) | Self::Unavailable(_) => Code::Unavailable,
        }
    }

    fn message(&self) -> String {
        let mut message = self.to_string();
        if message.len() > MESSAGE_BYTES_MAX {
            let end = (0..=MESSAGE_BYTES_MAX).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
            message.truncate(end);
        }
        message
    }

    /// As an OTLP/HTTP answer: a `google.rpc.Status` in the request's own encoding.
    pub(crate) fn into_http(self, encoding: Encoding) -> Response<ResponseBody> {
        let status = tonic_types::pb::Status {
            code: self.code() as i32,
            message: self.message(),
            details: Vec::new(),
        };
        let (content_type, body) = match encoding {
            Encoding::Protobuf => (PROTOBUF, status.encode_to_vec()),
            Encoding::Json => (
                JSON,
                serde_json::json!({"code": status.code, "message": status.message}).to_string().into_bytes(),
            ),
        };
        let mut response = Response::new(full(Bytes::from(body)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        match self {
            Self::MethodNotAllowed => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            Self::UnsupportedEncoding(_) => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"));
            }
            Self::Busy(_) | Self::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
            }
            _ => {}
        }
        response
    }

    /// As a gRPC answer: the status in the headers, with a `RetryInfo` where a retry helps.
    pub(crate) fn into_grpc(self) -> Response<ResponseBody> {
        let unknown_encoding = matches!(self, Self::UnsupportedEncoding(_));
        let status = if self.is_retryable() {
            let details = ErrorDetails::with_retry_info(Some(RETRY_AFTER));
            tonic::Status::with_error_details(self.code(), self.message(), details)
        } else {
            tonic::Status::new(self.code(), self.message())
        };
        let mut response = status.into_http::<()>().map(|()| full(Bytes::new()));
        if unknown_encoding {
            response
                .headers_mut()
                .insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,deflate"));
        }
        response
    }
}

pub(crate) const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
