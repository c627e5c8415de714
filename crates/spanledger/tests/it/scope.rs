//! Attribution that travels with `tracing` spans, tasks and streams.

use futures_util::{StreamExt as _, stream};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanledger::{Attributed as _, current_attribution};
use spanledger_testkit::world::{World, attribution, chat_request};
use tracing::{Instrument as _, info_span, instrument::WithSubscriber as _};
use tracing_subscriber::{Registry, layer::SubscriberExt as _};

fn feature() -> Option<String> {
    current_attribution().map(|attribution| attribution.feature().to_owned())
}

/// Runs a future in a service with `tracing-opentelemetry`.
async fn in_service<T>(future: impl Future<Output = T>) -> T {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("app"));
    future.with_subscriber(Registry::default().with(layer)).await
}

/// Guarantees: an entered span activates the context in which it was created, with all values of that context.
#[tokio::test]
async fn a_span_that_is_created_inside_the_scope_carries_the_attribution_into_a_spawned_task() {
    in_service(async {
        let task = attribution("digest").scope(async {
            let inside = async {
                tokio::task::yield_now().await;
                // A span inside the span has it too.
                async { feature() }.instrument(info_span!("inner")).await
            };
            tokio::spawn(inside.instrument(info_span!("digest")).with_current_subscriber()).await.unwrap()
        });
        assert_eq!(task.await.as_deref(), Some("digest"));
        let task = attribution("digest").scope(async {
            let start = || tokio::spawn(async { feature() }.in_current_span().with_current_subscriber());
            info_span!("digest").in_scope(start).await.unwrap()
        });
        assert_eq!(task.await.as_deref(), Some("digest"));
    })
    .await;
}

/// Guarantees: in the task itself the scope counts, whichever spans are entered inside it. A task that is spawned
/// with such a span has no attribution, rather than a wrong one.
#[tokio::test]
async fn a_span_that_was_created_before_the_scope_does_not_carry_the_attribution() {
    in_service(async {
        let before = info_span!("handler");
        let (inside, spawned) = attribution("digest")
            .scope(async {
                let spawned =
                    tokio::spawn(async { feature() }.instrument(before.clone()).with_current_subscriber());
                (async { feature() }.instrument(before).await, spawned.await.unwrap())
            })
            .await;
        assert_eq!((inside.as_deref(), spawned), (Some("digest"), None));
    })
    .await;
}

#[tokio::test]
async fn the_spans_around_a_scope_are_the_parents_of_the_spans_inside_it() {
    use opentelemetry_sdk::trace::InMemorySpanExporter;
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("app"));
    let scoped = attribution("digest").scope(async {
        tokio::task::yield_now().await;
        async {}.instrument(info_span!("inner")).await;
    });
    async { scoped.instrument(info_span!("outer")).await }
        .with_subscriber(Registry::default().with(layer))
        .await;
    let spans = exporter.get_finished_spans().unwrap();
    let id = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(id("inner").parent_span_id, id("outer").span_context.span_id());
}

#[tokio::test]
async fn calls_of_a_scoped_stream_are_attributed_where_the_stream_is_polled_later() {
    let world = World::start().await;
    let client = world.client();
    // The handler has returned before the stream is polled.
    let body = attribution("stream").scope_stream(stream::once(async move {
        client.chat().create(chat_request("hello")).await.unwrap();
    }));
    tokio::spawn(body.collect::<Vec<()>>()).await.unwrap();
    assert_eq!(world.event().await.feature.as_deref(), Some("stream"));
}
