//! Answers that other servers than the real provider send.

use serde_json::json;
use spanledger_testkit::{ApiError, Provider, Reply};

use crate::support::{body, chat, data, get, post, provider, response};

#[tokio::test]
async fn stream_options_can_be_refused_by_name_and_take_no_reply() {
    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    for (refusal, param) in [
        (ApiError::unknown_parameter("stream_options"), json!("stream_options")),
        (ApiError::extra_input("stream_options"), json!(null)),
    ] {
        let server =
            Provider::builder().refuse_stream_options(refusal).script([Reply::new()]).start().await.unwrap();
        let refused = post(&server, "/chat/completions", &chat(options.clone())).await;
        assert_eq!(refused.status(), 400);
        let error = body(refused).await;
        assert_eq!(error["error"]["param"], param);
        assert!(error["error"]["message"].as_str().unwrap().contains("stream_options"));
        assert_eq!(server.scripted(), 1);
        let plain = post(&server, "/chat/completions", &chat(json!({"stream": true}))).await;
        assert_eq!(plain.status(), 200);
    }
    let azure = provider([]).await;
    let mut with_data = chat(options);
    with_data["data_sources"] = json!([{"type": "azure_search"}]);
    assert_eq!(post(&azure, "/chat/completions", &with_data).await.status(), 400);
}

#[tokio::test]
async fn an_error_can_come_with_status_200() {
    let error = || Reply::ok_with_error(ApiError::new(200, "overloaded", "Later.").code("busy"));
    let provider = provider([error(), error()]).await;
    let unary = post(&provider, "/chat/completions", &chat(json!({}))).await;
    assert_eq!(unary.status(), 200);
    assert_eq!(body(unary).await["error"]["code"], "busy");
    let streamed = data(post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await).await;
    assert_eq!(streamed.len(), 1);
    assert!(streamed[0].contains("busy"));
}

#[tokio::test]
async fn fields_can_have_odd_values() {
    let odd =
        Reply::answer("a b").replace("/id", 42).replace("/choices/0/finish_reason", json!({"type": "stop"}));
    let provider = provider([odd.clone(), odd]).await;
    let unary = body(post(&provider, "/chat/completions", &chat(json!({}))).await).await;
    assert_eq!((&unary["id"], &unary["choices"][0]["finish_reason"]["type"]), (&json!(42), &json!("stop")));
    let streamed = data(post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await).await;
    let finishes =
        streamed.iter().filter(|message| message.contains(r#""finish_reason":{"type":"stop"}"#)).count();
    assert_eq!(finishes, 1, "only where the reason was not null");
    assert!(streamed[..streamed.len() - 1].iter().all(|message| message.contains(r#""id":42"#)));
}

#[tokio::test]
async fn bytes_can_follow_the_answer_and_a_stream_can_lack_its_end() {
    let provider = provider([Reply::new().trailing("\0"), Reply::new().without_done()]).await;
    let unary = post(&provider, "/chat/completions", &chat(json!({}))).await.bytes().await.unwrap();
    assert!(unary.ends_with(b"}\0"));
    let streamed = data(post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await).await;
    assert!(streamed.last().unwrap().contains("finish_reason"));
}

#[tokio::test]
async fn one_event_can_be_huge() {
    let text = "x".repeat(3_000_000);
    let provider = provider([Reply::answer(text).chunks(1)]).await;
    let streamed = data(post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await).await;
    assert!(streamed.iter().any(|message| message.len() > 3_000_000));
}

#[tokio::test]
async fn an_unknown_path_answers_only_if_a_reply_was_scripted_for_it() {
    let provider = provider([Reply::new()]).await;
    let request = json!({"model": "gpt-9", "anything": []});
    assert_eq!(post(&provider, "/holograms", &request).await.status(), 404);
    provider.push_for_path("/v1/holograms", Reply::answer("Hi"));
    let answer = body(post(&provider, "/holograms", &request).await).await;
    assert_eq!((&answer["model"], &answer["output_text"]), (&json!("gpt-9"), &json!("Hi")));
    assert!(answer["usage"]["input_tokens"].is_u64());
    assert_eq!(provider.scripted(), 1, "the general script is for known calls");
}

#[tokio::test]
async fn a_read_can_be_scripted_by_its_path() {
    let provider = provider([]).await;
    let created = body(post(&provider, "/responses", &response(json!({}))).await).await;
    let path = format!("/responses/{}", created["id"].as_str().unwrap());
    provider.push_for_path(format!("/v1{path}"), Reply::status(503));
    assert_eq!(get(&provider, &path).await.0, 503);
    assert_eq!(get(&provider, &path).await, (200, created));
}
