use super::*;

fn post(url: &str, body: &str) -> Request {
    let mut request = Request::new(Method::POST, url.parse().unwrap());
    *request.body_mut() = Some(body.to_owned().into());
    request
}

#[test]
fn only_what_can_be_billed_is_a_call() {
    let endpoint_of = |method: Method, path: &str| endpoint(&method, path);
    assert_eq!(endpoint_of(Method::POST, "/v1/chat/completions"), Some(Endpoint::Chat));
    assert_eq!(endpoint_of(Method::POST, "/openai/deployments/gpt/chat/completions"), Some(Endpoint::Chat));
    assert_eq!(endpoint_of(Method::POST, "/v1/completions"), Some(Endpoint::Completions));
    assert_eq!(endpoint_of(Method::POST, "/v1/responses/"), Some(Endpoint::Responses));
    for (method, path) in [
        (Method::GET, "/v1/chat/completions/chatcmpl-1"),
        (Method::GET, "/v1/responses/resp_1"),
        (Method::POST, "/v1/chat/completions/chatcmpl-1"),
        (Method::POST, "/v1/responses/resp_1/cancel"),
        (Method::POST, "/v1/responses/input_tokens"),
        (Method::POST, "/v1/files"),
        (Method::POST, "/v1/moderations"),
        (Method::GET, "/v1/models"),
    ] {
        assert_eq!(endpoint_of(method, path), None, "{path}");
    }
}

#[test]
fn the_body_is_read_without_its_content() {
    let body = r#"{"messages":[{"role":"user","content":"{\"model\":\"x\"}"}],"model":"gpt-5.5","service_tier":"flex",
        "reasoning_effort":"high","prompt_cache_key":"k","max_completion_tokens":5,"temperature":0.5,"n":2}"#;
    let asked = Asked::of(&post("https://api.openai.com/v1/chat/completions", body), None, true).unwrap();
    assert_eq!((asked.model.as_deref(), asked.service_tier.as_deref()), (Some("gpt-5.5"), Some("flex")));
    assert_eq!(
        (asked.reasoning_effort.as_deref(), asked.max_tokens, asked.choices),
        (Some("high"), Some(5), Some(2))
    );
    assert_eq!((asked.server_address.as_deref(), asked.server_port), (Some("api.openai.com"), Some(443)));
    assert_eq!((asked.provider.as_str(), asked.with_usage), ("openai", None));

    let azure =
        post("https://acme.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "{}");
    assert_eq!(Asked::of(&azure, None, true).unwrap().provider, "azure.ai.openai");
    assert_eq!(Asked::of(&azure, Some("groq"), true).unwrap().provider, "groq");
    let responses = post("http://h/v1/responses", r#"{"reasoning":{"effort":"low"},"stream":true}"#);
    let asked = Asked::of(&responses, None, true).unwrap();
    assert_eq!(
        (asked.reasoning_effort.as_deref(), asked.stream, asked.with_usage),
        (Some("low"), true, None)
    );
}

#[test]
fn usage_is_asked_for_and_nothing_else_changes() {
    for (body, expected) in [
        (
            r#"{"z":1,"model":"m","stream":true,"a":{"y":1,"b":2}}"#,
            Some(
                r#"{"stream_options":{"include_usage":true},"z":1,"model":"m","stream":true,"a":{"y":1,"b":2}}"#,
            ),
        ),
        (
            r#" {"stream":true, "stream_options": {"include_obfuscation": false}, "z":1}"#,
            Some(
                r#" {"stream":true, "stream_options": {"include_obfuscation":false,"include_usage":true}, "z":1}"#,
            ),
        ),
        (
            r#"{"stream":true,"stream_options":null}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        ),
        (r#"{"stream":true,"stream_options":{"include_usage":true}}"#, None),
        (r#"{"stream":false}"#, None),
        (r#"{"model":"m"}"#, None),
    ] {
        let asked = Asked::of(&post("http://h/v1/chat/completions", body), None, true).unwrap();
        let with_usage = asked.with_usage.as_deref().map(|bytes| std::str::from_utf8(bytes).unwrap());
        assert_eq!(with_usage, expected, "{body}");
    }
}

#[test]
fn where_it_is_switched_off_a_stream_is_left_as_it_was() {
    let request = post("http://h/v1/chat/completions", r#"{"stream":true}"#);
    let asked = Asked::of(&request, None, false).unwrap();
    assert_eq!((asked.stream, asked.with_usage), (true, None));
}

#[test]
fn a_body_that_is_no_json_is_still_a_call() {
    let asked = Asked::of(&post("http://h/v1/chat/completions", "not json"), None, true).unwrap();
    assert_eq!((asked.model, asked.stream), (None, false));
    assert_ne!(
        asked.fingerprint,
        Asked::of(&post("http://h/v1/chat/completions", "{}"), None, true).unwrap().fingerprint
    );
}
