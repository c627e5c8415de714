//! The span of a call. It is created through `tracing` if that leads to OpenTelemetry, otherwise directly.

use std::sync::{LazyLock, Once};

use opentelemetry::{
    Array, Context, InstrumentationScope, KeyValue, StringValue, Value, global,
    trace::{SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use spanledger_event::{Endpoint, Observation, Usd, keys};
use spanledger_otlp::record::{self, AttributeValue, SCOPE};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{baggage::without_copies, call::Call, genai_layer::client_records_call_in, request::RequestInfo};

/// How the span of a call is made. The record of the call does not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanMode {
    /// Through `tracing` if that leads to OpenTelemetry, otherwise directly through OpenTelemetry's global provider.
    #[default]
    Auto,
    /// Only through `tracing`. A filter that excludes the target `spanledger` excludes the span.
    Tracing,
    /// Only through OpenTelemetry's global provider.
    OpenTelemetry,
    /// No span.
    Off,
}

/// The spans that the caller was in. They must be captured in the caller's task, before the first
/// `await`.
#[derive(Debug)]
pub(crate) struct CallerContext {
    span: tracing::Span,
    otel: Context,
}

impl CallerContext {
    pub(crate) fn current() -> Self {
        // The span of the call gets the attribution when it ends, so that no baggage must be copied to it.
        Self { span: tracing::Span::current(), otel: without_copies(&Context::current()) }
    }
}

/// The ids of a call's span. Without a tracer provider only the trace of the caller may be known.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpanIds {
    pub(crate) trace: Option<String>,
    pub(crate) span: Option<String>,
    pub(crate) parent: Option<String>,
}

/// The scope of spans that are started directly.
static INSTRUMENTATION_SCOPE: LazyLock<InstrumentationScope> =
    LazyLock::new(|| InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build());

/// The span of a call, from its start to its end.
#[derive(Debug)]
pub(crate) struct CallSpan {
    /// The `tracing` span, which is disabled if a filter excludes it.
    tracing: tracing::Span,
    /// The OpenTelemetry span: the one behind the `tracing` span, or one that was started directly.
    otel: Context,
    /// Whether the OpenTelemetry span was started directly and must be ended here.
    is_direct: bool,
    /// Whether the span has had the model since its start.
    has_model: bool,
    pub(crate) ids: SpanIds,
}

/// The attributes of a record that are not set at the end of the span: the span has had them since its start,
/// or it has a field with the same meaning. OTLP does not allow a key twice.
pub(crate) const SET_AT_START: [&str; 5] =
    [keys::PROVIDER_NAME, keys::SERVER_ADDRESS, keys::START, keys::END, keys::PARENT_SPAN_ID];

/// The convention's name of the operation.
pub(crate) fn operation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Chat | Endpoint::Responses => "chat",
        Endpoint::Completions => "text_completion",
        other => other.as_str(),
    }
}

/// The name of a call's span: the operation and the model.
fn span_name(request: &RequestInfo) -> String {
    let operation = operation(request.endpoint);
    match &request.model {
        Some(model) => [operation, " ", model].concat(),
        None => operation.to_owned(),
    }
}

/// The attributes at the start of a span, by which a sampler decides.
fn start_attributes(request: &RequestInfo) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(5);
    attributes.push(KeyValue::new(keys::OPERATION_NAME, operation(request.endpoint)));
    attributes.push(KeyValue::new(keys::PROVIDER_NAME, request.provider.clone()));
    attributes.extend(request.model.clone().map(|model| KeyValue::new(keys::REQUEST_MODEL, model)));
    if !request.server_address.is_empty() {
        attributes.push(KeyValue::new(keys::SERVER_ADDRESS, request.server_address.clone()));
    }
    attributes.extend(request.server_port.map(|port| KeyValue::new(keys::SERVER_PORT, i64::from(port))));
    attributes
}

impl Default for CallSpan {
    /// No span.
    fn default() -> Self {
        Self {
            tracing: tracing::Span::none(),
            otel: Context::new(),
            is_direct: false,
            has_model: false,
            ids: SpanIds::default(),
        }
    }
}

impl CallSpan {
    pub(crate) fn start(request: &RequestInfo, caller: &CallerContext, mode: SpanMode) -> Self {
        client_records_call_in(&caller.span, request.endpoint);
        let mut tracing = tracing::Span::none();
        let mut otel = Context::new();
        let parent = caller.otel.span().span_context().clone();
        let is_new = |context: &Context| {
            let span = context.span().span_context().clone();
            span.is_valid() && span.span_id() != parent.span_id()
        };
        if matches!(mode, SpanMode::Auto | SpanMode::Tracing) {
            tracing = caller.span.in_scope(|| {
                // Entering the caller's span activates the span's own context, which can lack values of the caller's.
                let _attached = caller.otel.clone().attach();
                tracing::info_span!(
                    target: "spanledger",
                    "spanledger.call",
                    otel.name = tracing::field::Empty,
                    otel.kind = "client",
                )
            });
            if !tracing.is_disabled() {
                tracing.record("otel.name", span_name(request));
                for attribute in start_attributes(request) {
                    tracing.set_attribute(attribute.key, attribute.value);
                }
                otel = tracing.context();
            }
        }
        let is_direct = !is_new(&otel) && matches!(mode, SpanMode::Auto | SpanMode::OpenTelemetry);
        if is_direct {
            // A filter excludes the `tracing` span, or no OpenTelemetry layer listens to it.
            let tracer = global::tracer_with_scope(INSTRUMENTATION_SCOPE.clone());
            let span = tracer
                .span_builder(span_name(request))
                .with_kind(SpanKind::Client)
                .with_attributes(start_attributes(request))
                .start_with_context(&tracer, &caller.otel);
            otel = caller.otel.with_span(span);
            if !tracing.is_disabled() && !is_new(&otel) {
                warn_of_missing_spans();
            }
        }
        let own = otel.span().span_context().clone();
        let ids = if is_new(&otel) {
            SpanIds {
                trace: Some(own.trace_id().to_string()),
                span: Some(own.span_id().to_string()),
                parent: parent.is_valid().then(|| parent.span_id().to_string()),
            }
        } else {
            // There is no tracer provider. The caller may still be in a trace that another process started.
            SpanIds { trace: parent.is_valid().then(|| parent.trace_id().to_string()), ..SpanIds::default() }
        };
        let has_model = request.model.is_some();
        Self { tracing, otel, is_direct, has_model, ids }
    }

    /// Whether somebody will see the span.
    pub(crate) fn is_recording(&self) -> bool {
        self.ids.span.is_some() && self.otel.span().is_recording()
    }

    /// Ends a span that nobody sees.
    pub(crate) fn end_unrecorded(&mut self) {
        self.finish();
    }

    /// Ends the span. `attributes` are those of the call's record.
    pub(crate) fn end(&mut self, o: &Observation, attributes: &[(String, AttributeValue)], call: &Call) {
        self.set_attributes(o, attributes, call);
        self.finish();
    }

    fn set_attributes(&self, o: &Observation, attributes: &[(String, AttributeValue)], call: &Call) {
        let span = self.otel.span();
        if span.is_recording() {
            if !self.has_model && call.request.model.is_some() {
                // The model of an upload is known only after it was sent.
                span.update_name(span_name(&call.request));
            }
            let is_set = |key: &str| match key {
                keys::REQUEST_MODEL => self.has_model,
                key => SET_AT_START.contains(&key),
            };
            for (key, value) in attributes.iter().filter(|(key, _)| !is_set(key)) {
                span.set_attribute(KeyValue::new(key.clone(), otel_value(value)));
            }
            for (key, count) in record::usage_counts(o) {
                span.set_attribute(KeyValue::new(key, count));
            }
            for attribute in span_only_attributes(o, call) {
                span.set_attribute(attribute);
            }
            if let Some(error_type) = o.outcome.error() {
                let text = call.response.error_message.as_deref().filter(|_| call.options.error_text);
                span.set_status(Status::error(bounded(text.unwrap_or(error_type))));
            }
        }
    }

    /// Ends the span. Only its ids are kept: the rest of the call's data goes to another thread, where a
    /// subscriber could not close the span in its order.
    fn finish(&mut self) {
        if self.is_direct {
            self.otel.span().end();
        }
        // `tracing-opentelemetry` ends a span at the time when it was last exited. The span is not entered while
        // a stream passes, so it is entered once more at the end.
        std::mem::replace(&mut self.tracing, tracing::Span::none()).in_scope(|| ());
        self.otel = Context::new();
    }
}

/// The beginning of a text from outside.
fn bounded(text: &str) -> String {
    const CHARS_MAX: usize = 1_024;
    text.chars().take(CHARS_MAX).collect()
}

/// Says once that calls have no span although the service seems to have set up OpenTelemetry: its
/// `opentelemetry` crates may have another version than those of this crate, which share nothing with them.
fn warn_of_missing_spans() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let is_set_up = std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("OTEL_"));
        let text = "calls have no OpenTelemetry span, because `tracing` does not lead to OpenTelemetry. If this \
                    service has set it up: spanledger works with opentelemetry 0.33 and tracing-opentelemetry 0.34, \
                    and does not see those of another version. `cargo tree -i opentelemetry` shows the versions. \
                    Calls are recorded all the same";
        if is_set_up {
            tracing::warn!("spanledger.span.missing: {text}");
        } else {
            tracing::debug!("spanledger.span.missing: {text}");
        }
    });
}

pub(crate) fn otel_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => Value::from(text.clone()),
        AttributeValue::Integer(number) => Value::I64(*number),
        AttributeValue::Boolean(boolean) => Value::Bool(*boolean),
    }
}

/// The attributes of the convention that the record does not carry.
fn span_only_attributes(o: &Observation, call: &Call) -> Vec<KeyValue> {
    let (request, response) = (&call.request, &call.response);
    let mut list = Vec::new();
    let mut put = |key: &'static str, value: Option<Value>| {
        list.extend(value.map(|value| KeyValue::new(key, value)));
    };
    let api = match request.endpoint {
        Endpoint::Chat => Some("chat_completions"),
        Endpoint::Responses => Some("responses"),
        _ => None,
    };
    put(keys::OPENAI_API_TYPE, api.map(Value::from));
    put(keys::REQUEST_MAX_TOKENS, request.max_tokens.map(Value::I64));
    put(keys::REQUEST_TEMPERATURE, request.temperature.map(Value::F64));
    put(keys::REQUEST_TOP_P, request.top_p.map(Value::F64));
    put(keys::REQUEST_SEED, request.seed.map(Value::I64));
    put(keys::REQUEST_CHOICE_COUNT, request.choices.map(Value::I64));
    put(keys::REQUEST_PREVIOUS_RESPONSE_ID, request.previous_response_id.clone().map(Value::from));
    let tier = request.service_tier.clone().filter(|tier| tier != "auto");
    put(keys::OPENAI_REQUEST_SERVICE_TIER, tier.map(Value::from));
    put(keys::OPENAI_SYSTEM_FINGERPRINT, response.system_fingerprint.clone().map(Value::from));
    let reasons: Vec<StringValue> = response.finish_reasons.iter().cloned().map(StringValue::from).collect();
    put(keys::FINISH_REASONS, (!reasons.is_empty()).then_some(Value::Array(Array::String(reasons))));
    let seconds =
        o.time_to_first_token_ms.and_then(|ms| u32::try_from(ms).ok()).map(|ms| f64::from(ms) / 1e3);
    put(keys::TIME_TO_FIRST_CHUNK, seconds.map(Value::F64));
    let cost = o.cost.as_ref().and_then(|cost| cost.usd).and_then(nearest_double);
    put(keys::USAGE_COST, cost.map(Value::F64));
    for (name, value) in &response.headers {
        let value = Value::Array(Array::String(vec![StringValue::from(value.clone())]));
        list.push(KeyValue::new(format!("{}{name}", keys::HTTP_RESPONSE_HEADER_PREFIX), value));
    }
    list
}

/// The cost as a double, for tools that cannot read decimals. Another attribute has the exact amount.
pub(crate) fn nearest_double(usd: Usd) -> Option<f64> {
    usd.to_string().parse().ok()
}
