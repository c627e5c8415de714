//! Dialects: the forms in which emitters describe a call on a span.
//!
//! A dialect is a file of the folder `dialect/` and a row of [`DIALECTS`]. It has a reader for spans in
//! its own form, or quirks of spans in the convention's form, or both.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use spanledger_event::{Observation, keys};

use crate::{AttributionKeys, attributes::considered, quirks::Quirks, span::SpanContext};

mod genai;
mod langfuse;
mod litellm;
mod openllmetry;
mod own;
mod pydantic_ai;

/// One dialect.
pub(crate) struct Dialect {
    /// Reads spans in the dialect's own form.
    pub(crate) reader: Option<SpanReader>,
    /// What the dialect's spans add to the convention.
    pub(crate) quirks: Quirks,
}

/// How the spans of a dialect are read.
pub(crate) struct SpanReader {
    /// Recognises a span of the dialect by its attributes, in one pass over them: most spans are no calls.
    pub(crate) recognises: fn(&[KeyValue], &[&'static Quirks]) -> bool,
    /// Reads a span; `None` when it is not a call (a tool, a poll of a stored response).
    pub(crate) read: fn(&SpanContext<'_>) -> Option<Observation>,
}

/// All dialects, the most specific first: the first reader that recognises a span reads it.
pub(crate) static DIALECTS: &[Dialect] = &[
    own::DIALECT,
    litellm::DIALECT,
    openllmetry::DIALECT,
    langfuse::DIALECT,
    pydantic_ai::DIALECT,
    genai::DIALECT,
];

/// The quirks of all dialects.
pub(crate) fn quirks() -> Vec<&'static Quirks> {
    DIALECTS.iter().map(|dialect| &dialect.quirks).collect()
}

/// The reader of the first dialect that recognises a span by its attributes; `None` when it is not a call.
pub(crate) fn reader(attributes: &[KeyValue], quirks: &[&'static Quirks]) -> Option<&'static SpanReader> {
    let mut readers = DIALECTS.iter().filter_map(|dialect| dialect.reader.as_ref());
    readers.find(|reader| (reader.recognises)(considered(attributes), quirks))
}

impl Default for AttributionKeys {
    fn default() -> Self {
        let list = |common: &[&[&str]], vendors: fn(&Quirks) -> &'static [&'static str]| {
            let vendors = DIALECTS.iter().map(|dialect| vendors(&dialect.quirks));
            common.iter().copied().chain(vendors).flatten().map(|&key| key.to_owned()).collect()
        };
        Self {
            feature: list(&[&[keys::FEATURE, "feature"]], |quirks| quirks.feature),
            route: list(&[&[keys::ROUTE, "route"]], |quirks| quirks.route),
            customer_id: list(&[&[keys::CUSTOMER_ID, "customer_id", "customer.id", "tenant.id"]], |quirks| {
                quirks.customer_id
            }),
            environment: list(&[&[keys::ENVIRONMENT], keys::aliases::ENVIRONMENTS], |_| &[]),
            request_id: list(&[&[keys::REQUEST_ID, "request_id"]], |_| &[]),
            batch_job_id: list(&[&[keys::BATCH_JOB_ID, "batch_job_id"]], |_| &[]),
            user: list(&[&[keys::USER_ID, keys::ENDUSER_ID]], |quirks| quirks.user),
        }
    }
}
