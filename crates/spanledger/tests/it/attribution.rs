use async_openai::error::OpenAIError;
use spanledger::{Attributed, Scope};

use spanledger_testkit::world::{World, attribution, chat_request};

#[tokio::test]
async fn a_billable_call_without_attribution_is_refused_and_not_sent() {
    let world = World::start().await;
    let error = world.client().chat().create(chat_request("hello")).await.unwrap_err();
    let OpenAIError::InvalidArgument(text) = error else { panic!("{error:?}") };
    for word in ["feature", "route", "customer_id", "environment", ".attributed(", "/chat/completions"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert!(world.provider.requests().is_empty());
    assert!(world.events().await.is_empty());
}

/// A header that was changed on the way is a mistake of its own: to call it "no attribution" would send
/// the user to the wrong place. Even a scope does not stand in for it.
#[tokio::test]
async fn an_attribution_that_cannot_be_read_is_an_error_of_its_own() {
    use async_openai::traits::RequestOptionsBuilder as _;
    let world = World::start().await;
    let client = world.client();
    // The first is not base64, the second is not JSON, the third has a blank field.
    for value in ["?", "e30x", "eyJmZWF0dXJlIjoiIn0"] {
        let group = client
            .chat()
            .attributed(&attribution("search"))
            .header("x-spanledger-attribution", value)
            .unwrap();
        let error = attribution("scope").scope(group.create(chat_request("hello"))).await.unwrap_err();
        let OpenAIError::InvalidArgument(text) = error else { panic!("{error:?}") };
        for word in ["/chat/completions was not sent", "`x-spanledger-attribution` cannot be read"] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
    }
    assert!(world.provider.requests().is_empty());
}

#[tokio::test]
async fn a_call_that_cannot_be_billed_needs_no_attribution() {
    let world = World::start().await;
    world.client().models().list().await.unwrap();
    assert_eq!(world.provider.requests().len(), 1);
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn the_attribution_of_the_call_wins_over_the_scope_and_neither_is_sent_to_the_provider() {
    let world = World::start().await;
    let client = world.client();
    attribution("scope")
        .scope(async {
            client.chat().create(chat_request("one")).await.unwrap();
            client.chat().attributed(&attribution("site")).create(chat_request("two")).await.unwrap();
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
async fn the_users_own_headers_are_sent_and_baggage_is_not() {
    use async_openai::traits::RequestOptionsBuilder as _;
    let world = World::start().await;
    let client = world.client();
    let group = client.chat().header("x-mine", "1").unwrap().header("baggage", "tenant=acme").unwrap();
    group.attributed(&attribution("search")).create(chat_request("one")).await.unwrap();
    let request = &world.provider.requests()[0];
    assert_eq!((request.header("x-mine"), request.header("baggage")), (Some("1"), None));
    world.event().await;
}

#[tokio::test]
async fn every_field_of_the_attribution_is_on_the_event() {
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
    world.client().chat().attributed(&attribution).create(chat_request("one")).await.unwrap();
    let event = world.event().await;
    assert_eq!(event.feature.as_deref(), Some("search \"ünïcode\""));
    assert_eq!(event.route.as_deref(), Some("cron:nightly"));
    assert_eq!(event.request_id.as_deref(), Some("order-7"));
    assert_eq!(event.batch_job_id.as_deref(), Some("batch-1"));
    assert_eq!(event.dims["team"], "growth");
    assert_eq!(event.service_name.as_deref(), Some("api"));
}
