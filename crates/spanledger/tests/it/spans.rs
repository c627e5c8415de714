use opentelemetry::{
    Value, global,
    trace::{SpanKind, Status, TracerProvider as _},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use spanledger::Attributed;
use spanledger_event::keys;
use spanledger_testkit::{Reply, Usage};
use tracing::{Instrument as _, instrument::WithSubscriber as _};
use tracing_subscriber::{Registry, filter::LevelFilter, layer::SubscriberExt as _};

use crate::world::{World, attribution, chat};

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|kv| kv.key.as_str() == key).map(|kv| &kv.value)
}

fn provider(sampler: Sampler) -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider =
        SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).with_sampler(sampler).build();
    (provider, exporter)
}

async fn call(world: &World) {
    world.provider.push(
        Reply::new().usage(Usage::new(15_234, 5_312).cached(12_000).reasoning(4_500)).service_tier("default"),
    );
    world.client().chat().attributed(&attribution("search")).create(chat("a secret")).await.unwrap();
}

fn check(span: &SpanData) {
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
    let all = names.len();
    names.dedup();
    // The sampler's attributes stand at the start, and again with their final values.
    assert!(all - names.len() <= 4, "{names:?}");
    assert!(!format!("{span:?}").contains("a secret"), "no prompt text in a span");
}

#[tokio::test]
async fn through_tracing_the_span_is_a_child_of_the_callers() {
    let world = World::start().await;
    let (provider, exporter) = provider(Sampler::AlwaysOn);
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("app"));
    let subscriber = Registry::default().with(otel);
    async {
        let outer = tracing::info_span!("handler");
        call(&world).instrument(outer).await;
    }
    .with_subscriber(subscriber)
    .await;
    let spans = exporter.get_finished_spans().unwrap();
    let span = spans.iter().find(|span| span.name.starts_with("chat")).unwrap();
    let outer = spans.iter().find(|span| span.name == "handler").unwrap();
    check(span);
    assert_eq!(span.parent_span_id, outer.span_context.span_id());
    let event = world.event().await;
    assert_eq!(event.trace_id, Some(span.span_context.trace_id().to_string()));
    assert_eq!(event.span_id, Some(span.span_context.span_id().to_string()));
    assert_eq!(event.parent_span_id, Some(outer.span_context.span_id().to_string()));
}

/// One test for all that needs the process's global provider.
#[tokio::test]
async fn through_plain_opentelemetry_and_whatever_is_filtered_or_sampled_the_call_is_recorded() {
    let (on, exporter) = provider(Sampler::AlwaysOn);
    global::set_tracer_provider(on);
    let world = World::start().await;
    call(&world).await;
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1);
    check(&spans[0]);
    let event = world.event().await;
    assert_eq!(event.span_id, Some(spans[0].span_context.span_id().to_string()));

    // A level filter that lets no `tracing` span through: the span is made directly.
    exporter.reset();
    let (subscribers, _) = provider(Sampler::AlwaysOn);
    let otel = tracing_opentelemetry::layer().with_tracer(subscribers.tracer("app"));
    let filtered = Registry::default().with(LevelFilter::OFF).with(otel);
    call(&world).with_subscriber(filtered).await;
    assert_eq!(exporter.get_finished_spans().unwrap().len(), 1);
    assert_eq!(world.events().await.len(), 2);

    // A sampler that drops everything: no span, and the record all the same.
    let (off, silent) = provider(Sampler::AlwaysOff);
    global::set_tracer_provider(off);
    for _ in 0..3 {
        call(&world).await;
    }
    assert!(silent.get_finished_spans().unwrap().is_empty());
    let events = world.events().await;
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event.cost_usd.is_some() && event.attempts == 1));
}

#[tokio::test]
async fn a_failure_is_the_spans_error() {
    let world = World::start().await;
    let (provider, exporter) = provider(Sampler::AlwaysOn);
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    world.provider.push(Reply::insufficient_quota());
    async {
        world.client().chat().attributed(&attribution("search")).create(chat("hello")).await.unwrap_err();
    }
    .with_subscriber(subscriber)
    .await;
    let spans = exporter.get_finished_spans().unwrap();
    assert!(
        matches!(&spans[0].status, Status::Error { description } if !description.is_empty()),
        "{:?}",
        spans[0].status
    );
    assert_eq!(attribute(&spans[0], keys::ERROR_TYPE), Some(&Value::from("insufficient_quota")));
}

/// A stream's span lasts until the stream ends, though nobody is inside it meanwhile.
#[tokio::test]
async fn a_streams_span_ends_with_the_stream() {
    use futures_util::StreamExt as _;
    let world = World::start().await;
    let (provider, exporter) = provider(Sampler::AlwaysOn);
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("app")));
    let delay = std::time::Duration::from_millis(30);
    world.provider.push(Reply::new().chunks(5).chunk_delay(delay));
    async {
        let client = world.client();
        let stream =
            client.chat().attributed(&attribution("search")).create_stream(chat("hello")).await.unwrap();
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
