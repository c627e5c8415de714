//! A span with its context: its resource, its scope and the tables for reading it.

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};

use crate::{AttributionKeys, attributes::Attributes, quirks::Quirks, resource::ResourceFacts};

/// A span with its resource and its instrumentation scope, and the keys and quirks for reading them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanContext<'a> {
    pub(crate) span: &'a Span,
    pub(crate) attributes: &'a Attributes<'a>,
    pub(crate) resource: &'a ResourceFacts,
    /// Name and version of the instrumentation scope.
    pub(crate) scope: (&'a str, &'a str),
    pub(crate) keys: &'a AttributionKeys,
    /// The quirks of all vendors.
    pub(crate) quirks: &'a [&'static Quirks],
}

impl SpanContext<'_> {
    /// Whether the span has more attributes than are looked at, or a limit left out something of its resource.
    pub(crate) fn is_truncated(&self) -> bool {
        self.attributes.is_truncated() || self.resource.is_truncated
    }

    /// Whether the span has fewer attributes than its emitter set: the emitter's SDK dropped some beyond its own
    /// limit, or more are there than are looked at.
    pub(crate) fn lacks_attributes(&self) -> bool {
        self.attributes.is_truncated() || self.span.dropped_attributes_count > 0
    }

    pub(crate) fn is_server(&self) -> bool {
        self.span.kind == SpanKind::Server as i32
    }
}
