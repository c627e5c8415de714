//! Finds the calls in a message.

use std::cell::LazyCell;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use spanledger_event::{
    Observation, ObservedAs, keys,
    limits::{NAME_BYTES_MAX, char_boundary},
};

use crate::{
    AttributionKeys, Logs, Traces,
    attributes::Attributes,
    dialect,
    record::{self, Gap, RecordSource},
    resource::ResourceFacts,
    span::SpanContext,
};

#[cfg(test)]
mod tests;

/// Turns messages into observations within the [limits](spanledger_event::limits).
#[derive(Clone, Debug, Default)]
pub struct ObservationReader {
    /// The attributes from which attribution is read.
    pub keys: AttributionKeys,
}

impl ObservationReader {
    /// Reads the spans that are calls.
    pub fn traces(&self, traces: &Traces) -> Vec<Observation> {
        let quirks = dialect::quirks();
        let (keys, quirks) = (&self.keys, quirks.as_slice());
        let mut observations = Vec::new();
        for resource_spans in &traces.0.resource_spans {
            // Most resources have no span that is a call.
            let resource = LazyCell::new(|| ResourceFacts::read(resource_spans.resource.as_ref(), keys));
            for scope_spans in &resource_spans.scope_spans {
                let scope = scope(scope_spans.scope.as_ref());
                let spans = scope_spans.spans.iter().filter_map(|span| {
                    let reader = dialect::reader(&span.attributes, quirks)?;
                    let (attributes, resource) = (&Attributes::of(&span.attributes), &*resource);
                    (reader.read)(&SpanContext { span, attributes, resource, scope, keys, quirks })
                });
                observations.extend(spans.map(Observation::bound));
            }
        }
        observations
    }

    /// Reads the records of the crate `spanledger`. Other log records are skipped, also the convention's
    /// event `gen_ai.client.inference.operation.details`, because it repeats its span.
    pub fn logs(&self, logs: &Logs) -> ReadLogs {
        let quirks = dialect::quirks();
        let mut read = ReadLogs::default();
        for resource_logs in &logs.0.resource_logs {
            let resource = LazyCell::new(|| ResourceFacts::read(resource_logs.resource.as_ref(), &self.keys));
            for scope_logs in &resource_logs.scope_logs {
                let scope = scope(scope_logs.scope.as_ref());
                let gaps = scope_logs.log_records.iter().filter(|log| log.event_name == keys::GAP_EVENT_NAME);
                for gap in gaps.map(|log| Gap::read(log, &resource)) {
                    match gap {
                        Some(gap) => {
                            read.observations.push(gap.to_observation());
                            read.gaps.push(gap);
                        }
                        None => read.rejected += 1,
                    }
                }
                for log in
                    scope_logs.log_records.iter().filter(|log| log.event_name == keys::RECORD_EVENT_NAME)
                {
                    let observation = record::read(&RecordSource {
                        attributes: &Attributes::of(&log.attributes),
                        resource: &resource,
                        scope,
                        keys: &self.keys,
                        quirks: &quirks,
                        observed_as: ObservedAs::Record,
                        trace_id: &log.trace_id,
                        span_id: &log.span_id,
                        parent_span_id: &[],
                        start: log.time_unix_nano,
                        end: log.time_unix_nano,
                    });
                    match observation {
                        Some(observation) => read.observations.push(observation.bound()),
                        None => read.rejected += 1,
                    }
                }
            }
        }
        read
    }
}

/// What a message with log records says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadLogs {
    /// The calls, and an event for each gap.
    pub observations: Vec<Observation>,
    /// The calls whose records a sender lost.
    pub gaps: Vec<Gap>,
    /// How many records of the crate `spanledger` are unreadable, because they have no event id. Something on
    /// their way removed it.
    pub rejected: usize,
}

/// The calls, without what was rejected.
impl From<ReadLogs> for Vec<Observation> {
    fn from(read: ReadLogs) -> Self {
        read.observations
    }
}

/// The name and the version of a scope. All its spans copy them, so that only the beginning of a longer text is
/// taken: enough for it to be cut and flagged.
fn scope(scope: Option<&InstrumentationScope>) -> (&str, &str) {
    scope.map(|s| (beginning(&s.name), beginning(&s.version))).unwrap_or_default()
}

fn beginning(text: &str) -> &str {
    &text[..char_boundary(text, 2 * NAME_BYTES_MAX)]
}
