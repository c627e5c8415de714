use opentelemetry::{
    Value, global,
    trace::{SpanKind, Status, TracerProvider as _},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use spanledger::Attributed;
use spanledger_event::{CostEvent, keys};
use spanledger_testkit::{Reply, Usage};
use tracing::{Instrument as _, instrument::WithSubscriber as _};
use tracing_subscriber::{Registry, filter::LevelFilter, layer::SubscriberExt as _};

use spanledger_testkit::world::{World, attribution, chat_request};

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|kv| kv.key.as_str() == key).map(|kv| &kv.value)
}

fn provider(sampler: Sampler) -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider =
        SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).with_sampler(sampler).build();
    (provider, exporter)
}

async fn make_call(world: &World) {
    world.provider.push(
        Reply::new().usage(Usage::new(15_234, 5_312).cached(12_000).reasoning(4_500)).service_tier("default"),
    );
    world.client().chat().attributed(&attribution("search")).create(chat_request("a secret")).await.unwrap();
}

fn check_attributes(span: &SpanData) {
    assert_eq!((span.name.as_ref(), span.span_kind.clone()), ("chat gpt-5.5", SpanKind::Client));
    assert_eq!(span.status, Status::Unset);
    for (key, value) in [
        (keys::OPERATION_NAME, Value::from("chat")),
        (keys::PROVIDER_NAME, "openai".into()),
        (keys::REQUEST_MODEL, "gpt-5.5".into()),
        (keys::RESPONSE_MODEL, "gpt-5.5-2026-04-23".into()),
        (keys::OPENAI_API_TYPE, "chat_completions".into()),
        (keys::OPENAI_RESPONSE_SERVICE_TIER, "default".into()),
        (keys::INPUT_TOKENS, Value::I64(15_234)),
        (keys::CACHE_READ_TOKENS, Value::I64(12_000)),
        (keys::OUTPUT_TOKENS, Value::I64(5_312)),
        (keys::REASONING_TOKENS, Value::I64(4_500)),
        (keys::COST_USD, "0.18153".into()),
        (keys::COST_STATE, "priced".into()),
        (keys::USAGE_COST, Value::F64(0.18153)),
        (keys::FEATURE, "search".into()),
        (keys::CUSTOMER_ID, "acme".into()),
        (keys::SERVER_ADDRESS, "127.0.0.1".into()),
    ] {
        assert_eq!(attribute(span, key), Some(&value), "{key}");
    }
    let mut names: Vec<_> = span
        .attributes
        .iter()
        .map(|kv| kv.key.as_str())
        .filter(|name| name.contains('.') && !name.starts_with("code.") && !name.starts_with("thread."))
        .collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(!format!("{span:?}").contains("a secret"), "no prompt text in a span");
}

#[tokio::test]
async fn through_tracing_the_span_is_a_child_of_the_callers_span() {
    let world = World::start().await;
    let (provider, exporter) = provider(Sampler::AlwaysOn);
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("app"));
    let subscriber = Registry::default().with(otel);
    async {
        let outer = tracing::info_span!("handler");
        make_call(&world).instrument(outer).await;
    }
    .with_subscriber(subscriber)
    .await;
    let spans = exporter.get_finished_spans().unwrap();
    let span = spans.iter().find(|span| span.name.starts_with("chat")).unwrap();
    let outer = spans.iter().find(|span| span.name == "handler").unwrap();
    check_attributes(span);
    assert_eq!(span.parent_span_id, outer.span_context.span_id());
    let event = world.event().await;
    assert_eq!(event.trace_id, Some(span.span_context.trace_id().to_string()));
    assert_eq!(event.span_id, Some(span.span_context.span_id().to_string()));
    assert_eq!(event.parent_span_id, Some(outer.span_context.span_id().to_string()));
}

/// The spans of these events. Other tests run beside this one and use the same global provider.
fn spans_of(exporter: &InMemorySpanExporter, events: &[&CostEvent]) -> Vec<SpanData> {
    let ids: Vec<_> = events.iter().filter_map(|event| event.span_id.clone()).collect();
    let mut spans = exporter.get_finished_spans().unwrap();
    spans.retain(|span| ids.contains(&span.span_context.span_id().to_string()));
    spans
}

/// These checks are one test, because all of them need the global provider of the process.
#[tokio::test]
async fn a_call_is_recorded_through_plain_opentelemetry_and_whatever_a_filter_or_sampler_drops() {
    let (on, exporter) = provider(Sampler::AlwaysOn);
    global::set_tracer_provider(on);
    let world = World::start().await;
    make_call(&world).await;
    let event = world.event().await;
    check_attributes(&spans_of(&exporter, &[&event])[0]);

    // A level filter excludes the `tracing` span: the span is started directly.
    let (subscribers, _) = provider(Sampler::AlwaysOn);
    let otel = tracing_opentelemetry::layer().with_tracer(subscribers.tracer("app"));
    let filtered = Registry::default().with(LevelFilter::OFF).with(otel);
    make_call(&world).with_subscriber(filtered).await;
    let events = world.events().await;
    assert_eq!(spans_of(&exporter, &events.iter().collect::<Vec<_>>()).len(), 2);

    // A sampler drops every span, but the calls are still recorded.
    let (off, silent) = provider(Sampler::AlwaysOff);
    global::set_tracer_provider(off);
    for _ in 0..3 {
        make_call(&world).await;
    }
    assert!(silent.get_finished_spans().unwrap().is_empty());
    let events = world.events().await;
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event.cost_usd.is_some() && event.attempts == 1));
}

#[tokio::test]
async fn a_call_that_failed_has_a_span_with_an_error_status() {
    let world = World::start().await;
    let (provider, exporter) = provider(Sampler::AlwaysOn);
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    world.provider.push(Reply::insufficient_quota());
    async {
        world
            .client()
            .chat()
            .attributed(&attribution("search"))
            .create(chat_request("hello"))
            .await
            .unwrap_err();
    }
    .with_subscriber(subscriber)
    .await;
    world.event().await;
    let spans = exporter.get_finished_spans().unwrap();
    assert!(
        matches!(&spans[0].status, Status::Error { description } if !description.is_empty()),
        "{:?}",
        spans[0].status
    );
    assert_eq!(attribute(&spans[0], keys::ERROR_TYPE), Some(&Value::from("insufficient_quota")));
}

/// `tracing-opentelemetry` would end the span when the call returned the stream.
#[tokio::test]
async fn the_span_of_a_stream_ends_with_the_stream() {
    use futures_util::StreamExt as _;
    let world = World::start().await;
    let (provider, exporter) = provider(Sampler::AlwaysOn);
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    let delay = std::time::Duration::from_millis(30);
    world.provider.push(Reply::new().chunks(5).chunk_delay(delay));
    async {
        let client = world.client();
        let stream = client
            .chat()
            .attributed(&attribution("search"))
            .create_stream(chat_request("hello"))
            .await
            .unwrap();
        stream.for_each(|_| async {}).await;
    }
    .with_subscriber(subscriber)
    .await;
    world.event().await;
    let spans = exporter.get_finished_spans().unwrap();
    let lasted = spans[0].end_time.duration_since(spans[0].start_time).unwrap();
    assert!(lasted >= delay * 3, "{lasted:?}");
    assert!(matches!(attribute(&spans[0], keys::TIME_TO_FIRST_CHUNK), Some(Value::F64(_))));
    assert_eq!(attribute(&spans[0], keys::REQUEST_STREAM), Some(&Value::Bool(true)));
}

/// Guarantees: no attribute is set twice, because OTLP requires unique keys.
#[tokio::test]
async fn the_baggage_that_a_processor_copies_to_spans_is_not_copied_to_the_span_of_a_call() {
    use opentelemetry::{Context, context::FutureExt as _};
    use spanledger::{AllowedBaggage, BaggageSpanProcessor};
    let world = World::start().await;
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BaggageSpanProcessor::new(AllowedBaggage::default()))
        .with_simple_exporter(exporter.clone())
        .build();
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    let context = attribution("search").in_baggage(&Context::new());
    async { make_call(&world).instrument(tracing::info_span!("handler")).await }
        .with_context(context)
        .with_subscriber(subscriber)
        .await;
    world.event().await;
    let spans = exporter.get_finished_spans().unwrap();
    for span in &spans {
        let customers = span.attributes.iter().filter(|kv| kv.key.as_str() == keys::CUSTOMER_ID);
        assert_eq!(customers.count(), 1, "{span:#?}");
    }
    assert_eq!(spans.len(), 2);
}

/// Guarantees: a sampler sees the operation's name when the span of a call starts.
#[tokio::test]
async fn the_sampler_for_ai_calls_keeps_the_span_of_a_call_and_of_no_other() {
    let world = World::start().await;
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_sampler(spanledger::KeepGenAi::new(Sampler::ParentBased(Box::new(Sampler::AlwaysOff))))
        .build();
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    async { make_call(&world).instrument(tracing::info_span!("handler")).await }
        .with_subscriber(subscriber)
        .await;
    world.event().await;
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.iter().map(|span| span.name.as_ref()).collect::<Vec<_>>(), ["chat gpt-5.5"]);
}
