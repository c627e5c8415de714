//! Spans of the crate `spanledger`: the same attributes as its record.

use spanledger_event::{Observation, ObservedAs, keys};

use super::{Dialect, Seen};
use crate::record::{self, Facts};

pub(crate) const DIALECT: Dialect = Dialect { recognises: |seen| seen.attributes.has(keys::EVENT_ID), read };

fn read(seen: &Seen<'_>) -> Option<Observation> {
    record::read(&Facts {
        attributes: seen.attributes,
        resource: seen.resource,
        scope: seen.scope,
        keys: seen.keys,
        sighting: ObservedAs::Span,
        trace_id: &seen.span.trace_id,
        span_id: &seen.span.span_id,
        parent_span_id: &seen.span.parent_span_id,
        start: seen.span.start_time_unix_nano,
        end: seen.span.end_time_unix_nano,
    })
}
