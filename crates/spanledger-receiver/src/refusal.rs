//! The reasons why a request is refused.

use hyper::StatusCode;
use tonic::Code;

/// The greatest size of a message to the client in bytes; far below the 4 MiB that OTLP recommends for a response.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_024;

/// Why a request is refused. The text is for the developer of the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The path or the gRPC method does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The HTTP method is not POST.
    #[error("the HTTP method is not allowed: send OTLP with POST")]
    MethodNotAllowed,
    /// The content type is not one of OTLP.
    #[error("the Content-Type is {0}: send application/x-protobuf or application/json, or gRPC over HTTP/2")]
    UnsupportedMediaType(String),
    /// The compression is not supported.
    #[error("the encoding `{0}` is not supported: send gzip, deflate or identity")]
    UnsupportedEncoding(String),
    /// The message exceeds the limit, before or after inflating.
    #[error(
        "the message is larger than {limit} bytes: send smaller batches, or raise the limit of the receiver"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The message cannot be decoded, or its content cannot be stored or forwarded. A retry fails again.
    #[error("{0}")]
    Malformed(String),
    /// The receiver has temporarily reached a limit. The client should retry.
    #[error("the receiver is busy: {0}")]
    Busy(&'static str),
    /// The ledger or the destination is temporarily not available. The client should retry.
    #[error("{0}")]
    Unavailable(String),
}

impl Refusal {
    /// Whether the client should send the same request again.
    pub(crate) fn is_retryable(&self) -> bool {
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

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NotFound(_) | Self::MethodNotAllowed | Self::UnsupportedEncoding(_) => Code::Unimplemented,
            // Clients do not retry this code without a RetryInfo (OTLP specification, "Failures").
            Self::TooLarge { .. } => Code::ResourceExhausted,
            Self::Malformed(_) | Self::UnsupportedMediaType(_) => Code::InvalidArgument,
            Self::Busy(_) | Self::Unavailable(_) => Code::Unavailable,
        }
    }

    /// The text, shortened if it contains a long text of the client.
    pub(crate) fn message(&self) -> String {
        let mut message = self.to_string();
        if message.len() > MESSAGE_BYTES_MAX {
            let end = (0..=MESSAGE_BYTES_MAX).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
            message.truncate(end);
        }
        message
    }
}
