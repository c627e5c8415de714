//! How calls end: what a caller leaves, what a server does in an unusual way.

use std::time::Duration;

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    middleware::{HttpRequestFactory, ReqwestService},
};
use futures_util::StreamExt as _;
use spanledger::{Attributed, SpanledgerLayer};
use spanledger_testkit::{ApiError, Reply, Usage};
use tower::{Layer as _, ServiceBuilder};

use spanledger_testkit::world::{World, attribution, chat_request};

/// The usual loop of a chat: it ends at the finish reason, before the chunk with the usage.
#[tokio::test]
async fn a_caller_that_stops_at_the_finish_reason_loses_no_usage() {
    let world = World::start().await;
    let client = world.client();
    for call in 0..20 {
        // The usage comes some time after the finish reason.
        world
            .provider
            .push(Reply::new().usage(Usage::new(1_000, 300)).chunks(3).chunk_delay(Duration::from_millis(5)));
        let request = chat_request(&format!("hello {call}"));
        let mut stream =
            client.chat().attributed(&attribution("search")).create_stream(request).await.unwrap();
        while let Some(chunk) = stream.next().await {
            if chunk.unwrap().choices[0].finish_reason.is_some() {
                break;
            }
        }
    }
    let events = world.events().await;
    assert_eq!(events.len(), 20);
    for event in events {
        assert_eq!((event.cost_state.as_str(), event.error_code), ("priced", None));
        assert_eq!(event.cost_usd.unwrap().to_string(), "0.014");
    }
}

#[tokio::test]
async fn a_server_that_refuses_stream_options_gets_the_original_request_and_is_remembered() {
    let world = World::start().await;
    let refusal = || {
        Reply::error(
            ApiError::new(
                400,
                "invalid_request_error",
                "Unrecognized request argument supplied: stream_options",
            )
            .param("stream_options"),
        )
    };
    let client = world.client();
    let stream = |text: &str| {
        let group = client.chat().attributed(&attribution("search"));
        let request = chat_request(text);
        async move {
            let stream = group.create_stream(request).await.unwrap();
            stream.map(|chunk| chunk.unwrap()).count().await
        }
    };
    world.provider.push(refusal());
    assert!(stream("one").await > 0);
    assert!(stream("two").await > 0);
    let asked: Vec<bool> = world
        .provider
        .requests()
        .iter()
        .map(|request| request.json().unwrap().get("stream_options").is_some())
        .collect();
    assert_eq!(asked, [true, false, false]);
    let events = world.events().await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.error_code.is_none()), "{events:#?}");
    assert_eq!(events[0].attempts, 2);
}

/// Guarantees: an answer that only quotes the option does not switch it off for everybody.
#[tokio::test]
async fn a_server_that_refuses_the_original_too_is_not_remembered() {
    let world = World::start().await;
    let client = world.client();
    let quoting = || Reply::raw(422, "application/json".parse().unwrap(), r#"{"input":"{stream_options}"}"#);
    world.provider.push(quoting());
    world.provider.push(quoting());
    let group = client.chat().attributed(&attribution("a"));
    assert!(group.create_stream(chat_request("one")).await.is_err());
    let group = client.chat().attributed(&attribution("b"));
    let stream = group.create_stream(chat_request("two")).await.unwrap();
    assert!(stream.map(|chunk| chunk.unwrap()).count().await > 0);
    let asked = world.provider.requests().into_iter().map(|request| request.json().unwrap());
    let asked: Vec<bool> = asked.map(|body| body.get("stream_options").is_some()).collect();
    assert_eq!(asked, [true, false, true]);
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn another_bad_request_is_not_sent_again() {
    let world = World::start().await;
    world.provider.push(Reply::invalid_request("the model does not exist"));
    let client = world.client();
    let result = client.chat().attributed(&attribution("search")).create_stream(chat_request("one")).await;
    let Err(OpenAIError::ApiError(error)) = result else { panic!() };
    assert_eq!(error.api_error.message, "the model does not exist", "the answer is untouched");
    assert_eq!(world.provider.requests().len(), 1);
    assert_eq!(world.event().await.error_code.as_deref(), Some("invalid_request_error"));
}

/// Guarantees: calls that overlap in time are not retries of each other, even if a user gives them one id.
#[tokio::test]
async fn equal_calls_at_the_same_time_are_events_of_their_own() {
    let world = World::start().await;
    let client = world.client();
    let attribution = attribution("search").with_request_id("fan-out").unwrap();
    for _ in 0..5 {
        world
            .provider
            .push(Reply::new().usage(Usage::new(1_000, 100)).first_byte_delay(Duration::from_millis(300)));
    }
    let calls = (0..5).map(|_| {
        let group = client.chat().attributed(&attribution);
        async move { group.create(chat_request("hello")).await.unwrap() }
    });
    futures_util::future::join_all(calls).await;
    let events = world.events().await;
    assert_eq!(events.len(), 5, "{events:#?}");
    assert!(events.iter().all(|event| event.attempts == 1 && event.billed_usd == event.cost_usd));
    // A call after them is a retry of the first.
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    client.chat().attributed(&attribution).create(chat_request("hello")).await.unwrap();
    let events = world.events().await;
    assert_eq!((events.len(), events[0].attempts), (5, 2));
}

#[tokio::test]
async fn an_error_in_a_success_and_a_timeout_of_a_proxy_are_not_successes_and_not_free() {
    let world = World::start().await;
    let client = world.instrument().max_retries(0).build();
    let error = r#"{"error":{"message":"no capacity","code":"overloaded"},"id":"x"}"#;
    world.provider.push(Reply::raw(200, "application/json".parse().unwrap(), error));
    client.chat().attributed(&attribution("a")).create(chat_request("one")).await.unwrap_err();
    for status in [408, 502, 504, 524] {
        world.provider.push(Reply::raw(status, "text/html".parse().unwrap(), "<html>gateway</html>"));
        client.chat().attributed(&attribution("a")).create(chat_request("two")).await.unwrap_err();
    }
    let events = world.events().await;
    let codes: Vec<_> = events.iter().map(|event| event.error_code.clone().unwrap()).collect();
    assert_eq!(codes, ["overloaded", "408", "502", "504", "524"]);
    assert!(events.iter().all(|event| event.cost_usd.is_none() && event.cost_state == "unpriced"));
}

#[tokio::test]
async fn odd_fields_of_an_answer_do_not_cost_its_usage() {
    let world = World::start().await;
    let client = world.client();
    let usage = r#""usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}"#;
    for body in [
        format!(r#"{{"id":17,"model":"gpt-5.5","choices":[{{"finish_reason":{{"type":"stop"}}}}],{usage}}}"#),
        format!(r#"{{"model":"gpt-5.5","service_tier":null,"choices":"none",{usage}}}garbage"#),
        format!(r#"{{"model":"gpt-5.5","model":"gpt-5.5","error":null,"choices":[3,null],{usage}}}"#),
    ] {
        world.provider.push(Reply::raw(200, "application/json".parse().unwrap(), body.clone()));
        drop(client.chat().attributed(&attribution("a")).create(chat_request(&body)).await);
    }
    let events = world.events().await;
    assert_eq!(events.len(), 3);
    for event in events {
        assert_eq!(event.cost_usd.map(|usd| usd.to_string()).as_deref(), Some("0.008"), "{event:#?}");
    }
}

/// A chunk of a stream whose caller leaves because of the error in it.
#[tokio::test]
async fn a_caller_that_leaves_at_an_error_does_not_hide_it() {
    let world = World::start().await;
    world
        .provider
        .push(Reply::new().chunks(9).error_after(2, ApiError::for_status(500).code("server_error")));
    let client = world.client();
    let mut stream =
        client.chat().attributed(&attribution("a")).create_stream(chat_request("one")).await.unwrap();
    while let Some(Ok(_)) = stream.next().await {}
    drop(stream);
    assert_eq!(world.event().await.error_code.as_deref(), Some("server_error"));
}

#[tokio::test]
async fn a_call_that_a_layer_below_refuses_was_never_sent_and_is_free() {
    let world = World::start().await;
    let layer = SpanledgerLayer::new().with_recorder(world.recorder.clone()).with_provider("openai");
    let refusing = tower::service_fn(|_: HttpRequestFactory| async {
        Err::<reqwest::Response, _>(OpenAIError::Boxed("service overloaded".into()))
    });
    let client = Client::with_config(world.config()).with_http_service(layer.layer(refusing));
    client.chat().attributed(&attribution("a")).create(chat_request("one")).await.unwrap_err();
    let event = world.event().await;
    assert_eq!(event.error_code.as_deref(), Some("overloaded"));
    assert_eq!((event.cost_state.as_str(), event.cost_usd.unwrap().to_string().as_str()), ("priced", "0"));
}

#[tokio::test]
async fn two_layers_on_one_client_record_a_call_once() {
    let world = World::start().await;
    let layer = || SpanledgerLayer::new().with_recorder(world.recorder.clone()).with_provider("openai");
    let service = ServiceBuilder::new()
        .layer(layer())
        .layer(layer())
        .service(ReqwestService::new(reqwest::Client::new()));
    let client: Client<OpenAIConfig> = Client::with_config(world.config()).with_http_service(service);
    client.chat().attributed(&attribution("a")).create(chat_request("one")).await.unwrap();
    client.models().list().await.unwrap();
    let stream =
        client.chat().attributed(&attribution("b")).create_stream(chat_request("two")).await.unwrap();
    assert!(stream.map(|chunk| chunk.unwrap()).count().await > 0);
    let events = world.events().await;
    assert_eq!(events.iter().map(|event| event.attempts).collect::<Vec<_>>(), [1, 1]);
    for request in world.provider.requests() {
        assert_eq!(request.header("x-spanledger-attribution"), None);
    }
}

#[tokio::test]
async fn a_host_that_is_not_known_has_no_phantom_cost() {
    let world = World::start().await;
    let client = spanledger::instrument(world.config()).recorder(world.recorder.clone()).build();
    client.chat().attributed(&attribution("a")).create(chat_request("one")).await.unwrap();
    let event = world.event().await;
    assert_eq!((event.provider.as_str(), event.cost_state.as_str()), ("127.0.0.1", "unpriced"));
}

#[tokio::test]
async fn a_hook_sees_each_call_and_its_panic_changes_nothing() {
    let world = World::start().await;
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let client = world
        .instrument()
        .on_call_finished(move |call| {
            sender.send((call.model().map(str::to_owned), call.cost_usd().unwrap().to_string())).unwrap();
            panic!("the user's function");
        })
        .build();
    for text in ["one", "two"] {
        world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
        client.chat().attributed(&attribution("a")).create(chat_request(text)).await.unwrap();
    }
    assert_eq!(world.events().await.len(), 2);
    for _ in 0..2 {
        assert_eq!(seen.recv().await, Some((Some("gpt-5.5".to_owned()), "0.008".to_owned())));
    }
}
