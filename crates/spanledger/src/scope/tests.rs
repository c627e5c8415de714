use futures_util::{StreamExt as _, stream};
use opentelemetry::{
    KeyValue,
    context::FutureExt as _,
    trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
};

use super::*;
use crate::Attributed as _;

fn attribution(feature: &str) -> Attribution {
    Attribution::builder()
        .feature(feature)
        .route("/r")
        .customer_id("acme")
        .environment("test")
        .build()
        .unwrap()
}

fn feature() -> Option<String> {
    current().map(|attribution| attribution.feature().to_owned())
}

fn context_of_span(id: u64) -> Context {
    let span = SpanContext::new(
        TraceId::from(1),
        SpanId::from(id),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    Context::new().with_remote_span_context(span)
}

#[tokio::test]
async fn the_innermost_scope_counts_and_ends_with_its_future() {
    let inside = attribution("outer").scope(async {
        assert_eq!(feature().as_deref(), Some("outer"));
        let inner = attribution("inner").scope(async {
            tokio::task::yield_now().await;
            feature()
        });
        (inner.await, feature())
    });
    assert_eq!(inside.await, (Some("inner".to_owned()), Some("outer".to_owned())));
    assert_eq!(feature(), None);
}

#[tokio::test]
async fn a_scoped_future_can_be_spawned() {
    let attribution = attribution("spawned");
    let future = attribution.scope(async { feature() });
    drop(attribution);
    assert_eq!(tokio::spawn(future).await.unwrap().as_deref(), Some("spawned"));
}

#[tokio::test]
async fn a_spawned_task_has_the_attribution_of_the_context_that_it_takes_along() {
    let (with_context, without) = attribution("context")
        .scope(async {
            let with_context = tokio::spawn(async { feature() }.with_current_context());
            (with_context.await.unwrap(), tokio::spawn(async { feature() }).await.unwrap())
        })
        .await;
    assert_eq!((with_context.as_deref(), without), (Some("context"), None));
}

#[tokio::test]
async fn the_scope_of_the_task_counts_before_the_context() {
    let context = attribution("context").in_context(&Context::new());
    let both = attribution("task").scope(async { feature() }.with_context(context.clone()));
    assert_eq!(both.await.as_deref(), Some("task"));
    assert_eq!(async { feature() }.with_context(context).await.as_deref(), Some("context"));
}

#[tokio::test]
async fn a_scoped_stream_has_its_attribution_wherever_it_is_polled() {
    let features = attribution("stream").scope_stream(stream::iter(0..2).map(|_| feature()));
    let polled = attribution("elsewhere").scope(features.collect::<Vec<_>>()).await;
    assert_eq!(polled, [Some("stream".to_owned()), Some("stream".to_owned())]);
}

#[tokio::test]
async fn the_span_that_is_current_when_the_future_is_polled_stays_current_inside() {
    let span = || Context::map_current(|context| context.span().span_context().span_id());
    let future = attribution("a").scope(async move {
        let first = span();
        tokio::task::yield_now().await;
        (first, span())
    });
    let mut future = Box::pin(future);
    let mut polls = 0_u64;
    // Each poll has another span around it.
    let ids = std::future::poll_fn(move |task| {
        polls += 1;
        let _entered = context_of_span(polls).attach();
        future.as_mut().poll(task)
    })
    .await;
    assert_eq!(ids, (SpanId::from(1), SpanId::from(2)));
}

#[tokio::test]
async fn the_context_is_derived_once_for_polls_in_the_same_context() {
    // Each derived context has a value of its own, so that the value's address tells them apart. The contexts are
    // kept, so that no address is used twice.
    let value = || {
        let context = Context::current();
        let address = context.get().map(|ContextValue(a)| std::ptr::from_ref(a).addr());
        (context, address)
    };
    let addresses = |outer: fn(u64) -> Context| {
        let future = attribution("a").scope(async move {
            let (_kept, first) = value();
            tokio::task::yield_now().await;
            (first, value().1)
        });
        let mut future = Box::pin(future);
        let mut polls = 0_u64;
        std::future::poll_fn(move |task| {
            polls += 1;
            let _entered = outer(polls).attach();
            future.as_mut().poll(task)
        })
    };
    let (first, second) = addresses(|_| context_of_span(1)).await;
    assert_eq!(first, second);
    let (first, second) = addresses(context_of_span).await;
    assert_ne!(first, second);
    let (first, second) =
        addresses(|poll| Context::new().with_baggage([KeyValue::new("poll", poll.to_string())])).await;
    assert_ne!(first, second);
}
