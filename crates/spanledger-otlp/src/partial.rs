//! What a receiver left out of a request that it acknowledged.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceResponse, trace::v1::ExportTraceServiceResponse,
};
use prost::Message as _;
use serde_json::Value;

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
        if encoding == Encoding::Json {
            return Self::of_json(response, "rejectedLogRecords");
        }
        let partial = ExportLogsServiceResponse::decode(response).ok().and_then(|r| r.partial_success);
        partial.map(|p| Self::new(p.rejected_log_records, p.error_message)).unwrap_or_default()
    }

    /// Reads the response to an export of spans. A response that cannot be read rejects nothing.
    pub fn of_traces(response: &[u8], encoding: Encoding) -> Self {
        if encoding == Encoding::Json {
            return Self::of_json(response, "rejectedSpans");
        }
        let partial = ExportTraceServiceResponse::decode(response).ok().and_then(|r| r.partial_success);
        partial.map(|p| Self::new(p.rejected_spans, p.error_message)).unwrap_or_default()
    }

    /// In JSON a count is a text or a number.
    fn of_json(response: &[u8], rejected: &str) -> Self {
        let response: Value = serde_json::from_slice(response).unwrap_or_default();
        let partial = &response["partialSuccess"];
        let count = &partial[rejected];
        let count = count.as_i64().or_else(|| count.as_str()?.parse().ok()).unwrap_or_default();
        Self::new(count, partial["errorMessage"].as_str().unwrap_or_default().to_owned())
    }
}
