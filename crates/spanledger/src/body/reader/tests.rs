use http::Method;
use spanledger_event::{Endpoint, PartialAttribution};

use super::*;
use crate::{
    ExporterConfig, Recorder,
    call::{CallAttribution, CallOptions},
    request::{ReadOptions, RequestInfo},
    span::{CallerContext, SpanMode},
};

fn reader() -> EventReader {
    reader_of(Endpoint::Chat)
}

fn reader_of(endpoint: Endpoint) -> EventReader {
    let url = "https://api.openai.com/v1/anything".parse().unwrap();
    let request = reqwest::Request::new(Method::POST, url);
    let (info, _) = RequestInfo::read(&request, endpoint, ReadOptions::default());
    let options = CallOptions { span_mode: SpanMode::Off, ..CallOptions::default() };
    let caller = CallerContext::current();
    let recorder = Recorder::new(ExporterConfig::off());
    let attribution = CallAttribution::Partial(PartialAttribution::default());
    EventReader::new(CallInFlight::start(
        recorder,
        info,
        None,
        attribution,
        &caller,
        options,
        std::sync::Arc::default(),
    ))
}

fn chunk(delta: &str) -> String {
    format!(
        r#"data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-5.5","choices":[{{"index":0,"delta":{{"content":{delta:?}}},"finish_reason":null}}],"usage":null}}"#
    ) + "\n\n"
}

#[test]
fn pieces_of_the_answer_are_not_parsed() {
    let mut reader = reader();
    assert!(reader.is_worth_parsing(chunk("a").as_bytes()), "the first event has the model");
    reader.read_chunk(chunk("a").into(), false);
    for text in ["b", r#"{"usage":{"total_tokens":1},"error":"x","finish_reason":"stop"}"#, "[DONE]x"] {
        assert!(!reader.is_worth_parsing(chunk(text).as_bytes()), "{text}");
    }
    for event in [
        r#"data: {"choices":[],"usage":{"total_tokens":1}}"#,
        r#"data: {"choices":[{"finish_reason":"stop"}]}"#,
        r#"data: {"error":{"message":"m"}}"#,
        "data: [DONE]",
        "event: message\ndata:[DONE]",
    ] {
        assert!(reader.is_worth_parsing(format!("{event}\n\n").as_bytes()), "{event}");
    }
}

#[test]
fn deltas_of_typed_events_are_not_parsed() {
    let mut reader = reader_of(Endpoint::Responses);
    reader.read_chunk(
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\n".into(),
        false,
    );
    assert!(!reader.is_worth_parsing(b"event: response.output_text.delta\ndata: {}\n\n"));
    assert!(reader.is_worth_parsing(b"event: response.completed\ndata: {}\n\n"));
    assert!(reader.is_worth_parsing(b"data: {\"type\":\"response.completed\"}\n\n"));
}

#[test]
fn only_the_event_that_has_nothing_but_the_usage_is_hidden() {
    let mut reader = reader();
    let usage = "data: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\n";
    let both = "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":1}}\n\n";
    let stream = [&chunk("a"), both, usage, "data: [DONE]\n\n"].concat();
    let visible = reader.read_chunk(stream.clone().into(), true);
    assert_eq!(visible, stream.replace(usage, ""));
    assert!(reader.call.is_finished());
}

#[test]
fn what_is_visible_does_not_depend_on_where_the_chunks_break() {
    let usage = "data: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\n";
    for stream in [
        [&chunk("a"), &chunk("b"), usage, "data: [DONE]\n\n"].concat(),
        [usage, "data: [DONE]\n\n"].concat(),
        [&chunk("a"), usage].concat(),
    ] {
        for middle in 0..=stream.len() {
            for end in [middle, (middle + 7).min(stream.len())] {
                let mut reader = reader();
                let parts = [&stream[..middle], &stream[middle..end], &stream[end..]];
                let visible = parts.map(|part| reader.read_chunk(part.to_owned().into(), true)).concat();
                assert_eq!(visible, stream.replace(usage, "").as_bytes(), "{parts:?}");
                assert!(reader.has_all());
            }
        }
    }
}

#[test]
fn an_event_that_is_not_complete_is_withheld_until_it_is() {
    let mut reader = reader();
    assert!(reader.read_chunk("data: {\"choices\":[],".into(), true).is_empty());
    assert!(reader.read_chunk("\"usage\":{\"total_tokens\":1}}\n\n".into(), true).is_empty());
    assert!(reader.has_all());
    assert_eq!(reader.read_chunk(chunk("late").into(), true), chunk("late"));
}

#[test]
fn an_event_with_an_error_or_without_its_end_is_never_hidden() {
    for event in [
        r#"data: {"error":{"message":"m"},"usage":{"total_tokens":1}}"#,
        r#"data: {"usage":{"total_tokens":1},"choi"#,
    ] {
        let event = format!("{event}\n\n");
        assert_eq!(reader().read_chunk(event.clone().into(), true), event);
    }
    let spaced = "data: {\"type\":\"info\",\"choices\": [ ],\"usage\":{\"total_tokens\":1}}\n\n";
    let mut reader = reader();
    assert!(reader.read_chunk(spaced.into(), true).is_empty());
    assert!(reader.has_all(), "a type of the server's own changes nothing");
}
