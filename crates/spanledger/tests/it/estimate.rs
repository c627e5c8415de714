use std::time::Duration;

use futures_util::StreamExt as _;
use spanledger::Attributed;
use spanledger_testkit::{
    Reply,
    world::{World, attribution, chat_request},
};

/// A stream whose provider never reports the usage, and one that its caller leaves, are priced by an estimate.
#[tokio::test]
async fn a_stream_without_usage_is_priced_by_the_tokens_of_its_texts() {
    let world = World::start().await;
    world.provider.push(Reply::new().text("hello world").chunks(2).without_usage());
    let client = world.instrument().usage_estimate(true).build();
    let group = client.chat().attributed(&attribution("a"));
    let stream = group.create_stream(chat_request("hello world")).await.unwrap();
    stream.map(|chunk| chunk.unwrap()).collect::<Vec<_>>().await;
    let event = world.event().await;
    assert_eq!((event.usage_source.as_str(), event.cost_state.as_str()), ("estimated", "priced"));
    // Two tokens of text, three for the message and three for the answer's beginning.
    assert_eq!((event.prompt_tokens, event.completion_tokens), (Some(8), Some(2)));
    assert_eq!(event.cached_tokens, None, "nobody knows");

    world.provider.push(Reply::new().text("one two three").chunks(50).chunk_delay(Duration::from_millis(20)));
    let group = client.chat().attributed(&attribution("b"));
    let mut stream = group.create_stream(chat_request("hello world")).await.unwrap();
    while stream.next().await.unwrap().unwrap().choices[0].delta.content.is_none() {}
    drop(stream);
    let events = world.events().await;
    assert_eq!(events[1].error_code.as_deref(), Some("cancelled"));
    assert_eq!((events[1].usage_source.as_str(), events[1].prompt_tokens), ("estimated", Some(8)));
}
