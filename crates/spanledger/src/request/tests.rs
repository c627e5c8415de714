use http::Method;

use super::*;

fn post(url: &str, body: &str) -> Request {
    let mut request = Request::new(Method::POST, url.parse().unwrap());
    *request.body_mut() = Some(body.to_owned().into());
    request
}

/// Reads a request of the chat API, or of the API at the end of its path.
fn read(request: &Request, provider: Option<&str>, ask_for_usage: bool) -> (RequestInfo, Option<Bytes>) {
    let Billing::Billed(endpoint) = billing_of(request.method(), request.url().path()) else { panic!() };
    let (info, change) = RequestInfo::read(
        request,
        endpoint,
        ReadOptions { provider, ask_for_usage, ..ReadOptions::default() },
    );
    match change {
        Change::Body(body) => (info, Some(body)),
        _ => (info, None),
    }
}

#[test]
fn options_are_read_and_text_of_the_prompt_is_not_mistaken_for_them() {
    let body = r#"{"messages":[{"role":"user","content":"{\"model\":\"x\"}"}],"model":"gpt-5.5","service_tier":"flex",
        "reasoning_effort":"high","prompt_cache_key":"k","max_completion_tokens":5,"temperature":0.5,"n":2}"#;
    let (info, changed) = read(&post("https://api.openai.com/v1/chat/completions", body), None, true);
    assert_eq!((info.model.as_deref(), info.service_tier.as_deref()), (Some("gpt-5.5"), Some("flex")));
    assert_eq!(
        (info.reasoning_effort.as_deref(), info.max_tokens, info.choices),
        (Some("high"), Some(5), Some(2))
    );
    assert_eq!((&*info.server_address, info.server_port), ("api.openai.com", Some(443)));
    assert_eq!((&*info.provider, changed), ("openai", None));

    let responses = post("http://h/v1/responses", r#"{"reasoning":{"effort":"low"},"stream":true}"#);
    let (info, changed) = read(&responses, None, true);
    assert_eq!((info.reasoning_effort.as_deref(), info.stream, changed), (Some("low"), true, None));
}

#[test]
fn an_odd_field_of_the_request_costs_only_itself() {
    let body = r#"{"model":"m","max_tokens":256.0,"seed":"x","temperature":"hot","stream":true,"n":1e400}"#;
    let (info, changed) = read(&post("http://h/v1/chat/completions", body), None, true);
    assert_eq!((info.model.as_deref(), info.max_tokens, info.stream), (Some("m"), Some(256), true));
    assert_eq!((info.seed, info.temperature, info.choices), (None, None, None));
    assert!(changed.is_some());
}

#[test]
fn the_provider_is_that_of_the_host_and_an_unknown_host_is_its_own_provider() {
    for (url, expected) in [
        ("https://api.openai.com/v1/chat/completions", "openai"),
        ("https://eu.api.openai.com/v1/chat/completions", "openai"),
        (
            "https://acme.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
            "azure.ai.openai",
        ),
        ("https://acme.services.ai.azure.com/openai/v1/chat/completions", "azure.ai.openai"),
        ("https://gateway.acme.com/openai/deployments/d/chat/completions", "azure.ai.openai"),
        ("https://api.groq.com/openai/v1/chat/completions", "groq"),
        ("https://LLM.internal:8000/v1/chat/completions", "llm.internal"),
    ] {
        assert_eq!(&*read(&post(url, "{}"), None, true).0.provider, expected, "{url}");
        assert_eq!(&*read(&post(url, "{}"), Some("x_ai"), true).0.provider, "x_ai", "{url}");
    }
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
        let (_, changed) = read(&post("http://h/v1/chat/completions", body), None, true);
        let with_usage = changed.as_deref().map(|bytes| std::str::from_utf8(bytes).unwrap());
        assert_eq!(with_usage, expected, "{body}");
    }
}

#[test]
fn a_stream_is_not_changed_if_the_option_is_switched_off() {
    let request = post("http://h/v1/chat/completions", r#"{"stream":true}"#);
    let (info, changed) = read(&request, None, false);
    assert_eq!((info.stream, changed), (true, None));
}

#[test]
fn a_body_that_is_not_json_is_still_a_call() {
    let (info, _) = read(&post("http://h/v1/chat/completions", "not json"), None, true);
    assert_eq!((info.model, info.stream), (None, false));
    let (other, _) = read(&post("http://h/v1/chat/completions", "{}"), None, true);
    assert_ne!(info.fingerprint, other.fingerprint);
}
