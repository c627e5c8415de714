//! The record: how the crate `spanledger` reports a call.
//!
//! A record is an OTLP log record named `spanledger.call`, with the trace and span ids of the call's
//! span. Logs are not trace-sampled, and a Collector carries them through its logs pipeline. A record is
//! never forwarded to a trace backend, where it would repeat its span.
//!
//! # The usage on a record
//!
//! The usage is sent once: as the provider's object, unchanged (`spanledger.usage.raw`). The receiver reads
//! that object by the same code as the crate. Where there is no object, or where the object does not count
//! everything that is billed (tool calls that the answer lists beside it), the usage is sent in
//! Spanledger's own form (`spanledger.usage`), which goes before the object. The token counts of the
//! convention are attributes of the *span*, for trace backends; a record has none. Records of earlier
//! versions, which had them instead, are still read.
//!
//! [`attributes`] lists the attributes that record and span share, [`usage_counts`] the counts of the
//! span; [`request`] makes an export request of records. The crate's
//! [`ObservationReader`](crate::ObservationReader) turns records and spans back into observations.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use opentelemetry_proto::tonic::logs::v1::LogRecord;
pub(crate) use read::{RecordSource, read};
pub use write::{AttributeValue, attributes, record, request, usage_counts, with_attributes};

/// The instrumentation scope of records and spans.
pub const SCOPE: &str = "spanledger";
