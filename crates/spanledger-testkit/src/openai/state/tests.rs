use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::{CALLS_STORED_MAX, REQUESTS_KEPT_BYTES_MAX, REQUESTS_KEPT_MAX, State};
use crate::openai::received::Received;
use crate::openai::reply::Reply;
use crate::openai::resources::Resource;

fn state() -> State {
    let organization = HeaderValue::from_static("org");
    let script = [Reply::answer("scripted")].into();
    State::new(0, organization, false, None, Reply::answer("default"), script)
}

#[test]
fn replies_of_the_model_go_first_then_the_script_then_the_default() {
    let state = state();
    state.push_for("m".to_owned(), Reply::answer("own"));
    assert_eq!(state.scripted(), 2);
    let text = |model| state.next_reply(model).text.unwrap();
    assert_eq!(text("m"), "own");
    assert_eq!(text("m"), "scripted");
    assert_eq!(text("m"), "default");
    assert_eq!(state.scripted(), 0);
}

#[test]
fn the_log_forgets_the_oldest_bodies_before_they_fill_the_memory() {
    let state = state();
    // One buffer, which each of the requests counts.
    let body = Bytes::from(vec![0; REQUESTS_KEPT_BYTES_MAX / 4]);
    let record = |path: &str, body: Bytes| {
        let (path, headers) = (path.to_owned(), HeaderMap::new());
        state.record(Received { method: Method::POST, path, query: None, headers, body })
    };
    let paths = || state.requests().into_iter().map(|request| request.path).collect::<String>();
    for path in ["a", "b", "c", "d"] {
        record(path, body.clone());
    }
    assert_eq!(paths(), "abcd");
    assert_eq!(record("e", body), 4);
    assert_eq!(paths(), "bcde");
    record("f", vec![0; REQUESTS_KEPT_BYTES_MAX + 1].into());
    assert_eq!(paths(), "f");
}

#[test]
fn the_log_keeps_the_newest_requests_and_numbers_continue() {
    let state = state();
    for number in 0..REQUESTS_KEPT_MAX as u64 + 2 {
        let request = Received {
            method: Method::GET,
            path: number.to_string(),
            query: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        assert_eq!(state.record(request), number);
    }
    let kept = state.requests();
    assert_eq!(kept.len(), REQUESTS_KEPT_MAX);
    assert_eq!(kept[0].path, "2");
}

fn object(text: &'static str) -> Resource {
    Resource::fixed(Bytes::from_static(text.as_bytes()))
}

#[test]
fn the_oldest_stored_object_is_dropped_at_the_limit() {
    let state = state();
    for number in 0..=CALLS_STORED_MAX {
        state.store(number.to_string(), object("{}"));
    }
    assert!(state.peek("0").is_none());
    assert!(state.peek("1").is_some());
    assert!(state.peek(&CALLS_STORED_MAX.to_string()).is_some());
}

#[test]
fn a_reply_for_a_path_is_given_to_that_path_only() {
    let state = state();
    state.push_for_path("/v1/a".to_owned(), Reply::answer("own"));
    assert_eq!(state.scripted(), 2);
    assert!(state.next_reply_for_path("/v1/b").is_none());
    assert_eq!(state.next_reply_for_path("/v1/a").unwrap().text.unwrap(), "own");
    assert!(state.next_reply_for_path("/v1/a").is_none());
}

#[test]
fn a_job_moves_forward_when_it_is_read() {
    let state = state();
    let next = [Bytes::from_static(b"working"), Bytes::from_static(b"done")].into();
    state.store("/v1/a/1".to_owned(), Resource { next, ..object("new") });
    assert_eq!(state.peek("/v1/a/1").unwrap(), "new");
    for expected in ["working", "done", "done"] {
        assert_eq!(state.read("/v1/a/1").unwrap(), expected);
    }
}

#[test]
fn a_collection_lists_what_is_directly_below_it() {
    let state = state();
    for path in ["/v1/a/2", "/v1/a/1", "/v1/a/1/b/3", "/v1/ab/4"] {
        state.store(path.to_owned(), object("{}"));
    }
    assert_eq!(state.list("/v1/a").len(), 2);
    assert!(state.delete("/v1/a/2").is_some());
    assert!(state.delete("/v1/a/2").is_none());
    assert_eq!(state.list("/v1/a").len(), 1);
}
