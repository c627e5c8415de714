//! Guards that are asked before each call.

use std::sync::{Arc, Mutex};

use spanledger::{Attributed as _, Error, MonthlyQuota, PlannedCall, SpendGuard, SpendRefusal, Usd};
use spanledger_testkit::{
    Reply, Usage,
    world::{World, attribution, chat_request},
};

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

/// A guard that keeps what it is asked, and that the test can ask too.
#[derive(Clone)]
struct Shared {
    quota: Arc<MonthlyQuota>,
    calls: Arc<Mutex<Vec<PlannedCall>>>,
}

impl Shared {
    fn new(quota: &str) -> Self {
        Self { quota: Arc::new(MonthlyQuota::new(usd(quota))), calls: Arc::default() }
    }

    /// What acme has spent and reserved.
    fn used(&self) -> (String, String) {
        let at = self.calls.lock().unwrap().last().unwrap().at;
        let (spent, reserved) = self.quota.used("acme", at);
        (spent.to_string(), reserved.to_string())
    }
}

impl SpendGuard for Shared {
    fn reserve(&self, call: &PlannedCall) -> Result<(), SpendRefusal> {
        self.calls.lock().unwrap().push(call.clone());
        self.quota.reserve(call)
    }

    fn settle(&self, call: &PlannedCall, cost: Option<Usd>) {
        self.quota.settle(call, cost);
    }
}

fn client(
    world: &World,
    guard: impl SpendGuard + 'static,
) -> async_openai::Client<async_openai::config::OpenAIConfig> {
    spanledger::instrument(world.config())
        .provider("openai")
        .recorder(world.recorder.clone())
        .spend_guard(guard)
        .build()
}

#[tokio::test]
async fn a_call_beyond_the_quota_is_refused_before_it_is_sent_with_the_answer_for_the_customer() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    // One call may cost about half a dollar, because it sets no maximum.
    let guard = Shared::new("0.495");
    let client = client(&world, guard.clone());
    let call =
        || async { client.chat().attributed(&attribution("search")).create(chat_request("hello")).await };
    call().await.unwrap();
    assert_eq!(world.event().await.cost_usd, Some(usd("0.008")));
    assert_eq!(guard.used(), ("0.008".to_owned(), "0".to_owned()));
    let error = call().await.unwrap_err();
    let Some(Error::Refused { path, refusal }) = Error::of(&error) else { panic!("{error:?}") };
    assert_eq!((path.as_str(), refusal.status().as_u16()), ("/v1/chat/completions", 429));
    let body: serde_json::Value = serde_json::from_str(&refusal.body()).unwrap();
    assert_eq!(body["error"], "monthly_ai_quota_exceeded");
    let message = body["message"].as_str().unwrap();
    assert!(message.starts_with("acme used 0.008 of 0.495 dollars"), "{message}");
    assert_eq!(world.provider.requests().len(), 1);
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn the_guard_knows_the_attribution_and_the_bound_and_a_failed_call_costs_nothing() {
    let world = World::start().await;
    world.provider.push(Reply::insufficient_quota());
    let guard = Shared::new("100");
    let mut request = chat_request("hello");
    request.max_completion_tokens = Some(100);
    let client = client(&world, guard.clone());
    client.chat().attributed(&attribution("search")).create(request).await.unwrap_err();
    world.event().await;
    let call = guard.calls.lock().unwrap()[0].clone();
    assert_eq!((call.attribution.feature.as_deref(), call.provider.as_str()), (Some("search"), "openai"));
    // The body has a hundred bytes or so, and 100 output tokens cost 0.003 dollars.
    let bound = call.upper_bound.unwrap();
    assert!(usd("0.003") < bound && bound < usd("0.006"), "{bound}");
    assert_eq!(guard.used(), ("0".to_owned(), "0".to_owned()));
}

/// A guard that panics whenever it is asked.
struct Panics;

impl SpendGuard for Panics {
    fn reserve(&self, _: &PlannedCall) -> Result<(), SpendRefusal> {
        panic!("a defect of the guard")
    }

    fn settle(&self, _: &PlannedCall, _: Option<Usd>) {
        panic!("a defect of the guard")
    }
}

#[tokio::test]
async fn a_guard_that_panics_does_not_hurt_the_call() {
    let world = World::start().await;
    client(&world, Panics)
        .chat()
        .attributed(&attribution("search"))
        .create(chat_request("hello"))
        .await
        .unwrap();
    world.event().await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_gives_its_reservation_back() {
    let world = World::start().await;
    world.provider.push(Reply::new().chunks(5).without_usage());
    let guard = Shared::new("100");
    let client = client(&world, guard.clone());
    let stream = client.chat().attributed(&attribution("search")).create_stream(chat_request("hello")).await;
    let reserved = guard.calls.lock().unwrap()[0].upper_bound.unwrap();
    assert_eq!(guard.used(), ("0".to_owned(), reserved.to_string()));
    drop(stream);
    world.event().await;
    // The cost is not known, so that the bound counts as spent.
    assert_eq!(guard.used(), (reserved.to_string(), "0".to_owned()));
}

#[tokio::test]
async fn a_guard_learns_the_cost_also_if_the_export_is_off() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    let mut export = spanledger::ExporterConfig::default();
    export.url = None;
    let guard = Shared::new("100");
    let client = spanledger::instrument(world.config())
        .provider("openai")
        .recorder(spanledger::Recorder::new(export))
        .spend_guard(guard.clone())
        .build();
    client.chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    assert_eq!(guard.used(), ("0.008".to_owned(), "0".to_owned()));
}
