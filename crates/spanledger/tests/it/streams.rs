use std::time::Duration;

use async_openai::types::{chat::ChatCompletionStreamOptions, responses::CreateResponseArgs};
use futures_util::StreamExt as _;
use spanledger::Attributed;
use spanledger_testkit::{Reply, Usage};

use spanledger_testkit::world::{World, attribution, chat_request};

#[tokio::test]
async fn a_stream_is_asked_for_its_usage_and_the_chunk_that_carries_it_is_hidden() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 300).cached(400).reasoning(200)).chunks(5));
    let client = world.client();
    let mut stream =
        client.chat().attributed(&attribution("search")).create_stream(chat_request("hello")).await.unwrap();
    let mut chunks = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        assert!(!chunk.choices.is_empty(), "an empty chunk would panic code that takes the first choice");
        chunks += 1;
    }
    assert!(chunks >= 5);
    let body = world.provider.requests()[0].json().unwrap();
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert_eq!(body["stream"], true);

    let event = world.event().await;
    // 600 × 5 + 400 × 0.50 + 300 × 30, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.0122");
    assert!(event.stream && event.time_to_first_token_ms.is_some());
    assert_eq!((event.completion_tokens, event.reasoning_tokens), (Some(100), Some(200)));
}

#[tokio::test]
async fn a_caller_that_asked_for_the_usage_gets_its_chunk() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 300)));
    let mut request = chat_request("hello");
    request.stream_options =
        Some(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None });
    let client = world.client();
    let stream = client.chat().attributed(&attribution("search")).create_stream(request).await.unwrap();
    let usages: Vec<_> = stream.filter_map(|chunk| async { chunk.unwrap().usage }).collect().await;
    assert_eq!(usages.len(), 1);
    assert_eq!(world.event().await.cost_usd.unwrap().to_string(), "0.014");
}

#[tokio::test]
async fn a_stream_of_the_responses_api_is_priced_by_its_last_event() {
    let world = World::start().await;
    world
        .provider
        .push(Reply::new().usage(Usage::new(4_020, 900).cached(1_000).reasoning(640)).service_tier("flex"));
    let request = CreateResponseArgs::default().model("gpt-5.5").input("hello").build().unwrap();
    let client = world.client();
    let mut stream =
        client.responses().attributed(&attribution("agent")).create_stream(request).await.unwrap();
    while let Some(event) = stream.next().await {
        event.unwrap();
    }
    let event = world.event().await;
    assert_eq!((event.service_tier.as_deref(), event.cost_state.as_str()), (Some("flex"), "priced"));
    // 3,020 × 2.5 + 1,000 × 0.25 + 900 × 15, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.0213");
    assert!(event.response_id.unwrap().starts_with("resp_"));
}

#[tokio::test]
async fn a_stream_that_is_dropped_half_way_is_recorded() {
    let world = World::start().await;
    world.provider.push(Reply::new().chunks(50).chunk_delay(Duration::from_millis(20)));
    let client = world.client();
    let mut stream =
        client.chat().attributed(&attribution("search")).create_stream(chat_request("hello")).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    // The client reads the stream in a task of its own, which notices that the stream was dropped. The
    // flush waits for that.
    let event = world.event().await;
    assert_eq!(event.error_code.as_deref(), Some("cancelled"));
    assert_eq!((event.cost_usd, event.cost_state.as_str()), (None, "unpriced"), "it may be billed");
    assert!(event.response_id.is_some());
}

#[tokio::test]
async fn a_stream_that_is_cut_is_an_error_to_the_caller_and_recorded() {
    let world = World::start().await;
    world.provider.push(Reply::new().chunks(6).cut_after(2));
    world.provider.push(Reply::new().chunks(6).end_after(2));
    let client = world.client();
    for text in ["one", "two"] {
        let stream =
            client.chat().attributed(&attribution("search")).create_stream(chat_request(text)).await.unwrap();
        let _items: Vec<_> = stream.collect().await;
    }
    let events = world.events().await;
    let codes: Vec<_> = events.iter().map(|event| event.error_code.as_deref().unwrap()).collect();
    assert_eq!(codes, ["body_error", "stream_cut"]);
    assert!(events.iter().all(|event| event.cost_usd.is_none()));
}

#[tokio::test]
async fn an_error_that_a_stream_reports_is_the_error_of_the_event() {
    let world = World::start().await;
    world.provider.push(
        Reply::new()
            .chunks(6)
            .error_after(2, spanledger_testkit::ApiError::for_status(500).code("server_error")),
    );
    let client = world.client();
    let stream =
        client.chat().attributed(&attribution("search")).create_stream(chat_request("one")).await.unwrap();
    let _items: Vec<_> = stream.collect().await;
    assert_eq!(world.event().await.error_code.as_deref(), Some("server_error"));
}
