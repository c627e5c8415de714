//! From an observation to its record and the attributes of its span.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{InstrumentationScope, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
    resource::v1::Resource,
};
use spanledger_event::{CARRIED, CallOutcome, Cell, Observation, Role, UsageSource, keys};

use super::ROLE_AGGREGATE;
use crate::{Logs, attributes::attribute, ids::unhex, token_counts};

/// A value of an attribute, in the types that both OTLP and the OpenTelemetry API have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
}

/// The attributes that the record and the span of a call share.
pub fn attributes(o: &Observation) -> Vec<(String, AttributeValue)> {
    use AttributeValue::{Boolean, Integer, Text};
    let mut list: Vec<(String, AttributeValue)> = Vec::with_capacity(48);
    let mut put = |key: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            list.push((key.to_owned(), value));
        }
    };
    let text = |value: &str| Some(Text(value.to_owned()));
    let maybe = |value: &Option<String>| value.clone().map(Text);
    put(keys::EVENT_ID, text(o.event_id.as_str()));
    put(keys::CALL_ID, text(&o.call_id));
    put(keys::ENDPOINT, text(o.endpoint.as_str()));
    put(keys::ROLE, (o.role == Role::Aggregate).then(|| Text(ROLE_AGGREGATE.to_owned())));
    put(keys::PROVIDER_NAME, text(&o.provider));
    for field in CARRIED {
        let value = match (field.get)(o) {
            Cell::Text(value) => text(&value),
            Cell::Integer(value) => Some(Integer(value)),
            _ => None,
        };
        put(field.key, value);
    }
    put(keys::RESPONSE_ID, o.response.as_ref().map(|r| Text(r.id.clone())));
    put(keys::SERVER_ADDRESS, maybe(&o.server_address));
    put(keys::START, Some(Integer(o.start.nanos())));
    put(keys::END, Some(Integer(o.end.nanos())));
    put(keys::PARENT_SPAN_ID, maybe(&o.parent_span_id));
    put(keys::REQUEST_STREAM, o.stream.then_some(Boolean(true)));
    put(keys::ATTEMPTS, Some(Integer(i64::from(o.attempts))));
    put(keys::USAGE_RAW, o.usage_raw.as_ref().and_then(|json| text(json.as_str())));
    let (outcome, error) = match &o.outcome {
        CallOutcome::Success => ("success", None),
        CallOutcome::Failed(error) => ("failed", Some(error)),
        CallOutcome::Incomplete(error) => ("incomplete", Some(error)),
    };
    put(keys::OUTCOME, text(outcome));
    put(keys::ERROR_TYPE, error.cloned().map(Text));
    put(keys::USAGE_SOURCE, (o.usage_source == UsageSource::Estimated).then(|| Text("estimated".to_owned())));
    put(keys::USAGE, own_usage(o).map(Text));
    let a = &o.attribution;
    put(keys::FEATURE, maybe(&a.feature));
    put(keys::ROUTE, maybe(&a.route));
    put(keys::CUSTOMER_ID, maybe(&a.customer_id));
    put(keys::ENVIRONMENT, maybe(&a.environment));
    put(keys::REQUEST_ID, maybe(&a.request_id));
    put(keys::BATCH_JOB_ID, maybe(&a.batch_job_id));
    for (name, value) in &a.dims {
        put(&format!("{}{name}", keys::DIM_PREFIX), text(value));
    }
    if let Some(cost) = &o.cost {
        put(keys::COST_STATE, text(cost.state()));
        put(keys::COST_USD, cost.usd.map(|usd| Text(usd.to_string())));
        put(keys::COST_REASON, cost.reason.and_then(|reason| text(reason.as_str())));
        put(keys::PRICE_VERSION, text(&cost.price_version));
    }
    list
}

/// The counts of a usage as attributes of the call's span, for trace backends.
pub fn usage_counts(o: &Observation) -> Vec<(&'static str, i64)> {
    let Some(usage) = &o.usage else { return Vec::new() };
    let units = [
        (keys::WEB_SEARCH_CALLS, usage.web_search_calls),
        (keys::FILE_SEARCH_CALLS, usage.file_search_calls),
        (keys::CODE_INTERPRETER_CALLS, usage.code_interpreter_calls),
        (keys::IMAGES, usage.images),
    ];
    let units = units.into_iter().filter(|(_, count)| *count > 0);
    let counts = token_counts::attributes(usage).into_iter().chain(units);
    counts.map(|(key, count)| (key, i64::try_from(count).unwrap_or(i64::MAX))).collect()
}

/// The usage in our own form. It is sent beside the provider's object too, because a Collector may remove
/// the object.
fn own_usage(o: &Observation) -> Option<String> {
    serde_json::to_string(o.usage.as_ref()?).ok()
}

/// The log record of a call.
pub fn record(o: &Observation) -> LogRecord {
    with_attributes(o, attributes(o))
}

/// The log record of a call whose [`attributes`] are built already.
pub fn with_attributes(o: &Observation, attributes: Vec<(String, AttributeValue)>) -> LogRecord {
    let at = u64::try_from(o.end.nanos()).unwrap_or_default();
    LogRecord {
        time_unix_nano: at,
        observed_time_unix_nano: at,
        severity_number: SeverityNumber::Info as i32,
        event_name: keys::RECORD_EVENT_NAME.to_owned(),
        attributes: attributes.into_iter().map(|(key, value)| attribute(key, value.into())).collect(),
        trace_id: o.trace_id.as_deref().and_then(unhex).unwrap_or_default(),
        span_id: o.span_id.as_deref().and_then(unhex).unwrap_or_default(),
        ..LogRecord::default()
    }
}

/// An export request with records, under one resource.
pub fn request(records: Vec<LogRecord>, resource: &[(String, String)], version: &str) -> Logs {
    let text = |(key, value): &(String, String)| attribute(key.clone(), Value::StringValue(value.clone()));
    Logs(ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource {
                attributes: resource.iter().map(text).collect(),
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                scope: Some(InstrumentationScope {
                    name: super::SCOPE.to_owned(),
                    version: version.to_owned(),
                    ..InstrumentationScope::default()
                }),
                log_records: records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    })
}

impl From<AttributeValue> for Value {
    fn from(value: AttributeValue) -> Self {
        match value {
            AttributeValue::Text(text) => Self::StringValue(text),
            AttributeValue::Integer(number) => Self::IntValue(number),
            AttributeValue::Boolean(value) => Self::BoolValue(value),
        }
    }
}
