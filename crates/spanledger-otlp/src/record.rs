//! The record: how the crate `spanledger` reports a call.
//!
//! An OTLP log record named `spanledger.call` with the attributes of the call's span and its trace
//! and span ids. Logs are not trace-sampled, a Collector carries them through its logs pipeline,
//! and they are never forwarded to a trace backend, where they would stand beside the span.
//!
//! [`attributes`] lists the attributes that record and span share; [`request`] wraps records into
//! an export request; the crate's [`ObservationReader`](crate::ObservationReader) turns them back into observations.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{ResourceLogs, ScopeLogs, SeverityNumber},
    resource::v1::Resource,
};
use spanledger_event::{
    CARRIED, CallOutcome, Cell, ColumnKind, Endpoint, EventId, Field, JsonText, Observation, ObservedAs,
    PartialAttribution, Timestamp, Usage, UsageSource, check_value, keys,
};
use spanledger_price::{
    providers,
    usage::{Answer, ToolCalls, UsageReadError, resolve},
};

use crate::{
    AttributionKeys, Logs,
    attributes::{Attributes, attribute},
    dialect::valid_id,
    price::set_usage,
    usage,
};

pub use crate::usage::counts as usage_attributes;
pub use opentelemetry_proto::tonic::logs::v1::LogRecord;

/// The instrumentation scope of records and spans.
pub const SCOPE: &str = "spanledger";

/// A value of an attribute, in the types that both OTLP and the OpenTelemetry API have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A truth.
    Boolean(bool),
}

/// What record and span of a call say about it, beyond the attributes that the convention asks of
/// a span alone.
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
    put(keys::PROVIDER_NAME, text(&o.provider));
    for field in CARRIED {
        put(
            field.key,
            match (field.get)(o) {
                Cell::Text(value) => text(&value),
                Cell::Integer(value) => Some(Integer(value)),
                _ => None,
            },
        );
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
    if let Some(usage) = &o.usage {
        put(keys::USAGE, usage::beyond_convention(usage).map(Text));
        for (key, count) in usage_attributes(usage) {
            put(key, Some(Integer(count)));
        }
        for (key, count) in [
            (keys::WEB_SEARCH_CALLS, usage.web_search_calls),
            (keys::FILE_SEARCH_CALLS, usage.file_search_calls),
            (keys::CODE_INTERPRETER_CALLS, usage.code_interpreter_calls),
            (keys::IMAGES, usage.images),
        ] {
            put(key, i64::try_from(count).ok().filter(|count| *count > 0).map(Integer));
        }
    }
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
                    name: SCOPE.to_owned(),
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
            AttributeValue::Boolean(truth) => Self::BoolValue(truth),
        }
    }
}

/// A record or a span of ours, with what lies around it.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) attributes: Attributes<'a>,
    pub(crate) resource: Attributes<'a>,
    pub(crate) scope: (&'a str, &'a str),
    pub(crate) keys: &'a AttributionKeys,
    pub(crate) sighting: ObservedAs,
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) parent_span_id: &'a [u8],
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// The inverse of [`attributes`].
pub(crate) fn read(facts: &Facts<'_>) -> Option<Observation> {
    let a = facts.attributes;
    let event_id = EventId::from_text(a.string(keys::EVENT_ID)?);
    let moment = |key: &str, fallback: u64| {
        Timestamp::from_nanos(
            a.int(key)
                .filter(|nanos| *nanos >= 0)
                .unwrap_or_else(|| i64::try_from(fallback).unwrap_or(i64::MAX)),
        )
    };
    let start = moment(keys::START, facts.start);
    let call_id = a.string(keys::CALL_ID).unwrap_or_else(|| event_id.as_str().to_owned());
    let mut o = Observation::new(event_id, call_id, facts.sighting, start);
    o.end = moment(keys::END, facts.end).max(start);
    o.emitter = match facts.scope {
        (name, "") => name.to_owned(),
        (name, version) => format!("{name} {version}"),
    };
    o.endpoint = a.text(keys::ENDPOINT).map_or(Endpoint::Other, |name| Endpoint::from_name(&name));
    o.provider = a.text(keys::PROVIDER_NAME).map(|name| providers::canonical_name(&name)).unwrap_or_default();
    o.server_address = a.string(keys::SERVER_ADDRESS);
    for field in CARRIED {
        let cell = match field.column.kind {
            ColumnKind::Integer => a.int(field.key).map(Cell::Integer),
            _ => a.string(field.key).map(|text| Cell::Text(text.into())),
        };
        if let Some(Err(error)) = cell.map(|cell| (field.set)(&mut o, cell)) {
            debug_assert!(false, "a cell of the column's kind fits the field: {error}");
        }
    }
    o.response = a
        .text(keys::RESPONSE_ID)
        .map(|id| providers::response_ref(&o.provider, o.server_address.as_deref(), &id));
    o.stream = a.bool(keys::REQUEST_STREAM).unwrap_or(false);
    o.attempts = a.int(keys::ATTEMPTS).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    let error = || a.string(keys::ERROR_TYPE).unwrap_or_else(|| "_OTHER".to_owned());
    o.outcome = match a.text(keys::OUTCOME).as_deref() {
        Some("failed") => CallOutcome::Failed(error()),
        Some("incomplete") => CallOutcome::Incomplete(error()),
        _ => CallOutcome::Success,
    };
    read_usage(&mut o, a);
    o.emitter_cost = a.usd(keys::COST_USD);
    o.attribution = attribution(facts);
    o.trace_id = valid_id(facts.trace_id, 16);
    o.span_id = valid_id(facts.span_id, 8);
    o.parent_span_id = valid_id(facts.parent_span_id, 8).or_else(|| a.string(keys::PARENT_SPAN_ID));
    o.service_name = facts.resource.string(keys::SERVICE_NAME);
    Some(o)
}

/// The usage of a record: the provider's object, or the counts of the convention where there is none.
/// An object of our own says what neither of them can.
fn read_usage(o: &mut Observation, a: Attributes<'_>) {
    let own = a.text(keys::USAGE).map(|json| {
        let usage: Usage =
            serde_json::from_str(&json).map_err(|error| UsageReadError::OwnForm(error.to_string()))?;
        // The same bounds as for a provider's counts.
        usage.nested().exclusive().map_err(UsageReadError::Counts)?;
        Ok(usage)
    });
    let count = |key: &str| a.int(key).and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    let tools = match own {
        Some(_) => ToolCalls::default(),
        None => ToolCalls {
            web_searches: count(keys::WEB_SEARCH_CALLS),
            file_searches: count(keys::FILE_SEARCH_CALLS),
            containers: count(keys::CODE_INTERPRETER_CALLS),
            images: count(keys::IMAGES),
            ..ToolCalls::default()
        },
    };
    let raw = a.string(keys::USAGE_RAW);
    o.usage_raw = raw.as_deref().and_then(JsonText::new);
    let counts = || match raw {
        Some(_) => None,
        None => {
            usage::read(a, usage::needs_output(o.endpoint)).map(|read| read.map_err(UsageReadError::Counts))
        }
    };
    let resolved = resolve(Answer {
        provider: &o.provider,
        endpoint: o.endpoint,
        service_tier: o.service_tier.as_deref(),
        region: o.region.as_deref(),
        usage_json: raw.as_deref(),
        usage: own.or_else(counts),
        tools,
        estimate: None,
    });
    set_usage(o, resolved);
    if o.usage_source == UsageSource::Provider && a.text(keys::USAGE_SOURCE).as_deref() == Some("estimated") {
        o.usage_source = UsageSource::Estimated;
    }
}

/// Our own keys were checked where they were set; a Collector may have changed them since.
fn attribution(facts: &Facts<'_>) -> PartialAttribution {
    let a = facts.attributes;
    let checked = |field: Field, key: &str| a.string(key).filter(|value| check_value(&field, value).is_ok());
    let mut attribution = PartialAttribution {
        feature: checked(Field::Feature, keys::FEATURE),
        route: checked(Field::Route, keys::ROUTE),
        customer_id: checked(Field::CustomerId, keys::CUSTOMER_ID),
        environment: checked(Field::Environment, keys::ENVIRONMENT),
        request_id: checked(Field::RequestId, keys::REQUEST_ID),
        batch_job_id: checked(Field::BatchJobId, keys::BATCH_JOB_ID),
        ..PartialAttribution::default()
    };
    for KeyValue { key, .. } in a.0 {
        if let Some(name) = key.strip_prefix(keys::DIM_PREFIX)
            && let Some(value) = checked(Field::Dim(name.to_owned()), key)
        {
            attribution.dims.insert(name.to_owned(), value);
        }
    }
    attribution.fill_from(&facts.keys.read(Attributes(&[]), facts.resource, false));
    attribution
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 == 1 {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}
