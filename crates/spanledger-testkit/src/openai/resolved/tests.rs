use bytes::Bytes;
use http::HeaderMap;

use super::{ResolvedReply, pieces, served};
use crate::openai::endpoint::Endpoint;
use crate::openai::reply::Reply;
use crate::openai::request::ApiRequest;
use crate::openai::usage::Usage;

fn request(body: &str) -> ApiRequest {
    ApiRequest::parse(Endpoint::Chat, None, &HeaderMap::new(), &Bytes::from(body.to_owned())).unwrap()
}

fn question(words: usize) -> ApiRequest {
    let text = "seven letters ".repeat(words);
    request(&format!(r#"{{"model":"gpt-5.5","messages":[{{"role":"user","content":"{text}"}}]}}"#))
}

fn generated(seed: u64, request: &ApiRequest) -> Usage {
    ResolvedReply::new(seed, 0, request, &Reply::new()).usage.unwrap()
}

#[test]
fn generated_usage_is_nested_and_sums_for_many_requests() {
    let mut with_cache = 0;
    let mut with_reasoning = 0;
    for seed in 0..200 {
        let request = question(500);
        let usage = generated(seed, &request);
        assert!(usage.cached <= usage.prompt, "{usage:?}");
        assert!(usage.reasoning < usage.completion, "{usage:?}");
        assert_eq!(usage.cached % 128, 0);
        assert_eq!(usage.total(), usage.prompt + usage.completion);
        with_cache += u32::from(usage.cached > 0);
        with_reasoning += u32::from(usage.reasoning > 0);
    }
    assert!(with_cache > 50 && with_cache < 150, "{with_cache}");
    assert!(with_reasoning > 100, "{with_reasoning}");
}

#[test]
fn generated_usage_depends_on_the_request_and_the_seed_alone() {
    let first = generated(1, &question(500));
    assert_eq!(first, ResolvedReply::new(1, 99, &question(500), &Reply::new()).usage.unwrap());
    assert_ne!(first, generated(2, &question(500)));
    assert_ne!(first.prompt, generated(1, &question(501)).prompt);
}

#[test]
fn a_short_prompt_is_never_cached() {
    assert!((0..100).all(|seed| generated(seed, &question(10)).cached == 0));
}

#[test]
fn a_limit_of_output_tokens_holds() {
    let limited =
        request(r#"{"model":"o3","max_completion_tokens":9,"messages":[{"role":"user","content":"x"}]}"#);
    for seed in 0..100 {
        assert!(generated(seed, &limited).completion <= 9);
    }
}

#[test]
fn no_reasoning_without_a_reasoning_model_or_with_effort_none() {
    let plain = request(r#"{"model":"gpt-4o","messages":"x"}"#);
    let none = request(r#"{"model":"gpt-5.5","reasoning_effort":"none","messages":"x"}"#);
    assert!((0..50).all(|seed| generated(seed, &plain).reasoning == 0));
    assert!((0..50).all(|seed| generated(seed, &none).reasoning == 0));
}

#[test]
fn ids_differ_by_request_and_repeat_with_the_seed() {
    let request = question(1);
    let id = |seed, number| ResolvedReply::new(seed, number, &request, &Reply::new()).id;
    assert_eq!(id(1, 1), id(1, 1));
    assert_ne!(id(1, 1), id(1, 2));
    assert_ne!(id(1, 1), id(2, 1));
    assert_eq!(id(1, 1).len(), "chatcmpl-".len() + 29);
}

#[test]
fn pieces_join_to_the_text_for_any_count() {
    let text = "añb cde fgh";
    for count in 1..20 {
        let pieces = pieces(text, Some(count));
        assert_eq!(pieces.len(), count);
        assert_eq!(pieces.concat(), text);
    }
    assert_eq!(pieces(text, None), ["añb ", "cde ", "fgh"]);
    assert!(pieces(text, Some(0)).is_empty());
}

#[test]
fn the_served_tier_is_a_real_one() {
    assert_eq!(served(None), "default");
    assert_eq!(served(Some("auto")), "default");
    assert_eq!(served(Some("fast")), "priority");
    assert_eq!(served(Some("flex")), "flex");
}
