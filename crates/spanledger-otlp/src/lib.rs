//! OTLP messages to observations of GenAI calls, and the record that the crate `spanledger` sends.
//!
//! * [`Traces`] and [`Logs`] decode an OTLP export request, protobuf or JSON.
//! * [`ObservationReader`] finds the spans and records that speak of AI calls and turns each into an
//!   [`Observation`](spanledger_event::Observation): which call, whose, how many tokens, in
//!   exclusive buckets. Spans of other emitters are read by their *dialect*; adding one is one file
//!   and one row in `dialect.rs`.
//! * [`record`] is the form in which the crate `spanledger` reports a call: an OTLP log record
//!   named `spanledger.call`, which no trace sampler drops.
//!
//! Everything is a pure function of its input: no I/O, no clock.
//!
//! ```
//! use spanledger_otlp::{Encoding, ObservationReader, Traces};
//!
//! let json = br#"{"resourceSpans": [{
//!     "resource": {"attributes": [{"key": "deployment.environment.name", "value": {"stringValue": "staging"}}]},
//!     "scopeSpans": [{"spans": [{
//!         "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat gpt-5.5", "kind": 3,
//!         "startTimeUnixNano": "1763719200000000000", "endTimeUnixNano": "1763719201000000000",
//!         "attributes": [
//!             {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
//!             {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
//!             {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-5.5"}},
//!             {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}},
//!             {"key": "gen_ai.usage.cache_read.input_tokens", "value": {"intValue": "400"}},
//!             {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "50"}}
//!         ]}]}]}]}"#;
//! let traces = Traces::decode(json, Encoding::Json)?;
//! let observations = ObservationReader::default().traces(&traces);
//! let usage = observations[0].usage.as_ref().unwrap();
//! assert_eq!((usage.prompt_tokens(), usage.cached_tokens()), (1_000, 400));
//! assert_eq!(observations[0].attribution.environment.as_deref(), Some("staging"));
//! # Ok::<(), spanledger_otlp::DecodeError>(())
//! ```

mod attributes;
mod attribution;
mod decode;
mod dialect;
mod price;
mod reader;
pub mod record;
#[cfg(test)]
mod tests;
mod usage;

pub use attribution::AttributionKeys;
pub use decode::{DecodeError, Encoding, Logs, Traces};
pub use price::{price, set_usage};
pub use reader::ObservationReader;
