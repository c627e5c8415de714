use crate::support::World;

/// Guarantees: the calls of spawned tasks are attributed, and record and span of each call are one event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_with_tracing_has_every_call_once_and_attributed() {
    let world = World::start().await;
    let events = world.run("existing_tracing").await;
    assert_eq!(events.len(), 3, "{events:#?}");
    for event in &events {
        assert_eq!(
            (event.feature.as_deref(), event.route.as_deref()),
            (Some("digest"), Some("cron:nightly-digest"))
        );
        assert!(event.cost_usd.is_some() && event.trace_id.is_some(), "{event:#?}");
    }
    // The sampler keeps the spans of the calls, and one of a hundred other traces.
    assert!(world.receiver.counters().spans() >= 3);
}
