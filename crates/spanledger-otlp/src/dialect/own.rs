//! Spans of the crate `spanledger`. They have the attributes of its record and those of the convention.

use spanledger_event::{ObservedAs, keys};

use super::{Dialect, SpanReader};
use crate::{
    attributes::{last_value, text_of},
    quirks::Quirks,
    record::{self, RecordSource},
};

pub(super) const DIALECT: Dialect = Dialect {
    reader: Some(SpanReader {
        // Without an event id it is read as a span of the convention, which it follows too.
        recognises: |attributes, _| last_value(attributes, keys::EVENT_ID).and_then(text_of).is_some(),
        read: |context| {
            record::read(&RecordSource {
                attributes: context.attributes,
                resource: context.resource,
                scope: context.scope,
                keys: context.keys,
                quirks: context.quirks,
                observed_as: ObservedAs::Span,
                trace_id: &context.span.trace_id,
                span_id: &context.span.span_id,
                parent_span_id: &context.span.parent_span_id,
                start: context.span.start_time_unix_nano,
                end: context.span.end_time_unix_nano,
            })
        },
    }),
    quirks: Quirks::NONE,
};
