//! The span of a call. It is created through `tracing` if that leads to OpenTelemetry, otherwise directly.

use opentelemetry::{
    Array, Context, InstrumentationScope, KeyValue, StringValue, Value, global,
    trace::{SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use spanledger_event::{Endpoint, Observation, Usd, keys};
use spanledger_otlp::record::{self, AttributeValue, SCOPE};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{answer::ResponseInfo, baggage::without_copies, request::RequestInfo};

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

/// The span of a call, from its start to its end.
#[derive(Debug)]
pub(crate) struct CallSpan {
    /// The `tracing` span, which is disabled if a filter excludes it.
    tracing: tracing::Span,
    /// The OpenTelemetry span: the one behind the `tracing` span, or one that was started directly.
    otel: Context,
    /// Whether the OpenTelemetry span was started directly and must be ended here.
    is_direct: bool,
    pub(crate) ids: SpanIds,
}

/// The attributes of a record that are not set at the end of the span: the span has had them since its start,
/// or it has a field with the same meaning.
const NOT_SET_AT_END: [&str; 6] = [
    keys::PROVIDER_NAME,
    keys::REQUEST_MODEL,
    keys::SERVER_ADDRESS,
    keys::START,
    keys::END,
    keys::PARENT_SPAN_ID,
];

/// The convention's name of the operation.
fn operation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Chat | Endpoint::Responses => "chat",
        Endpoint::Completions => "text_completion",
        other => other.as_str(),
    }
}

impl CallSpan {
    pub(crate) fn start(request: &RequestInfo, caller: &CallerContext) -> Self {
        let operation = operation(request.endpoint);
        let name = match &request.model {
            Some(model) => format!("{operation} {model}"),
            None => operation.to_owned(),
        };
        // These attributes are set at the start, because a sampler decides by them.
        let mut attributes = vec![
            KeyValue::new(keys::OPERATION_NAME, operation),
            KeyValue::new(keys::PROVIDER_NAME, request.provider.clone()),
        ];
        attributes.extend(request.model.clone().map(|model| KeyValue::new(keys::REQUEST_MODEL, model)));
        attributes
            .extend(request.server_address.clone().map(|host| KeyValue::new(keys::SERVER_ADDRESS, host)));
        attributes.extend(request.server_port.map(|port| KeyValue::new(keys::SERVER_PORT, i64::from(port))));

        let _attached = caller.otel.clone().attach();
        let tracing = caller.span.in_scope(|| {
            tracing::info_span!(
                target: "spanledger",
                "spanledger.call",
                otel.name = name.as_str(),
                otel.kind = "client",
            )
        });
        for attribute in &attributes {
            tracing.set_attribute(attribute.key.clone(), attribute.value.clone());
        }
        let parent = caller.otel.span().span_context().clone();
        let is_new = |context: &Context| {
            let span = context.span().span_context().clone();
            span.is_valid() && span.span_id() != parent.span_id()
        };
        let mut otel = tracing.context();
        let is_direct = !is_new(&otel);
        if is_direct {
            // A filter excludes the `tracing` span, or no OpenTelemetry layer listens to it.
            let scope = InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build();
            let tracer = global::tracer_with_scope(scope);
            let span = tracer
                .span_builder(name)
                .with_kind(SpanKind::Client)
                .with_attributes(attributes)
                .start_with_context(&tracer, &caller.otel);
            otel = caller.otel.with_span(span);
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
        Self { tracing, otel, is_direct, ids }
    }

    /// Ends the span. `attributes` are those of the call's record.
    pub(crate) fn end(
        &self,
        o: &Observation,
        attributes: &[(String, AttributeValue)],
        request: &RequestInfo,
        response: &ResponseInfo,
    ) {
        let span = self.otel.span();
        if span.is_recording() {
            for (key, value) in attributes.iter().filter(|(key, _)| !NOT_SET_AT_END.contains(&key.as_str())) {
                span.set_attribute(KeyValue::new(key.clone(), otel_value(value)));
            }
            for (key, count) in record::usage_counts(o) {
                span.set_attribute(KeyValue::new(key, count));
            }
            for attribute in span_only_attributes(o, request, response) {
                span.set_attribute(attribute);
            }
            if let Some(error_type) = o.outcome.error() {
                let message = response.error_message.clone().unwrap_or_else(|| error_type.to_owned());
                span.set_status(Status::error(message));
            }
        }
        if self.is_direct {
            span.end();
        }
        // `tracing-opentelemetry` ends a span at the time when it was last exited. The span is not entered while
        // a stream passes, so it is entered once more at the end.
        self.tracing.in_scope(|| ());
    }
}

fn otel_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => Value::from(text.clone()),
        AttributeValue::Integer(number) => Value::I64(*number),
        AttributeValue::Boolean(boolean) => Value::Bool(*boolean),
    }
}

/// The attributes of the convention that the record does not carry.
fn span_only_attributes(o: &Observation, request: &RequestInfo, response: &ResponseInfo) -> Vec<KeyValue> {
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
    list
}

/// The cost as a double, for tools that cannot read decimals. Another attribute has the exact amount.
fn nearest_double(usd: Usd) -> Option<f64> {
    usd.to_string().parse().ok()
}
