//! Response headers.
//!
//! Source: "Debugging requests" of the API reference and the "Rate limits"
//! guide.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::openai::generate::{HEX, Rng};
use crate::openai::reply::Reply;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// The limit of requests that the rate-limit headers report.
const REQUESTS_PER_MINUTE: u64 = 500;
/// The limit of tokens that the rate-limit headers report.
const TOKENS_PER_MINUTE: u64 = 500_000;

/// The values that the headers of an answer depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) seed: u64,
    pub(crate) number: u64,
    pub(crate) organization: &'a HeaderValue,
}

/// The headers of every answer.
pub(crate) fn common(headers: &mut HeaderMap, origin: Origin<'_>, content_type: HeaderValue) {
    let mut rng = Rng::new(origin.seed, "headers", origin.number);
    headers.insert(CONTENT_TYPE, content_type);
    insert(headers, "x-request-id", &format!("req_{}", rng.string(32, HEX)));
    insert(headers, "openai-processing-ms", &(20 + rng.below(400)).to_string());
    insert(headers, "openai-version", "2020-10-01");
    headers.insert("openai-organization", origin.organization.clone());
}

/// The headers of an answer to a call that counts against the limits.
pub(crate) fn of_call(headers: &mut HeaderMap, status: StatusCode, tokens: u64, reply: &Reply) {
    let used_up = status == StatusCode::TOO_MANY_REQUESTS;
    let left = if used_up { 0 } else { REQUESTS_PER_MINUTE - 1 };
    let wait = reply.retry_after_secs.unwrap_or(0);
    let reset = if used_up { format!("{wait}s") } else { "120ms".to_owned() };
    insert(headers, "x-ratelimit-limit-requests", &REQUESTS_PER_MINUTE.to_string());
    insert(headers, "x-ratelimit-limit-tokens", &TOKENS_PER_MINUTE.to_string());
    insert(headers, "x-ratelimit-remaining-requests", &left.to_string());
    let tokens_left = TOKENS_PER_MINUTE.saturating_sub(tokens);
    insert(headers, "x-ratelimit-remaining-tokens", &tokens_left.to_string());
    insert(headers, "x-ratelimit-reset-requests", &reset);
    insert(headers, "x-ratelimit-reset-tokens", "0s");
    if let Some(seconds) = reply.retry_after_secs {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    for (name, value) in &reply.headers {
        headers.insert(name.clone(), value.clone());
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // All values above are letters, digits and punctuation.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
