//! The bytes of a stream are those that the provider sent, minus the event that has only the usage.

use std::sync::Arc;

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use spanledger::{Attributed as _, ExporterConfig, Recorder, SpanMode, SpanledgerLayer};
use tower::{Layer as _, ServiceExt as _, service_fn};

use spanledger_testkit::world::attribution;

const PIECE: &str = r#"data: {"id":"c","model":"gpt-5.5","choices":[{"delta":{"content":"\"usage\":{} a"},"finish_reason":null}],"usage":null}"#;
const FINISH: &str = r#"data: {"id":"c","choices":[{"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str =
    r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
const USAGE_AND_CHOICE: &str =
    r#"data: {"id":"c","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
const ERROR: &str = r#"data: {"error":{"message":"overloaded","code":"busy"}}"#;
const OTHERS: [&str; 6] =
    [": comment", "event: ping", "data:", "data: [1,2]", "data: {\"usage\":", "retry: 10"];

/// Sends a request for a stream through the layer, whose answer comes in these chunks. Returns the bytes that the
/// caller receives.
fn pass(chunks: Vec<Bytes>, asks_for_usage: bool) -> Vec<u8> {
    let chunks = Arc::new(chunks);
    let service = service_fn(move |factory: HttpRequestFactory| {
        let chunks = chunks.as_ref().clone();
        async move {
            drop(factory.build().await?);
            let body = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
            let response = http::Response::builder().header("content-type", "text/event-stream");
            Ok::<reqwest::Response, OpenAIError>(
                response.body(reqwest::Body::wrap_stream(body)).unwrap().into(),
            )
        }
    });
    let layer = SpanledgerLayer::new()
        .with_recorder(Recorder::new(ExporterConfig::off()))
        .with_span_mode(SpanMode::Off)
        .layer(service);
    let factory = HttpRequestFactory::new(move || async move {
        let url = "https://api.openai.com/v1/chat/completions".parse().unwrap();
        let mut request = reqwest::Request::new(http::Method::POST, url);
        let options = if asks_for_usage { r#","stream_options":{"include_usage":true}"# } else { "" };
        *request.body_mut() = Some(format!(r#"{{"model":"gpt-5.5","stream":true{options}}}"#).into());
        Ok(request)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(
        attribution("a")
            .scope(async { layer.oneshot(factory).await.unwrap().bytes().await.unwrap().to_vec() }),
    )
}

/// What the caller must receive, computed in another way: line by line, with a parser that reads everything.
fn expected(stream: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(stream).unwrap();
    let (mut visible, mut event, mut data) = (String::new(), String::new(), Vec::new());
    let mut is_done = false;
    let mut rest = text;
    let mut end = |event: &mut String, data: &mut Vec<String>| {
        let joined = data.join("\n");
        is_done |= joined == "[DONE]";
        let value: Value = serde_json::from_str(&joined).unwrap_or_default();
        let has_choices = value["choices"].as_array().is_some_and(|choices| !choices.is_empty());
        if is_done || !value["usage"].is_object() || has_choices {
            visible.push_str(event);
        }
        event.clear();
        data.clear();
    };
    while !rest.is_empty() {
        let at = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, after) = rest.split_at(at);
        let break_length = if after.starts_with("\r\n") { 2 } else { after.len().min(1) };
        let is_blank = line.is_empty() && !event.is_empty();
        event.push_str(&rest[..at + break_length]);
        if let Some(value) = line.strip_prefix("data:") {
            data.push(value.strip_prefix(' ').unwrap_or(value).to_owned());
        }
        rest = &rest[at + break_length..];
        if is_blank {
            end(&mut event, &mut data);
        }
    }
    end(&mut event, &mut data);
    visible.into_bytes()
}

fn line() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => Just(PIECE),
        1 => Just(FINISH),
        2 => Just(USAGE),
        1 => Just(USAGE_AND_CHOICE),
        1 => Just(ERROR),
        1 => Just("data: [DONE]"),
        2 => prop::sample::select(OTHERS.as_slice()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn bytes_out_are_bytes_in_without_the_hidden_usage(
        events in prop::collection::vec((line(), prop::sample::select(vec!["\n", "\r\n", "\r"])), 0..12),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
        sizes in prop::collection::vec(1_usize..300, 1..20),
        asks_for_usage in any::<bool>(),
    ) {
        let mut stream: String = events.iter().flat_map(|(line, end)| [*line, *end, *end]).collect();
        if is_cut {
            stream.truncate(cut.index(stream.len() + 1));
        }
        let mut chunks = Vec::new();
        let mut rest = Bytes::from(stream.clone());
        for size in sizes.into_iter().cycle() {
            if rest.is_empty() { break; }
            chunks.push(rest.split_to(size.min(rest.len())));
        }
        let received = pass(chunks, asks_for_usage);
        let wanted = if asks_for_usage { stream.into_bytes() } else { expected(stream.as_bytes()) };
        prop_assert_eq!(String::from_utf8(received), String::from_utf8(wanted));
    }
}
