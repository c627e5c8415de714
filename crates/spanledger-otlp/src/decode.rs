//! Decodes OTLP messages.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message as _;
use serde::de::{self, DeserializeOwned};

#[cfg(test)]
mod tests;

/// The encoding of an OTLP message (OTLP specification, "Protobuf payload encoding" and
/// "JSON Protobuf encoding").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// JSON.
    Json,
}

/// The bytes are not the expected OTLP message. It is useless to send them again.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not the expected protobuf message.
    #[error(
        "the body is not an OTLP export request in protobuf: check that the client's protocol and its Content-Type agree"
    )]
    Protobuf(#[source] prost::DecodeError),
    /// The bytes are not the expected JSON message.
    #[error("the body is not an OTLP export request in JSON")]
    Json(#[source] serde_json::Error),
}

/// An export request with spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces(pub(crate) ExportTraceServiceRequest);

/// An export request with log records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs(pub(crate) ExportLogsServiceRequest);

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    // JSON that was read from a file may begin with a byte-order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // The derived `Deserialize` would also accept an array of fields, which OTLP does not allow.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(de::Error::custom("expected a JSON object"));
    }
    serde_json::from_slice(bytes)
}

macro_rules! codec {
    ($type:ident, $message:ty) => {
        impl $type {
            /// Reads a message.
            pub fn decode(bytes: &[u8], encoding: Encoding) -> Result<Self, DecodeError> {
                match encoding {
                    Encoding::Protobuf => <$message>::decode(bytes).map_err(DecodeError::Protobuf),
                    Encoding::Json => from_json(bytes).map_err(DecodeError::Json),
                }
                .map(Self)
            }

            /// Writes the message in protobuf.
            pub fn to_protobuf(&self) -> Vec<u8> {
                self.0.encode_to_vec()
            }
        }

        impl From<$message> for $type {
            fn from(message: $message) -> Self {
                Self(message)
            }
        }
    };
}

codec!(Traces, ExportTraceServiceRequest);
codec!(Logs, ExportLogsServiceRequest);

impl Traces {
    /// How many spans it has.
    pub fn span_count(&self) -> usize {
        self.0.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum()
    }
}

impl Logs {
    /// How many records it has.
    pub fn record_count(&self) -> usize {
        self.0.resource_logs.iter().flat_map(|r| &r.scope_logs).map(|s| s.log_records.len()).sum()
    }
}
