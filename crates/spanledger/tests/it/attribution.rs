use async_openai::error::OpenAIError;
use spanledger::{Attributed, Scope};

use crate::world::{World, attribution, chat};

#[tokio::test]
async fn without_attribution_nothing_is_sent() {
    let world = World::start().await;
    let error = world.client().chat().create(chat("hello")).await.unwrap_err();
    let OpenAIError::InvalidArgument(text) = error else { panic!("{error:?}") };
    for word in ["feature", "route", "customer_id", "environment", ".attributed(", "/chat/completions"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert!(world.provider.requests().is_empty());
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn calls_that_cannot_be_billed_need_none() {
    let world = World::start().await;
    world.client().models().list().await.unwrap();
    assert_eq!(world.provider.requests().len(), 1);
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn the_call_site_wins_over_the_scope_and_neither_reaches_the_provider() {
    let world = World::start().await;
    let client = world.client();
    attribution("scope")
        .scope(async {
            client.chat().create(chat("one")).await.unwrap();
            client.chat().attributed(&attribution("site")).create(chat("two")).await.unwrap();
        })
        .await;
    let features: Vec<_> = world.events().await.into_iter().map(|event| event.feature.unwrap()).collect();
    assert_eq!(features, ["scope", "site"]);
    for request in world.provider.requests() {
        let names: Vec<_> = request.headers.keys().map(|name| name.as_str()).collect();
        assert!(!names.iter().any(|name| name.contains("spanledger") || *name == "baggage"), "{names:?}");
    }
}

#[tokio::test]
async fn a_header_of_the_users_own_is_kept_and_baggage_is_not() {
    use async_openai::traits::RequestOptionsBuilder as _;
    let world = World::start().await;
    let client = world.client();
    let group = client.chat().header("x-mine", "1").unwrap().header("baggage", "tenant=acme").unwrap();
    group.attributed(&attribution("search")).create(chat("one")).await.unwrap();
    let request = &world.provider.requests()[0];
    assert_eq!((request.header("x-mine"), request.header("baggage")), (Some("1"), None));
}

#[tokio::test]
async fn every_field_arrives() {
    let world = World::start().await;
    let attribution = spanledger::Attribution::builder()
        .feature("search \"ünïcode\"")
        .route("cron:nightly")
        .customer_id("acme")
        .environment("test")
        .request_id("order-7")
        .batch_job_id("batch-1")
        .dim("team", "growth")
        .build()
        .unwrap();
    world.client().chat().attributed(&attribution).create(chat("one")).await.unwrap();
    let event = world.event().await;
    assert_eq!(event.feature.as_deref(), Some("search \"ünïcode\""));
    assert_eq!(event.route.as_deref(), Some("cron:nightly"));
    assert_eq!(event.request_id.as_deref(), Some("order-7"));
    assert_eq!(event.batch_job_id.as_deref(), Some("batch-1"));
    assert_eq!(event.dims["team"], "growth");
    assert_eq!(event.service_name.as_deref(), Some("api"));
}
