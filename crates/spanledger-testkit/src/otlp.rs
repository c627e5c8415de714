//! OTLP messages for tests: attributes, spans, log records, export requests.
//!
//! The functions return types of `opentelemetry-proto`, whose fields a test can change.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};
use prost::Message;
use serde::Serialize;
use spanledger_event::{EventId, Timestamp, keys};

/// The content type of OTLP over HTTP in its binary form.
pub const PROTOBUF: &str = "application/x-protobuf";
/// The content type of OTLP over HTTP in its JSON form.
pub const JSON: &str = "application/json";

/// The default start of a span of [`SpanBuilder`], in nanoseconds since 1970: 2026-11-21T10:00:00Z.
pub const START: u64 = 1_795_255_200_000_000_000;
/// The duration of such a span in nanoseconds.
pub const DURATION: u64 = 1_000_000_000;

/// One attribute.
pub fn attribute(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// An attribute with a string.
pub fn text(key: impl Into<String>, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// An attribute with an integer.
pub fn integer(key: impl Into<String>, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

/// An attribute with a floating-point number.
pub fn double(key: impl Into<String>, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

/// An attribute with a boolean.
pub fn boolean(key: impl Into<String>, value: bool) -> KeyValue {
    attribute(key, Value::BoolValue(value))
}

/// A complete attribution: feature `search`, route `/search`, customer `acme`, environment `test`.
pub fn attribution() -> [KeyValue; 4] {
    [
        text(keys::FEATURE, "search"),
        text(keys::ROUTE, "/search"),
        text(keys::CUSTOMER_ID, "acme"),
        text(keys::ENVIRONMENT, "test"),
    ]
}

/// Builds one span. Unless the test sets its ids, no other span of the process has them.
#[derive(Clone, Debug)]
#[must_use]
pub struct SpanBuilder(Span);

impl SpanBuilder {
    /// A span without attributes and without an error.
    pub fn new(name: impl Into<String>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut trace_id = vec![0xab; 8];
        trace_id.extend_from_slice(&number.to_be_bytes());
        Self(Span {
            trace_id,
            span_id: number.to_be_bytes().to_vec(),
            name: name.into(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: START,
            end_time_unix_nano: START + DURATION,
            ..Span::default()
        })
    }

    /// The client span of a chat completion at OpenAI, in the current GenAI convention.
    pub fn chat(model: &str) -> Self {
        Self::new(format!("chat {model}")).kind(SpanKind::Client).attributes([
            text(keys::OPERATION_NAME, "chat"),
            text(keys::PROVIDER_NAME, "openai"),
            text(keys::REQUEST_MODEL, model),
        ])
    }

    /// Sets the kind.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.0.kind = kind.into();
        self
    }

    /// Sets both ids.
    pub fn ids(mut self, trace_id: [u8; 16], span_id: [u8; 8]) -> Self {
        self.0.trace_id = trace_id.to_vec();
        self.0.span_id = span_id.to_vec();
        self
    }

    /// Sets both ids to ids made from the number, and the start to [`START`] plus that many nanoseconds.
    pub fn number(self, number: u64) -> Self {
        let mut trace_id = [1; 16];
        trace_id[8..].copy_from_slice(&number.to_be_bytes());
        self.ids(trace_id, (number + 1).to_be_bytes()).start(START + number)
    }

    /// Sets the parent.
    pub fn parent(mut self, span_id: [u8; 8]) -> Self {
        self.0.parent_span_id = span_id.to_vec();
        self
    }

    /// Sets the start and keeps the duration.
    pub fn start(mut self, unix_nano: u64) -> Self {
        let duration = self.0.end_time_unix_nano.saturating_sub(self.0.start_time_unix_nano);
        self.0.start_time_unix_nano = unix_nano;
        self.0.end_time_unix_nano = unix_nano + duration;
        self
    }

    /// Sets the duration.
    pub fn duration(mut self, nanos: u64) -> Self {
        self.0.end_time_unix_nano = self.0.start_time_unix_nano + nanos;
        self
    }

    /// Appends an attribute. If a key is there twice, readers use the last attribute.
    pub fn attribute(self, attribute: KeyValue) -> Self {
        self.attributes([attribute])
    }

    /// Appends attributes.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.0.attributes.extend(attributes);
        self
    }

    /// Adds the convention's counts of input and output tokens.
    pub fn tokens(self, input: i64, output: i64) -> Self {
        self.attributes([integer(keys::INPUT_TOKENS, input), integer(keys::OUTPUT_TOKENS, output)])
    }

    /// Adds the provider's id of the response.
    pub fn response_id(self, id: impl Into<String>) -> Self {
        self.attribute(text(keys::RESPONSE_ID, id))
    }

    /// Adds a complete attribution ([`attribution`]).
    pub fn attributed(self) -> Self {
        self.attributes(attribution())
    }

    /// Sets the status to an error and adds this `error.type`.
    pub fn failed(mut self, error_type: &str) -> Self {
        self.0.status = Some(Status { code: StatusCode::Error.into(), ..Status::default() });
        self.attribute(text(keys::ERROR_TYPE, error_type))
    }

    /// The id of the event that a receiver makes from this span if nothing else reports the call.
    pub fn event_id(&self) -> EventId {
        let start = i64::try_from(self.0.start_time_unix_nano).unwrap_or(i64::MAX);
        EventId::of_span(&hex(&self.0.trace_id), &hex(&self.0.span_id), Timestamp::from_nanos(start))
    }

    /// The span.
    pub fn build(self) -> Span {
        self.0
    }
}

/// A resource with these attributes.
pub fn resource(attributes: impl IntoIterator<Item = KeyValue>) -> Resource {
    Resource { attributes: attributes.into_iter().collect(), ..Resource::default() }
}

/// An instrumentation scope.
pub fn scope(name: &str, version: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    }
}

/// An export request with these spans, with an empty resource and an empty scope.
pub fn traces(spans: impl IntoIterator<Item = Span>) -> ExportTraceServiceRequest {
    traces_of(Resource::default(), InstrumentationScope::default(), spans)
}

/// An export request with these spans, with this resource and this scope.
pub fn traces_of(
    resource: Resource,
    scope: InstrumentationScope,
    spans: impl IntoIterator<Item = Span>,
) -> ExportTraceServiceRequest {
    let spans = spans.into_iter().collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    let resource_spans =
        vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// An export request with these log records, without a resource.
pub fn logs(records: impl IntoIterator<Item = LogRecord>) -> ExportLogsServiceRequest {
    let log_records = records.into_iter().collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

/// A message as protobuf.
pub fn protobuf(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// A message in OTLP's JSON encoding.
pub fn json(message: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(message)
}

/// Bytes as lower-case hexadecimal digits, the text form of trace and span ids.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
