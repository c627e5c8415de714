use super::*;

fn post(url: &str, body: &str) -> Request {
    let mut request = Request::new(Method::POST, url.parse().unwrap());
    *request.body_mut() = Some(body.to_owned().into());
    request
}

#[test]
fn only_requests_that_can_be_billed_have_an_endpoint() {
    let endpoint_of = |method: Method, path: &str| billable_endpoint(&method, path);
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
fn options_are_read_and_text_of_the_prompt_is_not_mistaken_for_them() {
    let body = r#"{"messages":[{"role":"user","content":"{\"model\":\"x\"}"}],"model":"gpt-5.5","service_tier":"flex",
        "reasoning_effort":"high","prompt_cache_key":"k","max_completion_tokens":5,"temperature":0.5,"n":2}"#;
    let info =
        RequestInfo::read(&post("https://api.openai.com/v1/chat/completions", body), None, true).unwrap();
    assert_eq!((info.model.as_deref(), info.service_tier.as_deref()), (Some("gpt-5.5"), Some("flex")));
    assert_eq!(
        (info.reasoning_effort.as_deref(), info.max_tokens, info.choices),
        (Some("high"), Some(5), Some(2))
    );
    assert_eq!((info.server_address.as_deref(), info.server_port), (Some("api.openai.com"), Some(443)));
    assert_eq!((info.provider.as_str(), info.body_with_usage), ("openai", None));

    let azure =
        post("https://acme.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "{}");
    assert_eq!(RequestInfo::read(&azure, None, true).unwrap().provider, "azure.ai.openai");
    assert_eq!(RequestInfo::read(&azure, Some("groq"), true).unwrap().provider, "groq");
    let responses = post("http://h/v1/responses", r#"{"reasoning":{"effort":"low"},"stream":true}"#);
    let info = RequestInfo::read(&responses, None, true).unwrap();
    assert_eq!(
        (info.reasoning_effort.as_deref(), info.stream, info.body_with_usage),
        (Some("low"), true, None)
    );
}

#[test]
fn a_stream_gets_the_usage_option_and_no_other_byte_changes() {
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
        let info = RequestInfo::read(&post("http://h/v1/chat/completions", body), None, true).unwrap();
        let with_usage = info.body_with_usage.as_deref().map(|bytes| std::str::from_utf8(bytes).unwrap());
        assert_eq!(with_usage, expected, "{body}");
    }
}

#[test]
fn a_stream_is_not_changed_if_the_option_is_switched_off() {
    let request = post("http://h/v1/chat/completions", r#"{"stream":true}"#);
    let info = RequestInfo::read(&request, None, false).unwrap();
    assert_eq!((info.stream, info.body_with_usage), (true, None));
}

#[test]
fn a_body_that_is_not_json_is_still_a_call() {
    let info = RequestInfo::read(&post("http://h/v1/chat/completions", "not json"), None, true).unwrap();
    assert_eq!((info.model, info.stream), (None, false));
    assert_ne!(
        info.fingerprint,
        RequestInfo::read(&post("http://h/v1/chat/completions", "{}"), None, true).unwrap().fingerprint
    );
}
