//! The record: how the crate `spanledger` reports a call.
//!
//! A record is an OTLP log record named `spanledger.call`, with the trace and span ids of the call's
//! span. Logs are not trace-sampled, and a Collector carries them through its logs pipeline. A record is
//! never forwarded to a trace backend, where it would repeat its span.
//!
//! # The usage on a record
//!
//! A record has the usage in two forms: the provider's object, unchanged (`spanledger.usage.raw`), and
//! Spanledger's own compact form (`spanledger.usage`), which is there whenever the crate understood a usage.
//!
//! * The object goes first. The receiver reads its tokens by the same code as the crate.
//! * Our own form adds the units, because the object does not count the tool calls that an answer lists
//!   beside it.
//! * Our own form has the tokens too, for a record whose object was removed or cut off on its way (by an
//!   attribute processor or a size limit of a Collector), or says zero for everything.
//!
//! The token counts of the convention are attributes of the *span*, for trace backends; a record has none.
//! Records of earlier versions, which had them instead, are still read.
//!
//! [`attributes`] lists the attributes that record and span share, [`usage_counts`] the counts of the
//! span; [`request`] makes an export request of records, and [`RequestEncoder`] one of records that are
//! encoded already. The crate's
//! [`ObservationReader`](crate::ObservationReader) turns records and spans back into observations.

mod encoded;
mod gap;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use encoded::{RequestEncoder, encoded_len};
pub use gap::{Gap, RECORDS_LOST, cost};

/// The `error_code` of a call whose process ended before the call did.
pub const PROCESS_DIED: &str = "process_died";
/// What the call id of a job begins with. A job is work that the provider does after it has answered.
pub const JOB_PREFIX: &str = "job:";
pub use opentelemetry_proto::tonic::logs::v1::LogRecord;
pub(crate) use read::{RecordSource, read};
pub use write::{AttributeValue, attributes, record, request, usage_counts, with_attributes};

/// The instrumentation scope of records and spans.
pub const SCOPE: &str = "spanledger";
/// The role of a record that other records may repeat in parts.
const ROLE_AGGREGATE: &str = "aggregate";
