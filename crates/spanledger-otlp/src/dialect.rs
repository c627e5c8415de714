//! Dialects: how emitters say what a call was.
//!
//! Each is a file and a row of [`DIALECTS`]; the first that recognises a span reads it.

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use spanledger_event::Observation;

use crate::{AttributionKeys, attributes::Attributes};

mod genai;
mod own;

pub(crate) use genai::valid_id;

/// A span with what lies around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) span: &'a Span,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) resource: Attributes<'a>,
    /// Name and version of the instrumentation scope.
    pub(crate) scope: (&'a str, &'a str),
    pub(crate) keys: &'a AttributionKeys,
}

impl Seen<'_> {
    pub(crate) fn is_server(&self) -> bool {
        self.span.kind == SpanKind::Server as i32
    }
}

/// One dialect.
pub(crate) struct Dialect {
    /// Recognises its spans, by the cheapest sign there is.
    pub(crate) recognises: fn(&Seen<'_>) -> bool,
    /// Reads one; `None` when the span is no call (a tool, a poll of a stored response).
    pub(crate) read: fn(&Seen<'_>) -> Option<Observation>,
}

/// All dialects, the most specific first.
pub(crate) const DIALECTS: &[Dialect] = &[own::DIALECT, genai::DIALECT];
