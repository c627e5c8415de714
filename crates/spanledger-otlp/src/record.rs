//! The record by which the crate `spanledger` reports a call.
//!
//! A record is an OTLP log record named `spanledger.call`, with the trace and span ids of the call's
//! span. Trace samplers do not drop log records, and a Collector forwards them in its logs pipeline. A
//! record is never forwarded to a trace backend, where it would repeat its span.
//!
//! # The usage on a record
//!
//! The provider's usage object is sent unchanged (`spanledger.usage.raw`), and the receiver reads it with
//! the same code as the crate `spanledger`. If there is no object, or if the object does not count
//! everything that is billed (such as tool calls that the response lists elsewhere), the usage is also
//! sent in Spanledger's own form (`spanledger.usage`), which takes precedence over the object. The token
//! counts of the convention are attributes of the *span*, for trace backends; a record has none. Records
//! of earlier versions, which had token counts, can still be read.
//!
//! [`attributes`] lists the attributes that record and span share. [`usage_counts`] lists the counts of
//! the span. [`request`] builds an export request from records.
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
