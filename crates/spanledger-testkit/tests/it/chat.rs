//! Chat completions, as the typed client reads them.

use async_openai::error::OpenAIError;
use async_openai::types::chat::{
    CompletionUsage, CreateChatCompletionStreamResponse, FinishReason as Finish, ServiceTier,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use spanledger_testkit::{FinishReason, Provider, Reply, Usage};

use crate::support::{body, chat, client, data, get, post, provider, typed};

const USAGE: Usage = Usage::new(2_000, 300)
    .cached(1_024)
    .cache_write(512)
    .audio_in(64)
    .reasoning(128)
    .audio_out(32)
    .prediction(11, 13);

fn assert_usage(usage: &CompletionUsage) {
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (2_000, 300));
    assert_eq!(usage.total_tokens, 2_300);
    let prompt = usage.prompt_tokens_details.as_ref().unwrap();
    assert_eq!(prompt.cached_tokens, Some(1_024));
    assert_eq!(prompt.cache_write_tokens, Some(512));
    assert_eq!(prompt.audio_tokens, Some(64));
    let completion = usage.completion_tokens_details.as_ref().unwrap();
    assert_eq!(completion.reasoning_tokens, Some(128));
    assert_eq!(completion.audio_tokens, Some(32));
    assert_eq!(completion.accepted_prediction_tokens, Some(11));
    assert_eq!(completion.rejected_prediction_tokens, Some(13));
}

async fn stream(provider: &Provider, more: Value) -> Vec<CreateChatCompletionStreamResponse> {
    let request = typed(chat(more));
    let stream = client(provider).chat().create_stream(request).await.unwrap();
    stream.map(Result::unwrap).collect().await
}

#[tokio::test]
async fn a_unary_answer_carries_what_the_reply_says() {
    let reply = Reply::answer("Hello there.").usage(USAGE).service_tier("flex");
    let provider = provider([reply.finish(FinishReason::Length)]).await;
    let answer = client(&provider).chat().create(typed(chat(json!({})))).await.unwrap();
    assert_eq!(answer.object, "chat.completion");
    assert!(answer.id.starts_with("chatcmpl-"), "{}", answer.id);
    assert_eq!(answer.model, "gpt-5.5-2026-04-23");
    assert_eq!(answer.service_tier, Some(ServiceTier::Flex));
    assert_eq!(answer.choices[0].message.content.as_deref(), Some("Hello there."));
    assert_eq!(answer.choices[0].finish_reason, Some(Finish::Length));
    assert_usage(&answer.usage.unwrap());
}

#[tokio::test]
async fn a_stream_joins_to_the_text_and_has_no_usage_unless_asked() {
    let provider = provider([Reply::answer("one two three").usage(USAGE)]).await;
    let chunks = stream(&provider, json!({})).await;
    let text: String = chunks.iter().filter_map(|chunk| chunk.choices[0].delta.content.as_deref()).collect();
    assert_eq!(text, "one two three");
    assert_eq!(chunks.len(), 5, "the role, three words, the reason");
    assert_eq!(chunks.last().unwrap().choices[0].finish_reason, Some(Finish::Stop));
    assert!(chunks.iter().all(|chunk| chunk.id == chunks[0].id && chunk.usage.is_none()));
    assert!(chunks.iter().all(|chunk| chunk.object == "chat.completion.chunk"));
}

#[tokio::test]
async fn include_usage_adds_a_last_chunk_without_choices() {
    let provider = provider([Reply::answer("one two").usage(USAGE)]).await;
    let chunks = stream(&provider, json!({"stream_options": {"include_usage": true}})).await;
    let (last, others) = chunks.split_last().unwrap();
    assert!(last.choices.is_empty());
    assert_usage(last.usage.as_ref().unwrap());
    assert_eq!(others.len(), 4);
    assert!(others.iter().all(|chunk| chunk.choices.len() == 1 && chunk.usage.is_none()));
}

#[tokio::test]
async fn usage_is_null_in_other_chunks_if_asked_and_absent_if_not() {
    let provider = provider([]).await;
    let with = chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let messages = data(post(&provider, "/chat/completions", &with).await).await;
    assert_eq!(messages.last().unwrap(), "[DONE]");
    assert!(messages[0].contains(r#""usage":null"#), "{}", messages[0]);

    let without = chat(json!({"stream": true}));
    let messages = data(post(&provider, "/chat/completions", &without).await).await;
    assert_eq!(messages.last().unwrap(), "[DONE]");
    assert!(!messages.concat().contains("usage"), "{messages:?}");
}

#[tokio::test]
async fn the_first_delta_has_the_role_and_the_last_is_empty() {
    let provider = provider([Reply::answer("word")]).await;
    let request = chat(json!({"stream": true, "stream_options": {"include_obfuscation": false}}));
    let messages = data(post(&provider, "/chat/completions", &request).await).await;
    let choices: Vec<Value> = messages[..messages.len() - 1]
        .iter()
        .map(|message| serde_json::from_str::<Value>(message).unwrap()["choices"][0].clone())
        .collect();
    let choice = |delta: Value, reason: Value| json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason});
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    assert_eq!(
        choices,
        [
            choice(role, Value::Null),
            choice(json!({"content": "word"}), Value::Null),
            choice(json!({}), json!("stop")),
        ]
    );
    assert!(!messages.concat().contains("obfuscation"));
}

#[tokio::test]
async fn an_unknown_tier_is_a_deserialization_error_in_the_typed_client() {
    let provider = provider([Reply::new().service_tier("hyperdrive")]).await;
    let error = client(&provider).chat().create(typed(chat(json!({})))).await.unwrap_err();
    let OpenAIError::JSONDeserialize(_, content) = error else { panic!("{error}") };
    assert!(content.contains(r#""service_tier":"hyperdrive""#), "{content}");
}

#[tokio::test]
async fn an_unknown_finish_reason_is_a_deserialization_error_in_the_typed_client() {
    let reason = FinishReason::Other("bored".to_owned());
    let provider = provider([Reply::new().finish(reason)]).await;
    let error = client(&provider).chat().create(typed(chat(json!({})))).await.unwrap_err();
    assert!(matches!(error, OpenAIError::JSONDeserialize(..)), "{error}");
}

#[tokio::test]
async fn a_usage_that_contradicts_itself_is_sent_unchanged() {
    let usage = Usage::new(100, 10).cached(200).reasoning(20).total_override(5);
    let provider = provider([Reply::new().usage(usage)]).await;
    let answer = body(post(&provider, "/chat/completions", &chat(json!({}))).await).await;
    assert_eq!(answer["usage"]["prompt_tokens"], 100);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 200);
    assert_eq!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 20);
    assert_eq!(answer["usage"]["total_tokens"], 5);
}

#[tokio::test]
async fn usage_and_tier_can_be_left_out() {
    let reply = Reply::new().without_usage().without_service_tier();
    let provider = provider([reply.clone(), reply]).await;
    let answer = body(post(&provider, "/chat/completions", &chat(json!({}))).await).await;
    assert_eq!(answer["object"], "chat.completion");
    assert!(answer.get("usage").is_none() && answer.get("service_tier").is_none(), "{answer}");

    let request = chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let messages = data(post(&provider, "/chat/completions", &request).await).await;
    assert!(!messages.concat().contains("usage"), "{messages:?}");
}

#[tokio::test]
async fn a_request_has_the_same_usage_streamed_or_not() {
    let provider = provider([]).await;
    let answer = client(&provider).chat().create(typed(chat(json!({})))).await.unwrap();
    let options = json!({"stream_options": {"include_usage": true}});
    let chunks = stream(&provider, options).await;
    assert_eq!(answer.usage, chunks.last().unwrap().usage);
    assert_ne!(answer.id, chunks[0].id, "each request has an id of its own");
}

#[tokio::test]
async fn a_call_can_be_fetched_again_only_if_it_was_stored() {
    let provider = provider([Reply::new().id("chatcmpl-kept"), Reply::new().id("chatcmpl-gone")]).await;
    let client = client(&provider);
    let kept = client.chat().create(typed(chat(json!({"store": true})))).await.unwrap();
    client.chat().create(typed(chat(json!({})))).await.unwrap();
    let fetched = client.chat().retrieve("chatcmpl-kept").await.unwrap();
    assert_eq!(fetched, kept);
    assert!(fetched.usage.is_some());
    let (status, error) = get(&provider, "/chat/completions/chatcmpl-gone").await;
    assert_eq!((status, &error["error"]["type"]), (404, &json!("invalid_request_error")));
}
