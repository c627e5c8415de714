//! The examples, each run as a process against the stand-in provider and a receiver.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use support::World;

#[path = "../tests/support.rs"]
mod support;

/// Guarantees: every call of the library is in the ledger once, with its attribution and its cost, although its span
/// arrives, too.
async fn check(example: &str) {
    let world = World::start().await;
    let events = world.run(example).await;
    let requests = world.provider.requests().len();
    assert!(requests >= 2, "{requests} requests");
    assert_eq!(events.len(), requests, "{events:#?}");
    for event in &events {
        assert_eq!(
            (event.feature.as_deref(), event.customer_id.as_deref()),
            (Some("digest"), Some("internal")),
            "{event:#?}"
        );
        assert!(event.cost_usd.is_some() && event.prompt_tokens.is_some(), "{event:#?}");
        assert_eq!(event.state.as_str(), "live", "{event:#?}");
    }
    let spans = world.receiver.counters().spans();
    assert!(spans >= events.len() as u64, "{spans} spans");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rig() {
    check("rig").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn genai() {
    check("genai").await;
}
