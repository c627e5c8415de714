//! What a receiver left out of a request that it acknowledged.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceResponse, trace::v1::ExportTraceServiceResponse,
};
use prost::Message as _;

use crate::Encoding;

#[cfg(test)]
mod tests;

/// The partial success of an export response: the receiver acknowledged the request, but did not take all of it.
/// The sender must not repeat it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// How many records or spans were rejected.
    pub rejected: u64,
    /// What the receiver says to it. With nothing rejected, it is a warning.
    pub message: String,
}

impl PartialSuccess {
    fn new(rejected: i64, message: String) -> Self {
        Self { rejected: u64::try_from(rejected).unwrap_or_default(), message }
    }

    /// Reads the response to an export of log records. A response that cannot be read rejects nothing.
    pub fn of_logs(response: &[u8], encoding: Encoding) -> Self {
        let response = match encoding {
            Encoding::Protobuf => ExportLogsServiceResponse::decode(response).ok(),
            Encoding::Json => serde_json::from_slice(response).ok(),
        };
        let partial = response.and_then(|response| response.partial_success);
        partial.map(|p| Self::new(p.rejected_log_records, p.error_message)).unwrap_or_default()
    }

    /// Reads the response to an export of spans. A response that cannot be read rejects nothing.
    pub fn of_traces(response: &[u8], encoding: Encoding) -> Self {
        let response = match encoding {
            Encoding::Protobuf => ExportTraceServiceResponse::decode(response).ok(),
            Encoding::Json => serde_json::from_slice(response).ok(),
        };
        let partial = response.and_then(|response| response.partial_success);
        partial.map(|p| Self::new(p.rejected_spans, p.error_message)).unwrap_or_default()
    }
}
