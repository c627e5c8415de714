use super::*;

fn read(objects: &[&str]) -> ResponseInfo {
    let mut info = ResponseInfo::default();
    for json in objects {
        info.read_object(&lenient::object(json.as_bytes()).unwrap());
    }
    info
}

#[test]
fn a_later_object_of_a_stream_replaces_what_it_says_and_keeps_the_rest() {
    let info = read(&[
        r#"{"id":"a","model":"gpt-5.5","service_tier":"auto","usage":null,"choices":[{"finish_reason":null}]}"#,
        r#"{"id":"a","service_tier":"default","choices":[{"finish_reason":"stop"}]}"#,
        r#"{"id":"a","choices":[],"usage":{"total_tokens": 3}}"#,
    ]);
    assert_eq!((info.id.as_deref(), info.model.as_deref()), (Some("a"), Some("gpt-5.5")));
    assert_eq!(info.service_tier.as_deref(), Some("default"));
    assert_eq!(
        info.usage_json.as_deref(),
        Some(r#"{"total_tokens": 3}"#),
        "the provider's bytes are unchanged"
    );
    assert_eq!(info.finish_reasons, ["stop"]);
}

#[test]
fn the_status_of_the_responses_api_is_a_finish_reason() {
    assert_eq!(read(&[r#"{"status":"in_progress"}"#, r#"{"status":"completed"}"#]).finish_reasons, ["stop"]);
    assert_eq!(read(&[r#"{"status":"incomplete"}"#]).finish_reasons, ["length"]);
    let failed: ResponseObject<'_> = lenient::object(br#"{"status":"failed"}"#).unwrap();
    assert!(failed.has_failed());
}

#[test]
fn tools_and_images_are_counted_and_an_error_message_is_kept() {
    let info = read(&[
        r#"{"output":[{"type":"web_search_call"}],"tools":[{"type":"web_search"}]}"#,
        r#"{"data":[{"url":"u"},{"url":"v"}]}"#,
        r#"{"error":{"message":"overloaded"}}"#,
    ]);
    assert_eq!((info.tools.web_searches, info.images), (1, 2));
    assert_eq!(info.error_message.as_deref(), Some("overloaded"));
}

#[test]
fn the_texts_of_a_server_are_bounded_and_counted() {
    let long = "é".repeat(2_000);
    let object = format!(
        r#"{{"id":"{long}","model":"{long}","choices":[{{"finish_reason":"{long}"}}],"error":{{"message":"{long}"}}}}"#
    );
    let info = read(&vec![object.as_str(); 300]);
    assert_eq!((info.finish_reasons.len(), info.finish_reasons[0].len()), (128, 64));
    let names: usize = [&info.id, &info.model].into_iter().flatten().map(String::len).sum();
    let message = info.error_message.as_ref().unwrap().len();
    assert!(names <= 2 * 1_024 && message <= 1_024, "{names} {message}");
    assert!(info.text_bytes() >= names + message + 128 * 64, "{}", info.text_bytes());
}

#[test]
fn a_usage_object_that_is_too_large_is_cut_between_characters() {
    let text = "é".repeat(USAGE_READ_BYTES_MAX);
    for shift in ["", "x"] {
        let usage = read(&[&format!(r#"{{"usage":{{"text":"{shift}{text}"}}}}"#)]).usage_json.unwrap();
        assert!(usage.len() > USAGE_READ_BYTES_MAX && usage.len() <= USAGE_READ_BYTES_MAX + 4, "{shift}");
    }
}
