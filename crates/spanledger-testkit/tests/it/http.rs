//! Headers, refusals and the log of requests, with a plain client.

use serde_json::{Value, json};
use spanledger_testkit::{ApiError, Provider, Reply};

use crate::support::{body, chat, get, post, provider, response};

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

/// Posts raw bytes.
async fn post_raw(url: String, headers: &[(&str, &str)], body: &'static str) -> reqwest::Response {
    let mut request = reqwest::Client::new().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn an_answer_has_the_headers_of_the_provider() {
    let provider = provider([]).await;
    let first = post(&provider, "/chat/completions", &chat(json!({}))).await;
    let second = post(&provider, "/chat/completions", &chat(json!({}))).await;
    assert_eq!(header(&first, "content-type"), "application/json");
    assert!(header(&first, "x-request-id").starts_with("req_"));
    assert_ne!(header(&first, "x-request-id"), header(&second, "x-request-id"));
    assert!(header(&first, "openai-processing-ms").parse::<u32>().is_ok());
    assert_eq!(header(&first, "openai-organization"), "org-testkit");
    assert_eq!(header(&first, "x-ratelimit-limit-requests"), "500");
    assert_eq!(header(&first, "x-ratelimit-remaining-requests"), "499");
    for name in ["limit-tokens", "remaining-tokens", "reset-requests", "reset-tokens"] {
        header(&first, &format!("x-ratelimit-{name}"));
    }
}

#[tokio::test]
async fn a_stream_has_the_content_type_of_event_streams() {
    let provider = provider([]).await;
    let response = post(&provider, "/chat/completions", &chat(json!({"stream": true}))).await;
    assert_eq!(header(&response, "content-type"), "text/event-stream; charset=utf-8");
}

#[tokio::test]
async fn a_rate_limit_says_when_to_retry() {
    let provider = provider([Reply::rate_limited().retry_after(3)]).await;
    let response = post(&provider, "/chat/completions", &chat(json!({}))).await;
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "retry-after"), "3");
    assert_eq!(header(&response, "x-ratelimit-remaining-requests"), "0");
    assert_eq!(header(&response, "x-ratelimit-reset-requests"), "3s");
    let error = body(response).await;
    assert_eq!(error["error"]["code"], "rate_limit_exceeded");
    assert_eq!(error["error"]["param"], Value::Null);
}

#[tokio::test]
async fn each_status_has_its_error_body() {
    let cases = [
        (400, "invalid_request_error", Value::Null),
        (401, "invalid_request_error", json!("invalid_api_key")),
        (429, "requests", json!("rate_limit_exceeded")),
        (500, "server_error", Value::Null),
        (503, "server_error", Value::Null),
    ];
    let provider = provider(cases.iter().map(|case| Reply::status(case.0))).await;
    for (status, kind, code) in cases {
        let response = post(&provider, "/chat/completions", &chat(json!({}))).await;
        assert_eq!(response.status().as_u16(), status);
        let body = body(response).await;
        let error = body["error"].as_object().unwrap();
        assert_eq!((&error["type"], &error["code"]), (&json!(kind), &code));
        assert_eq!(error.len(), 4, "message, type, param, code: {error:?}");
        assert!(error["message"].is_string());
    }
}

#[tokio::test]
async fn received_requests_are_recorded_unchanged() {
    let provider = provider([]).await;
    let sent = r#"{ "model":"gpt-5.5",  "messages":[] }"#;
    let headers = [("authorization", "Bearer k"), ("x-internal", "yes")];
    post_raw(format!("{}/chat/completions?a=b", provider.base_url()), &headers, sent).await;
    let requests = provider.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].path, "/v1/chat/completions");
    assert_eq!(requests[0].query.as_deref(), Some("a=b"));
    assert_eq!(requests[0].header("x-internal"), Some("yes"));
    assert_eq!(requests[0].header("baggage"), None);
    assert_eq!(requests[0].body, sent, "byte for byte");
    assert_eq!(requests[0].json().unwrap()["model"], "gpt-5.5");
}

#[tokio::test]
async fn a_request_without_a_key_is_refused_unless_that_is_allowed() {
    let strict = provider([]).await;
    let open = Provider::builder().allow_anonymous().start().await.unwrap();
    let sent = r#"{"model":"gpt-5.5","messages":[]}"#;
    let url = |provider: &Provider| format!("{}/chat/completions", provider.base_url());
    assert_eq!(post_raw(url(&strict), &[], sent).await.status(), 401);
    assert_eq!(post_raw(url(&strict), &[("api-key", "k")], sent).await.status(), 200);
    assert_eq!(post_raw(url(&open), &[], sent).await.status(), 200);
}

#[tokio::test]
async fn an_invalid_request_is_refused_and_takes_no_reply() {
    let provider = provider([Reply::answer("still here")]).await;
    let url = format!("{}/chat/completions", provider.base_url());
    let key = [("authorization", "Bearer k")];
    let cases = [
        ("not json", Value::Null),
        (r#"{"messages":[]}"#, json!("model")),
        (r#"{"model":"gpt-5.5"}"#, json!("messages")),
        (r#"{"model":5,"messages":[]}"#, json!("model")),
    ];
    for (sent, param) in cases {
        let response = post_raw(url.clone(), &key, sent).await;
        assert_eq!(response.status(), 400, "{sent}");
        assert_eq!(body(response).await["error"]["param"], param, "{sent}");
    }
    assert_eq!(provider.scripted(), 1);
}

#[tokio::test]
async fn stream_options_are_refused_where_they_cannot_apply() {
    let provider = provider([]).await;
    let options = json!({"include_usage": true});
    let unary = chat(json!({"stream_options": options}));
    let refused = post(&provider, "/chat/completions", &unary).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(body(refused).await["error"]["param"], "stream_options");

    let streamed = response(json!({"stream": true, "stream_options": options}));
    let refused = post(&provider, "/responses", &streamed).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(body(refused).await["error"]["code"], "unknown_parameter");

    let fine = response(json!({"stream": true, "stream_options": {"include_obfuscation": false}}));
    assert_eq!(post(&provider, "/responses", &fine).await.status(), 200);
}

#[tokio::test]
async fn other_paths_and_methods_get_the_errors_of_the_provider() {
    let provider = provider([]).await;
    let (status, error) = get(&provider, "/embeddings").await;
    assert_eq!((status, &error["error"]["code"]), (405, &json!("method_not_supported")));
    let (status, error) = get(&provider, "/nothing").await;
    assert_eq!((status, &error["error"]["type"]), (404, &json!("invalid_request_error")));
    let bare = format!("http://{}/chat/completions", provider.addr());
    let response = post_raw(bare, &[("authorization", "Bearer k")], "{}").await;
    assert_eq!(response.status(), 404, "only below /v1");
}

#[tokio::test]
async fn a_reply_can_set_headers_and_any_error() {
    let error = ApiError::new(409, "conflict", "Twice.").param("id").code("duplicate");
    let name = reqwest::header::HeaderName::from_static("x-request-id");
    let value = reqwest::header::HeaderValue::from_static("req_mine");
    let provider = provider([Reply::error(error).header(name, value)]).await;
    let response = post(&provider, "/responses", &response(json!({}))).await;
    assert_eq!(response.status(), 409);
    assert_eq!(header(&response, "x-request-id"), "req_mine");
    let expected = json!({"message": "Twice.", "type": "conflict", "param": "id", "code": "duplicate"});
    assert_eq!(body(response).await["error"], expected);
}

#[tokio::test]
async fn a_reply_for_a_model_is_given_to_that_model_only() {
    let provider = provider([]).await;
    provider.push(Reply::answer("any"));
    provider.push_for("gpt-4o", Reply::answer("own"));
    let text = async |model: &str| {
        let request = chat(json!({"model": model}));
        let answer = body(post(&provider, "/chat/completions", &request).await).await;
        answer["choices"][0]["message"]["content"].clone()
    };
    assert_eq!(text("gpt-5.5").await, "any");
    assert_eq!(text("gpt-4o").await, "own");
}

#[tokio::test]
async fn two_providers_with_one_seed_write_the_same_bytes() {
    let (one, other) = (provider([]).await, provider([]).await);
    let different = Provider::builder().seed(8).start().await.unwrap();
    let bytes = async |provider: &Provider| {
        let request = chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
        post(provider, "/chat/completions", &request).await.bytes().await.unwrap()
    };
    let first = bytes(&one).await;
    assert_eq!(first, bytes(&other).await);
    assert_ne!(first, bytes(&different).await);
}
