//! Failures between a provider and a client.

use std::time::{Duration, Instant};

use async_openai::error::OpenAIError;
use async_openai::types::responses::ResponseStreamEvent as Event;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use spanledger_testkit::{ApiError, Reply, Usage};
use tokio::time::timeout;

use crate::support::{chat, client, data, get, post, provider, response, try_post, typed};

/// The time after which a test concludes that nothing will arrive. Any answer takes less.
const SILENCE: Duration = Duration::from_millis(300);

/// The time after which a test gives up waiting. Only a hang takes that long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A delay that is longer than any test.
const ENDLESS: Duration = Duration::from_hours(1);

#[tokio::test]
async fn the_client_retries_a_rate_limit_and_then_succeeds() {
    let provider = provider([Reply::rate_limited().retry_after(0), Reply::answer("ok")]).await;
    let answer = client(&provider).chat().create(typed(chat(json!({})))).await.unwrap();
    assert_eq!(answer.choices[0].message.content.as_deref(), Some("ok"));
    let requests = provider.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn the_client_retries_a_server_error_and_then_succeeds() {
    let provider = provider([500, 503].map(|status| Reply::status(status).retry_after(0))).await;
    client(&provider).chat().create(typed(chat(json!({})))).await.unwrap();
    assert_eq!(provider.requests().len(), 3);
}

#[tokio::test]
async fn the_client_does_not_retry_an_empty_account() {
    let provider = provider([Reply::insufficient_quota()]).await;
    let error = client(&provider).chat().create(typed(chat(json!({})))).await.unwrap_err();
    let OpenAIError::ApiError(error) = error else { panic!("{error}") };
    assert_eq!(error.status_code, 429);
    assert_eq!(error.api_error.code.as_deref(), Some("insufficient_quota"));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_cut_stream_gives_its_deltas_and_then_an_error() {
    let provider = provider([Reply::answer("one two three four").cut_after(2)]).await;
    let request = typed(chat(json!({"stream_options": {"include_usage": true}})));
    let stream = client(&provider).chat().create_stream(request).await.unwrap();
    let items: Vec<_> = stream.collect().await;
    assert_eq!(items.len(), 4, "the role, two words, the error: {items:?}");
    let text = |index: usize| items[index].as_ref().unwrap().choices[0].delta.content.clone();
    assert_eq!((text(1).as_deref(), text(2).as_deref()), (Some("one "), Some("two ")));
    assert!(matches!(items[3], Err(OpenAIError::StreamError(_))), "{:?}", items[3]);
}

#[tokio::test]
async fn a_stream_cut_before_its_last_message_has_sent_the_usage() {
    let reply = Reply::new().usage(Usage::new(5, 6)).cut_before_last_message();
    let provider = provider([reply]).await;
    let request = typed(chat(json!({"stream_options": {"include_usage": true}})));
    let stream = client(&provider).chat().create_stream(request).await.unwrap();
    let mut items: Vec<_> = stream.collect().await;
    assert!(matches!(items.pop(), Some(Err(OpenAIError::StreamError(_)))));
    let usage = items.pop().unwrap().unwrap().usage.unwrap();
    assert_eq!(usage.total_tokens, 11);
}

#[tokio::test]
async fn a_cut_responses_stream_has_no_closing_event_but_the_call_was_made() {
    let provider = provider([Reply::answer("a b c").id("resp_cut").cut_after(1)]).await;
    let request = typed(response(json!({})));
    let stream = client(&provider).responses().create_stream(request).await.unwrap();
    let items: Vec<_> = stream.collect().await;
    let (last, events) = items.split_last().unwrap();
    assert!(matches!(last, Err(OpenAIError::StreamError(_))), "{last:?}");
    assert!(matches!(events.last(), Some(Ok(Event::ResponseOutputTextDelta(_)))));
    let (status, stored) = get(&provider, "/responses/resp_cut").await;
    assert_eq!(status, 200);
    assert!(stored["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_cut_answer_in_one_piece_is_a_broken_body() {
    let provider = provider([Reply::new().cut_after(0)]).await;
    let response = post(&provider, "/chat/completions", &chat(json!({}))).await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_stream_that_ends_early_is_whole_but_not_done() {
    let provider = provider([Reply::answer("a b c").end_after(2)]).await;
    let response = post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await;
    let messages = data(response).await;
    assert_eq!(messages.len(), 3);
    assert!(!messages.concat().contains("[DONE]"));
}

#[tokio::test]
async fn a_chat_stream_can_carry_an_error_in_the_middle() {
    let error = ApiError::for_status(500);
    let provider = provider([Reply::answer("a b c").error_after(1, error)]).await;
    let response = post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await;
    assert_eq!(response.status(), 200);
    let messages = data(response).await;
    assert_eq!(messages.len(), 3);
    let last: Value = serde_json::from_str(&messages[2]).unwrap();
    assert_eq!(last["error"]["type"], "server_error");
}

#[tokio::test]
async fn a_responses_stream_can_carry_an_error_event_in_the_middle() {
    let error = ApiError::rate_limited();
    let provider = provider([Reply::answer("a b c").error_after(1, error)]).await;
    let request = typed(response(json!({})));
    let stream = client(&provider).responses().create_stream(request).await.unwrap();
    let events: Vec<Event> = stream.map(Result::unwrap).collect().await;
    let Some(Event::ResponseError(error)) = events.last() else { panic!("{events:?}") };
    assert_eq!(error.code.as_deref(), Some("rate_limit_exceeded"));
    assert_eq!(error.sequence_number, events.len() as u64 - 1);
}

#[tokio::test]
async fn a_stalled_stream_sends_its_deltas_and_then_nothing() {
    let provider = provider([Reply::answer("a b c").stall_after(1)]).await;
    let request = typed(chat(json!({})));
    let mut stream = client(&provider).chat().create_stream(request).await.unwrap();
    for _ in ["the role", "one word"] {
        let item = timeout(TIMEOUT, stream.next()).await.expect("comes before the silence");
        assert!(matches!(item, Some(Ok(_))), "{item:?}");
    }
    assert!(timeout(SILENCE, stream.next()).await.is_err(), "silence");
    drop(provider);
    let end = timeout(TIMEOUT, stream.next()).await.expect("dropping the provider hangs up");
    assert!(matches!(end, Some(Err(OpenAIError::StreamError(_)))), "{end:?}");
}

#[tokio::test]
async fn a_provider_that_hangs_never_answers_and_can_be_stopped() {
    let provider = provider([Reply::hang()]).await;
    let request = chat(json!({}));
    let mut call = Box::pin(try_post(&provider, "/chat/completions", &request));
    assert!(timeout(SILENCE, &mut call).await.is_err());
    assert_eq!(provider.requests().len(), 1, "it arrived");
    drop(call);
    timeout(TIMEOUT, provider.stop()).await.expect("stops");
}

#[tokio::test]
async fn a_closed_connection_is_an_error_without_an_answer() {
    let provider = provider([Reply::close()]).await;
    let error = try_post(&provider, "/chat/completions", &chat(json!({}))).await.unwrap_err();
    assert!(error.is_request() && !error.is_connect(), "{error:?}");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_deserialization_error() {
    let provider = provider([Reply::not_json()]).await;
    let error = client(&provider).chat().create(typed(chat(json!({})))).await.unwrap_err();
    let OpenAIError::JSONDeserialize(_, content) = error else { panic!("{error}") };
    assert!(content.starts_with("<!doctype html>"), "{content}");
}

#[tokio::test]
async fn chat_has_no_failed_response_and_answers_500() {
    let provider = provider([Reply::failed("server_error", "It broke.")]).await;
    let response = post(&provider, "/chat/completions", &chat(json!({}))).await;
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn the_first_byte_and_each_chunk_can_be_slow() {
    let (first, pause) = (Duration::from_millis(120), Duration::from_millis(40));
    let reply = Reply::new().chunks(4).first_byte_delay(first).chunk_delay(pause);
    let provider = provider([reply]).await;
    let start = Instant::now();
    let response = post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await;
    assert!(start.elapsed() >= first, "headers wait too");
    let messages = data(response).await;
    assert!(start.elapsed() >= first + 3 * pause);
    assert_eq!(messages.len(), 7, "the role, four deltas, the reason, the end");
}

#[tokio::test]
async fn stopping_lets_an_answer_under_way_finish_and_then_accepts_nothing() {
    let reply = Reply::new().chunks(5).chunk_delay(Duration::from_millis(40));
    let provider = provider([reply]).await;
    let url = format!("{}/models", provider.base_url());
    let response = post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await;
    let (messages, ()) = tokio::join!(data(response), provider.stop());
    assert_eq!(messages.last().unwrap(), "[DONE]");
    let error = reqwest::Client::new().get(url).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}

#[tokio::test]
async fn dropping_the_provider_hangs_up_in_the_middle_of_a_slow_answer() {
    let provider = provider([Reply::answer("a b").chunk_delay(ENDLESS)]).await;
    let request = typed(chat(json!({})));
    let mut stream = client(&provider).chat().create_stream(request).await.unwrap();
    assert!(timeout(TIMEOUT, stream.next()).await.unwrap().unwrap().is_ok());
    drop(provider);
    let rest = timeout(TIMEOUT, stream.collect::<Vec<_>>()).await.expect("hangs up");
    assert!(matches!(rest.last(), Some(Err(OpenAIError::StreamError(_)))), "{rest:?}");
}

#[tokio::test]
async fn stopping_hangs_up_on_an_answer_that_does_not_finish() {
    let provider = provider([Reply::new().first_byte_delay(ENDLESS)]).await;
    let request = chat(json!({}));
    let mut call = Box::pin(try_post(&provider, "/chat/completions", &request));
    assert!(timeout(SILENCE, &mut call).await.is_err(), "under way");
    timeout(TIMEOUT, provider.stop()).await.expect("stops");
    let error = timeout(TIMEOUT, call).await.expect("ends").unwrap_err();
    assert!(error.is_request(), "{error:?}");
}
