//! The `tracing` layer for the calls of other libraries.

use opentelemetry::{Context, Value, context::FutureExt as _, trace::TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use spanledger::{AllowedBaggage, Attributed as _, BaggageSpanProcessor, GenAiLayer};
use spanledger_event::keys;
use spanledger_testkit::{
    Reply, Usage,
    world::{World, attribution, chat_request},
};
use tracing::{Instrument as _, Span, field::Empty, info_span, instrument::WithSubscriber as _};
use tracing_subscriber::{Registry, layer::SubscriberExt as _};

/// The span of a call of another library, with 1,000 input and 100 output tokens.
fn genai_span() -> Span {
    info_span!(
        target: "rig::completions",
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openai",
        gen_ai.request.model = "gpt-5.5",
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cost = Empty,
        error.r#type = Empty,
        spanledger.customer_id = Empty,
        otel.status_code = Empty,
    )
}

fn record_usage(span: &Span) {
    span.record("gen_ai.usage.input_tokens", 1_000_u64).record("gen_ai.usage.output_tokens", 100_u64);
}

/// Runs a future in a service that has the layer, and returns the spans that were exported.
async fn in_service(world: &World, sampler: Sampler, future: impl Future<Output = ()>) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider =
        SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).with_sampler(sampler).build();
    let subscriber = Registry::default()
        .with(GenAiLayer::new().with_recorder(world.recorder.clone()))
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    future.with_subscriber(subscriber).await;
    exporter.get_finished_spans().unwrap()
}

fn values<'a>(span: &'a SpanData, key: &str) -> Vec<&'a Value> {
    span.attributes.iter().filter(|kv| kv.key.as_str() == key).map(|kv| &kv.value).collect()
}

#[tokio::test]
async fn a_call_of_another_library_gets_the_attribution_of_the_scope_its_cost_and_a_record() {
    let world = World::start().await;
    let call = async {
        let span = genai_span();
        async { record_usage(&Span::current()) }.instrument(span).await;
    };
    let outer = async { attribution("digest").scope(call).instrument(info_span!("outer")).await };
    let spans = in_service(&world, Sampler::AlwaysOn, outer).await;
    let (span, outer) = (&spans[0], &spans[1]);
    for (key, value) in [
        (keys::FEATURE, Value::from("digest")),
        (keys::CUSTOMER_ID, "acme".into()),
        (keys::COST_USD, "0.008".into()),
        (keys::COST_STATE, "priced".into()),
        (keys::ENDPOINT, "chat".into()),
        (keys::USAGE_COST, Value::F64(0.008)),
    ] {
        assert_eq!(values(span, key), [&value], "{key}");
    }
    let mut names: Vec<_> = span.attributes.iter().map(|kv| kv.key.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    let event = world.event().await;
    assert_eq!(values(span, keys::EVENT_ID), [&Value::from(event.event_id.as_str().to_owned())]);
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.008");
    assert_eq!((event.feature.as_deref(), event.model.as_deref()), (Some("digest"), Some("gpt-5.5")));
    assert_eq!(event.trace_id, Some(span.span_context.trace_id().to_string()));
    assert_eq!(event.span_id, Some(span.span_context.span_id().to_string()));
    assert_eq!(event.parent_span_id, Some(outer.span_context.span_id().to_string()));
}

#[tokio::test]
async fn a_call_is_recorded_whatever_the_sampler_drops_and_without_opentelemetry() {
    let world = World::start().await;
    let call = || async { record_usage(&genai_span()) };
    let spans = in_service(&world, Sampler::AlwaysOff, attribution("sampled").scope(call())).await;
    assert!(spans.is_empty());
    // Equal calls without ids are different calls.
    for feature in ["plain", "plain"] {
        let layer = GenAiLayer::new().with_recorder(world.recorder.clone());
        attribution(feature).scope(call()).with_subscriber(Registry::default().with(layer)).await;
    }
    let events = world.events().await;
    let features: Vec<_> = events.iter().map(|event| event.feature.as_deref().unwrap()).collect();
    assert_eq!(features, ["sampled", "plain", "plain"]);
    assert!(events.iter().all(|event| event.cost_usd.is_some()), "{events:#?}");
}

/// Guarantees: what the span states itself counts, and no attribute is set twice.
#[tokio::test]
async fn the_span_keeps_what_it_states_itself() {
    let world = World::start().await;
    let call = async {
        let span = genai_span();
        record_usage(&span);
        span.record("spanledger.customer_id", "of-the-span").record("gen_ai.usage.cost", 0.5);
    };
    let spans = in_service(&world, Sampler::AlwaysOn, attribution("digest").scope(call)).await;
    assert_eq!(values(&spans[0], keys::CUSTOMER_ID), [&Value::from("of-the-span")]);
    assert_eq!(values(&spans[0], keys::USAGE_COST), [&Value::F64(0.5)]);
    let event = world.event().await;
    assert_eq!(
        (event.customer_id.as_deref(), event.feature.as_deref()),
        (Some("of-the-span"), Some("digest"))
    );
}

#[tokio::test]
async fn baggage_attributes_a_call_and_is_not_copied_twice() {
    let world = World::start().await;
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BaggageSpanProcessor::new(AllowedBaggage::default()))
        .with_simple_exporter(exporter.clone())
        .build();
    let subscriber = Registry::default()
        .with(GenAiLayer::new().with_recorder(world.recorder.clone()))
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    let context = attribution("baggage").in_baggage(&Context::new());
    async { record_usage(&genai_span()) }.with_context(context).with_subscriber(subscriber).await;
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(values(&spans[0], keys::FEATURE), [&Value::from("baggage")]);
    assert_eq!(world.event().await.feature.as_deref(), Some("baggage"));
}

#[tokio::test]
async fn failures_cost_nothing_and_spans_that_are_no_calls_are_not_recorded() {
    let world = World::start().await;
    let calls = async {
        let failed = genai_span();
        failed.record("otel.status_code", "ERROR").record("error.type", "rate_limit_exceeded");
        drop(failed);
        let logged = genai_span();
        logged.in_scope(|| tracing::error!("the request failed"));
        drop(logged);
        drop(info_span!("execute_tool", gen_ai.operation.name = "execute_tool", gen_ai.tool.name = "search"));
        drop(info_span!(
            "invoke_agent",
            gen_ai.operation.name = "invoke_agent",
            gen_ai.usage.input_tokens = 9
        ));
        drop(info_span!("handler", http.route = "/search"));
    };
    in_service(&world, Sampler::AlwaysOn, attribution("digest").scope(calls)).await;
    let events = world.events().await;
    let errors: Vec<_> = events.iter().map(|event| event.error_code.as_deref().unwrap()).collect();
    assert_eq!(errors, ["rate_limit_exceeded", "_OTHER"]);
    assert!(
        events.iter().all(|event| event.billed_usd.is_none_or(|usd| usd.to_string() == "0")),
        "{events:#?}"
    );
}

/// Guarantees: a span of the user's around a call of an instrumented client is not a second call.
#[tokio::test]
async fn a_call_of_an_instrumented_client_inside_such_a_span_is_recorded_once() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    let client = world.client();
    let call = async {
        let span = genai_span();
        let inner = async {
            let call = async { client.chat().create(chat_request("hello")).await.unwrap() };
            call.instrument(info_span!("between")).await
        };
        inner.instrument(span.clone()).await;
        record_usage(&span);
    };
    in_service(&world, Sampler::AlwaysOn, attribution("digest").scope(call)).await;
    assert_eq!(world.event().await.endpoint, "chat");
}

/// Guarantees: layers in the wrong order cost attributes of the span, and no second call.
#[tokio::test]
async fn a_layer_that_is_added_after_that_of_opentelemetry_records_the_ids_of_the_span() {
    let world = World::start().await;
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let subscriber = Registry::default()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")))
        .with(GenAiLayer::new().with_recorder(world.recorder.clone()));
    let call = async {
        let span = genai_span();
        async { record_usage(&Span::current()) }.instrument(span).await;
    };
    attribution("digest").scope(call).with_subscriber(subscriber).await;
    let spans = exporter.get_finished_spans().unwrap();
    assert!(values(&spans[0], keys::FEATURE).is_empty());
    let event = world.event().await;
    assert_eq!(event.span_id, Some(spans[0].span_context.span_id().to_string()));
    assert_eq!(event.feature.as_deref(), Some("digest"));
}

/// Guarantees: a span of the user's around a call of a library is not a second call. A call of another API inside it is
/// not the call of the outer span.
#[tokio::test]
async fn of_spans_inside_each_other_the_innermost_of_an_api_is_the_call() {
    let world = World::start().await;
    let calls = async {
        let outer = genai_span();
        outer.in_scope(|| {
            record_usage(&genai_span());
            drop(info_span!(
                "embeddings",
                gen_ai.operation.name = "embeddings",
                gen_ai.provider.name = "openai",
                gen_ai.request.model = "text-embedding-3-small",
                gen_ai.usage.input_tokens = 2,
            ));
        });
        record_usage(&outer);
        drop(outer);
        let other = genai_span();
        other.in_scope(|| {
            drop(info_span!(
                "embeddings",
                gen_ai.operation.name = "embeddings",
                gen_ai.provider.name = "openai",
                gen_ai.request.model = "text-embedding-3-small",
                gen_ai.usage.input_tokens = 3,
            ));
        });
        record_usage(&other);
    };
    in_service(&world, Sampler::AlwaysOff, attribution("digest").scope(calls)).await;
    let events = world.events().await;
    let mut endpoints: Vec<_> = events.iter().map(|event| event.endpoint.as_str()).collect();
    endpoints.sort_unstable();
    assert_eq!(endpoints, ["chat", "chat", "embeddings", "embeddings"], "{events:#?}");
}

/// Guarantees: what other libraries write about prompts and answers stays on their spans.
#[tokio::test]
async fn no_prompt_and_no_answer_is_read_into_a_record() {
    let world = World::start().await;
    let call = async {
        let span = info_span!(
            "chat",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = "openai",
            gen_ai.request.model = "gpt-5.5",
            gen_ai.usage.input_tokens = 1_000,
            gen_ai.usage.output_tokens = 100,
            gen_ai.input.messages = "a secret",
            gen_ai.system_instructions = ?["a secret"],
            message = "a secret",
        );
        drop(span);
    };
    let spans = in_service(&world, Sampler::AlwaysOn, attribution("digest").scope(call)).await;
    let texts = spans[0].attributes.iter().filter(|kv| kv.value.to_string().contains("a secret"));
    assert_eq!(texts.count(), 3, "the span has its own three");
    let event = world.event().await;
    assert!(!format!("{event:?}").contains("a secret"));
}
