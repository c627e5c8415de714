//! Finds the calls in a message.

use opentelemetry_proto::tonic::{common::v1::InstrumentationScope, resource::v1::Resource};
use spanledger_event::{Observation, ObservedAs, keys};

use crate::{
    AttributionKeys, Logs, Traces,
    attributes::Attributes,
    dialect,
    record::{self, RecordSource},
    span::SpanContext,
};

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
        let mut observations = Vec::new();
        for resource_spans in &traces.0.resource_spans {
            let resource = resource(resource_spans.resource.as_ref());
            for scope_spans in &resource_spans.scope_spans {
                let scope = scope(scope_spans.scope.as_ref());
                let spans = scope_spans.spans.iter().filter_map(|span| {
                    let attributes = Attributes(&span.attributes);
                    let (keys, quirks) = (&self.keys, quirks.as_slice());
                    dialect::read(&SpanContext { span, attributes, resource, scope, keys, quirks })
                });
                observations.extend(spans.map(Observation::bound));
            }
        }
        observations
    }

    /// Reads the records of the crate `spanledger`. Other log records are skipped, also the convention's
    /// event `gen_ai.client.inference.operation.details`, because it repeats its span.
    pub fn logs(&self, logs: &Logs) -> Vec<Observation> {
        let quirks = dialect::quirks();
        let mut observations = Vec::new();
        for resource_logs in &logs.0.resource_logs {
            let resource = resource(resource_logs.resource.as_ref());
            for scope_logs in &resource_logs.scope_logs {
                let scope = scope(scope_logs.scope.as_ref());
                let records =
                    scope_logs.log_records.iter().filter(|log| log.event_name == keys::RECORD_EVENT_NAME);
                let records = records.filter_map(|log| {
                    record::read(&RecordSource {
                        attributes: Attributes(&log.attributes),
                        resource,
                        scope,
                        keys: &self.keys,
                        quirks: &quirks,
                        observed_as: ObservedAs::Record,
                        trace_id: &log.trace_id,
                        span_id: &log.span_id,
                        parent_span_id: &[],
                        start: log.time_unix_nano,
                        end: log.time_unix_nano,
                    })
                });
                observations.extend(records.map(Observation::bound));
            }
        }
        observations
    }
}

fn resource(resource: Option<&Resource>) -> Attributes<'_> {
    Attributes(resource.map(|r| r.attributes.as_slice()).unwrap_or_default())
}

fn scope(scope: Option<&InstrumentationScope>) -> (&str, &str) {
    scope.map(|s| (s.name.as_str(), s.version.as_str())).unwrap_or_default()
}
