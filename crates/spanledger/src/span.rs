//! The span of a call, through `tracing` where that leads to OpenTelemetry, else directly.

use opentelemetry::{
    Array, Context, InstrumentationScope, KeyValue, StringValue, Value, global,
    trace::{SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use spanledger_event::{Endpoint, Observation, Usd, keys};
use spanledger_otlp::record::{self, AttributeValue, SCOPE};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{request::Asked, response::Answered};

/// Where the call was made: captured in the caller's task, before anything is awaited.
#[derive(Debug)]
pub(crate) struct Surroundings {
    tracing: tracing::Span,
    context: Context,
}

impl Surroundings {
    pub(crate) fn current() -> Self {
        Self { tracing: tracing::Span::current(), context: Context::current() }
    }
}

/// The ids of a span; empty where there is none of our own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    pub(crate) trace: Option<String>,
    pub(crate) span: Option<String>,
    pub(crate) parent: Option<String>,
}

/// A span that has begun.
#[derive(Debug)]
pub(crate) struct CallSpan {
    /// Keeps the `tracing` span open; disabled where a filter says so.
    tracing: tracing::Span,
    /// The OpenTelemetry span: the `tracing` span's, or one of our own.
    context: Context,
    /// Whether the OpenTelemetry span is ours to end.
    direct: bool,
    pub(crate) ids: Ids,
}

/// The operation of the convention.
fn operation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Chat | Endpoint::Responses => "chat",
        Endpoint::Completions => "text_completion",
        other => other.as_str(),
    }
}

impl CallSpan {
    pub(crate) fn start(asked: &Asked, around: &Surroundings) -> Self {
        let operation = operation(asked.endpoint);
        let name = match &asked.model {
            Some(model) => format!("{operation} {model}"),
            None => operation.to_owned(),
        };
        // What a sampler may decide by is there from the start.
        let mut first = vec![
            KeyValue::new(keys::OPERATION_NAME, operation),
            KeyValue::new(keys::PROVIDER_NAME, asked.provider.clone()),
        ];
        first.extend(asked.model.clone().map(|model| KeyValue::new(keys::REQUEST_MODEL, model)));
        first.extend(asked.server_address.clone().map(|host| KeyValue::new(keys::SERVER_ADDRESS, host)));
        first.extend(asked.server_port.map(|port| KeyValue::new(keys::SERVER_PORT, i64::from(port))));

        let _attached = around.context.clone().attach();
        let tracing = around.tracing.in_scope(|| {
            tracing::info_span!(
                target: "spanledger",
                "spanledger.call",
                otel.name = name.as_str(),
                otel.kind = "client",
            )
        });
        let parent = around.context.span().span_context().clone();
        let is_own = |context: &Context| {
            let span = context.span().span_context().clone();
            span.is_valid() && span.span_id() != parent.span_id()
        };
        for attribute in &first {
            tracing.set_attribute(attribute.key.clone(), attribute.value.clone());
        }
        let mut context = tracing.context();
        let mut direct = false;
        if !is_own(&context) {
            // No `tracing` span (filtered), or none that OpenTelemetry hears of.
            let scope = InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build();
            let tracer = global::tracer_with_scope(scope);
            let span = tracer
                .span_builder(name)
                .with_kind(SpanKind::Client)
                .with_attributes(first)
                .start_with_context(&tracer, &around.context);
            context = around.context.with_span(span);
            direct = true;
        }
        let own = context.span().span_context().clone();
        let ids = if is_own(&context) {
            Ids {
                trace: Some(own.trace_id().to_string()),
                span: Some(own.span_id().to_string()),
                parent: parent.is_valid().then(|| parent.span_id().to_string()),
            }
        } else {
            // No provider: the caller's trace is still worth knowing.
            Ids { trace: parent.is_valid().then(|| parent.trace_id().to_string()), ..Ids::default() }
        };
        Self { tracing, context, direct, ids }
    }

    pub(crate) fn end(&self, o: &Observation, asked: &Asked, answered: &Answered) {
        let span = self.context.span();
        if span.is_recording() {
            for (key, value) in record::span_attributes(o) {
                let value = match value {
                    AttributeValue::Text(text) => Value::from(text),
                    AttributeValue::Integer(number) => Value::I64(number),
                    AttributeValue::Boolean(truth) => Value::Bool(truth),
                };
                span.set_attribute(KeyValue::new(key, value));
            }
            for attribute in convention(o, asked, answered) {
                span.set_attribute(attribute);
            }
            if let Some(error) = o.outcome.error() {
                let words = answered.message.clone().unwrap_or_else(|| error.to_owned());
                span.set_status(Status::error(words));
            }
        }
        if self.direct {
            span.end();
        }
        // A `tracing` span's end is the last time it was left; without this a stream would have
        // ended before it began.
        self.tracing.in_scope(|| ());
    }
}

/// What the convention asks of a span and the record has no use for.
fn convention(o: &Observation, asked: &Asked, answered: &Answered) -> Vec<KeyValue> {
    let mut list = Vec::new();
    let mut put = |key: &'static str, value: Option<Value>| {
        list.extend(value.map(|value| KeyValue::new(key, value)));
    };
    let api = match asked.endpoint {
        Endpoint::Chat => Some("chat_completions"),
        Endpoint::Responses => Some("responses"),
        _ => None,
    };
    put(keys::OPENAI_API_TYPE, api.map(Value::from));
    put(keys::REQUEST_MAX_TOKENS, asked.max_tokens.map(Value::I64));
    put(keys::REQUEST_TEMPERATURE, asked.temperature.map(Value::F64));
    put(keys::REQUEST_TOP_P, asked.top_p.map(Value::F64));
    put(keys::REQUEST_SEED, asked.seed.map(Value::I64));
    put(keys::REQUEST_CHOICE_COUNT, asked.choices.map(Value::I64));
    put(keys::REQUEST_PREVIOUS_RESPONSE_ID, asked.previous_response_id.clone().map(Value::from));
    let tier = asked.service_tier.clone().filter(|tier| tier != "auto");
    put(keys::OPENAI_REQUEST_SERVICE_TIER, tier.map(Value::from));
    put(keys::OPENAI_SYSTEM_FINGERPRINT, answered.system_fingerprint.clone().map(Value::from));
    let reasons: Vec<StringValue> = answered.finish_reasons.iter().cloned().map(StringValue::from).collect();
    put(keys::FINISH_REASONS, (!reasons.is_empty()).then_some(Value::Array(Array::String(reasons))));
    let seconds =
        o.time_to_first_token_ms.and_then(|ms| u32::try_from(ms).ok()).map(|ms| f64::from(ms) / 1e3);
    put(keys::TIME_TO_FIRST_CHUNK, seconds.map(Value::F64));
    let cost = o.cost.as_ref().and_then(|cost| cost.usd).and_then(approximate);
    put(keys::USAGE_COST, cost.map(Value::F64));
    list
}

/// The nearest double, for readers that know no other; the exact amount stands beside it.
fn approximate(usd: Usd) -> Option<f64> {
    usd.to_string().parse().ok()
}
