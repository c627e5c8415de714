//! Responses, as the typed client reads them.

use async_openai::error::OpenAIError;
use async_openai::types::responses::{
    OutputItem, Response, ResponseStreamEvent as Event, ServiceTierResponses as Tier, Status,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use spanledger_testkit::{FinishReason, Provider, Reply, Usage};

use crate::support::{body, client, data, get, post, provider, response, typed};

const USAGE: Usage = Usage::new(2_000, 300).cached(1_024).cache_write(512).reasoning(128);

fn assert_usage(response: &Response) {
    let usage = response.usage.as_ref().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (2_000, 300));
    assert_eq!(usage.total_tokens, 2_300);
    assert_eq!(usage.input_tokens_details.cached_tokens, 1_024);
    assert_eq!(usage.input_tokens_details.cache_write_tokens, Some(512));
    assert_eq!(usage.output_tokens_details.reasoning_tokens, 128);
}

async fn stream(provider: &Provider, more: Value) -> Vec<Event> {
    let request = typed(response(more));
    let stream = client(provider).responses().create_stream(request).await.unwrap();
    stream.map(Result::unwrap).collect().await
}

/// The events as JSON, from the wire.
async fn raw_stream(provider: &Provider, more: Value) -> Vec<Value> {
    let mut request = response(more);
    request["stream"] = json!(true);
    let messages = data(post(provider, "/responses", &request).await).await;
    messages.iter().map(|message| serde_json::from_str(message).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_unary_answer_carries_what_the_reply_says() {
    let provider = provider([Reply::answer("Hello.").usage(USAGE).service_tier("priority")]).await;
    let answer = client(&provider).responses().create(typed(response(json!({})))).await.unwrap();
    assert_eq!(answer.object, "response");
    assert!(answer.id.starts_with("resp_"), "{}", answer.id);
    assert_eq!(answer.model, "gpt-5.5-2026-04-23");
    assert_eq!(answer.status, Status::Completed);
    assert_eq!(answer.service_tier, Some(Tier::Priority));
    assert_eq!(answer.output_text().as_deref(), Some("Hello."));
    assert!(matches!(answer.output[0], OutputItem::Reasoning(_)), "reasoning was spent");
    assert_usage(&answer);
}

#[tokio::test]
async fn every_event_of_a_stream_is_one_that_the_typed_client_knows() {
    let reply = Reply::answer("one two three").usage(USAGE).web_searches(2);
    let provider = provider([reply]).await;
    let events = stream(&provider, json!({})).await;
    let text: String = events
        .iter()
        .filter_map(|event| match event {
            Event::ResponseOutputTextDelta(event) => Some(event.delta.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(text, "one two three");
    let Some(Event::ResponseCompleted(last)) = events.last() else { panic!("{events:?}") };
    assert_eq!(last.response.status, Status::Completed);
    assert_eq!(last.response.output.len(), 4, "reasoning, two searches, the message");
    assert_eq!(last.response.tool_usage.as_ref().unwrap().web_search.num_requests, 2);
    assert_usage(&last.response);
}

#[tokio::test]
async fn events_come_in_the_order_of_the_reference_and_are_numbered() {
    let provider = provider([Reply::answer("one two").usage(Usage::new(9, 2))]).await;
    let events = raw_stream(&provider, json!({})).await;
    assert_eq!(
        types(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    assert_eq!(events[2]["item"]["content"], json!([]));
    assert_eq!(events[2]["item"]["id"], events[4]["item_id"]);
    assert_eq!(events[8]["item"], events[9]["response"]["output"][0]);
}

#[tokio::test]
async fn each_message_names_its_event_and_none_is_done() {
    let provider = provider([]).await;
    let request = response(json!({"stream": true}));
    let stream = post(&provider, "/responses", &request).await.bytes().await.unwrap();
    let text = String::from_utf8(stream.to_vec()).unwrap();
    for message in text.trim_end().split("\n\n") {
        let (event, data) = message.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event, format!("event: {}", data["type"].as_str().unwrap()));
    }
    assert!(!text.contains("[DONE]"));
}

#[tokio::test]
async fn usage_and_the_served_tier_are_known_only_at_the_end() {
    let provider = provider([Reply::new().usage(USAGE)]).await;
    let events = raw_stream(&provider, json!({})).await;
    let (first, last) = (&events[0]["response"], &events.last().unwrap()["response"]);
    assert_eq!((&first["status"], &first["usage"]), (&json!("in_progress"), &Value::Null));
    assert_eq!((&first["service_tier"], &last["service_tier"]), (&json!("auto"), &json!("default")));
    assert_eq!(last["usage"]["total_tokens"], 2_300);
    assert_eq!(first["id"], last["id"]);
}

#[tokio::test]
async fn reaching_the_limit_makes_the_response_incomplete_and_is_billed() {
    let reply = Reply::new().usage(USAGE).finish(FinishReason::Length);
    let provider = provider([reply]).await;
    let events = stream(&provider, json!({})).await;
    let Some(Event::ResponseIncomplete(last)) = events.last() else { panic!("{events:?}") };
    assert_eq!(last.response.status, Status::Incomplete);
    let details = last.response.incomplete_details.as_ref().unwrap();
    assert_eq!(details.reason, "max_output_tokens");
    assert_usage(&last.response);
}

#[tokio::test]
async fn a_failed_response_ends_in_response_failed_without_usage_unless_set() {
    let failed = Reply::failed("server_error", "It broke.");
    let provider = provider([failed.clone(), failed.usage(USAGE)]).await;
    let events = stream(&provider, json!({})).await;
    let Some(Event::ResponseFailed(last)) = events.last() else { panic!("{events:?}") };
    assert_eq!(last.response.status, Status::Failed);
    assert_eq!(last.response.error.as_ref().unwrap().message, "It broke.");
    assert!(last.response.usage.is_none());

    let answer = client(&provider).responses().create(typed(response(json!({})))).await.unwrap();
    assert_eq!(answer.status, Status::Failed);
    assert_usage(&answer);
}

#[tokio::test]
async fn the_request_is_echoed_as_it_was_written() {
    let provider = provider([]).await;
    let more = json!({
        "instructions": "Be brief.",
        "max_output_tokens": 77,
        "metadata": {"team": "growth"},
        "reasoning": {"effort": "low"},
        "temperature": 0.25,
        "prompt_cache_key": "k",
    });
    let answer = body(post(&provider, "/responses", &response(more.clone())).await).await;
    for (name, value) in more.as_object().unwrap() {
        assert_eq!(&answer[name], value, "{name}");
    }
    assert_eq!(answer["truncation"], "disabled", "a default");
    assert!(answer["usage"]["output_tokens"].as_u64().unwrap() <= 77);
}

#[tokio::test]
async fn a_call_can_be_fetched_again_unless_it_was_not_stored() {
    let provider = provider([]).await;
    let client = client(&provider);
    let kept = client.responses().create(typed(response(json!({})))).await.unwrap();
    assert_eq!(client.responses().retrieve(&kept.id).await.unwrap(), kept);

    let gone = typed(response(json!({"store": false})));
    let gone = client.responses().create(gone).await.unwrap();
    let (status, _) = get(&provider, &format!("/responses/{}", gone.id)).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn unknown_values_are_deserialization_errors_in_the_typed_client() {
    let status = FinishReason::Other("dreaming".to_owned());
    let tier = Reply::new().service_tier("hyperdrive");
    let provider = provider([tier, Reply::new().finish(status)]).await;
    for value in ["hyperdrive", "dreaming"] {
        let request = typed(response(json!({})));
        let error = client(&provider).responses().create(request).await.unwrap_err();
        let OpenAIError::JSONDeserialize(_, content) = error else { panic!("{error}") };
        assert!(content.contains(value), "{content}");
    }
}

#[tokio::test]
async fn a_background_response_is_queued_without_usage_and_read_later_with_it() {
    let provider = provider([Reply::answer("Hello.").usage(USAGE)]).await;
    let client = client(&provider);
    let queued = client.responses().create(typed(response(json!({"background": true})))).await.unwrap();
    assert_eq!((&queued.status, &queued.usage), (&Status::Queued, &None));
    let working = client.responses().retrieve(&queued.id).await.unwrap();
    assert_eq!((&working.status, &working.usage), (&Status::InProgress, &None));
    let done = client.responses().retrieve(&queued.id).await.unwrap();
    assert_eq!((&done.id, &done.status), (&queued.id, &Status::Completed));
    assert_usage(&done);
    assert_eq!(client.responses().retrieve(&queued.id).await.unwrap(), done, "it stays");
    let events = client.responses().retrieve_stream(&queued.id).await.unwrap();
    let events: Vec<Event> = events.map(Result::unwrap).collect().await;
    let Some(Event::ResponseCompleted(completed)) = events.last() else { panic!("{events:?}") };
    assert_usage(&completed.response);
}

#[tokio::test]
async fn a_background_response_can_be_cancelled() {
    let provider = provider([Reply::new().polls(9)]).await;
    let client = client(&provider);
    let queued = client.responses().create(typed(response(json!({"background": true})))).await.unwrap();
    let cancelled = client.responses().cancel(&queued.id).await.unwrap();
    assert_eq!((&cancelled.status, &cancelled.usage), (&Status::Cancelled, &None));
    assert_eq!(client.responses().retrieve(&queued.id).await.unwrap(), cancelled);
    assert!(client.responses().delete(&queued.id).await.unwrap().deleted);
}

#[tokio::test]
async fn a_compaction_has_a_usage_and_no_model_and_a_count_of_tokens_has_neither() {
    let provider = provider([Reply::new().usage(USAGE), Reply::new().usage(USAGE)]).await;
    let client = client(&provider);
    let request = json!({"model": "gpt-5.5", "input": "a long conversation"});
    let compacted = client.responses().compact(typed(request.clone())).await.unwrap();
    assert_eq!((compacted.object.as_str(), compacted.usage.total_tokens), ("response.compaction", 2_300));
    let raw = body(post(&provider, "/responses/compact", &request).await).await;
    assert_eq!(raw.get("model"), None);
    let count = client.responses().get_input_token_counts(typed(request)).await.unwrap();
    assert_eq!((count.object.as_str(), count.input_tokens), ("response.input_tokens", 5));
}
