//! Reads observations of GenAI calls from OTLP messages, and writes the record that the crate
//! `spanledger` sends.
//!
//! * [`Traces`] and [`Logs`] decode an OTLP export request in protobuf or JSON.
//! * [`ObservationReader`] finds the spans and records of AI calls and turns each into an
//!   [`Observation`](spanledger_event::Observation), with the identity of the call, its attribution and
//!   its usage in exclusive buckets.
//! * [`price`](price()) sets the cost of an observed call from the price book.
//! * [`record`] is the form in which the crate `spanledger` reports a call: an OTLP log record
//!   named `spanledger.call`, which no trace sampler drops.
//!
//! Everything is a pure function of its input: no I/O, no clock.
//!
//! # A span becomes an observation
//!
//! The first *dialect* that recognises the span reads it. Spans of the crate `spanledger` have the
//! attributes of its record. Every other span is read by the OpenTelemetry GenAI convention, in its
//! current and older spellings, together with the *quirks* of vendors: the keys that they add to it. A
//! dialect is a file of the folder `dialect/`, with the vendor's keys, and a row of the table in
//! `dialect.rs`.
//!
//! This crate only finds the counts, the tier and the region of a call.
//! [`spanledger_price::usage::resolve`] decides what they mean for its price.
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
//!
//! # Non-goals
//!
//! This crate stores and sends nothing, and reads no prompts or answers. It skips spans that are not AI
//! calls and does not refuse them: the receiver may forward them.

mod attributes;
mod attribution;
mod decode;
mod dialect;
mod ids;
mod partial;
mod price;
mod quirks;
#[cfg(feature = "grpc")]
mod raw_codec;
mod reader;
pub mod record;
mod resource;
mod span;
#[cfg(test)]
mod test_support;
mod token_counts;

pub use attribution::AttributionKeys;
pub use decode::{DecodeError, Encoding, Logs, Traces};
pub use partial::PartialSuccess;
pub use price::{price, set_usage};
#[cfg(feature = "grpc")]
pub use raw_codec::RawCodec;
pub use reader::{ObservationReader, ReadLogs};
