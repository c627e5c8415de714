use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::{CALLS_STORED_MAX, REQUESTS_KEPT_MAX, State};
use crate::openai::received::Received;
use crate::openai::reply::Reply;

fn state() -> State {
    let organization = HeaderValue::from_static("org");
    let script = [Reply::answer("scripted")].into();
    State::new(0, organization, false, Reply::answer("default"), script)
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

#[test]
fn the_oldest_stored_call_is_dropped_at_the_limit() {
    let state = state();
    for number in 0..=CALLS_STORED_MAX {
        state.store(number.to_string(), Bytes::from_static(b"{}"));
    }
    assert!(state.stored("0").is_none());
    assert!(state.stored("1").is_some());
    assert!(state.stored(&CALLS_STORED_MAX.to_string()).is_some());
}
