//! Finding the calls in a message.

use opentelemetry_proto::tonic::{common::v1::InstrumentationScope, resource::v1::Resource};
use spanledger_event::{Observation, ObservedAs, keys};

use crate::{
    AttributionKeys, Logs, Traces,
    attributes::Attributes,
    dialect::{DIALECTS, Seen},
    record::{self, Facts},
};

/// Turns messages into observations.
#[derive(Clone, Debug, Default)]
pub struct ObservationReader {
    /// Where attribution is read from.
    pub keys: AttributionKeys,
}

impl ObservationReader {
    /// The calls among the spans.
    pub fn traces(&self, traces: &Traces) -> Vec<Observation> {
        let mut observations = Vec::new();
        for resource_spans in &traces.0.resource_spans {
            let resource = resource(resource_spans.resource.as_ref());
            for scope_spans in &resource_spans.scope_spans {
                let scope = scope(scope_spans.scope.as_ref());
                for span in &scope_spans.spans {
                    let attributes = Attributes(&span.attributes);
                    let seen = Seen { span, attributes, resource, scope, keys: &self.keys };
                    let dialect = DIALECTS.iter().find(|dialect| (dialect.recognises)(&seen));
                    observations.extend(dialect.and_then(|dialect| (dialect.read)(&seen)));
                }
            }
        }
        observations
    }

    /// The calls among the log records: our own records. Other records are not read; the
    /// convention's event `gen_ai.client.inference.operation.details` repeats its span.
    pub fn logs(&self, logs: &Logs) -> Vec<Observation> {
        let mut observations = Vec::new();
        for resource_logs in &logs.0.resource_logs {
            let resource = resource(resource_logs.resource.as_ref());
            for scope_logs in &resource_logs.scope_logs {
                let scope = scope(scope_logs.scope.as_ref());
                for log in &scope_logs.log_records {
                    let attributes = Attributes(&log.attributes);
                    if log.event_name != keys::RECORD_EVENT_NAME {
                        continue;
                    }
                    observations.extend(record::read(&Facts {
                        attributes,
                        resource,
                        scope,
                        keys: &self.keys,
                        sighting: ObservedAs::Record,
                        trace_id: &log.trace_id,
                        span_id: &log.span_id,
                        parent_span_id: &[],
                        start: log.time_unix_nano,
                        end: log.time_unix_nano,
                    }));
                }
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
