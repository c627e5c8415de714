//! Passes a stream of any bytes in any chunks through the layer. What the caller receives is the stream without
//! whole events that name a usage.
#![no_main]

use std::sync::LazyLock;

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use spanledger::{Attributed as _, Attribution, ExporterConfig, Recorder, SpanMode, SpanledgerLayer};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer as _, ServiceExt as _, service_fn};

fn pass(chunks: Vec<Bytes>) -> Vec<u8> {
    let service = service_fn(move |factory: HttpRequestFactory| {
        let chunks = chunks.clone();
        async move {
            drop(factory.build().await?);
            let body = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
            let response = http::Response::builder()
                .header("content-type", "text/event-stream")
                .body(reqwest::Body::wrap_stream(body))
                .expect("the response is valid");
            Ok::<reqwest::Response, OpenAIError>(response.into())
        }
    });
    // What does not depend on the input is made once, because it takes most of the time.
    static RECORDER: LazyLock<Recorder> = LazyLock::new(|| Recorder::new(ExporterConfig::off()));
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime can be started"));
    let layer = SpanledgerLayer::new().with_recorder(RECORDER.clone()).with_span_mode(SpanMode::Off).layer(service);
    let factory = HttpRequestFactory::new(|| async {
        let url = "https://api.openai.com/v1/chat/completions".parse().expect("the address is valid");
        let mut request = reqwest::Request::new(http::Method::POST, url);
        *request.body_mut() = Some(r#"{"model":"gpt-5.5","stream":true}"#.into());
        Ok(request)
    });
    let attribution = Attribution::builder().feature("f").route("r").customer_id("c").environment("e").build();
    let attribution = attribution.expect("the attribution is valid");
    RUNTIME.block_on(attribution.scope(async {
        let response = layer.oneshot(factory).await.expect("the service answers");
        response.bytes().await.expect("the body has no errors").to_vec()
    }))
}

/// The length of the first event, up to the end of its blank line.
fn event_length(bytes: &[u8]) -> usize {
    let (mut at, mut lines) = (0, 0);
    while at < bytes.len() {
        let length = bytes[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len() - at);
        let is_blank = length == 0 && lines > 0;
        lines += 1;
        at += length;
        at += if bytes[at..].starts_with(b"\r\n") { 2 } else { usize::from(at < bytes.len()) };
        if is_blank {
            break;
        }
    }
    at
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (stream, sizes) = input;
    let mut rest = Bytes::from(stream.clone());
    let mut chunks = Vec::new();
    for size in sizes.into_iter().map(|size| usize::from(size) + 1).chain(std::iter::repeat(64)) {
        if rest.is_empty() {
            break;
        }
        chunks.push(rest.split_to(size.min(rest.len())));
    }
    let received = pass(chunks);
    let (mut sent, mut seen) = (stream.as_slice(), received.as_slice());
    while !sent.is_empty() {
        let (event, after) = sent.split_at(event_length(sent));
        match seen.strip_prefix(event) {
            Some(later) => seen = later,
            None => assert!(event.windows(5).any(|part| part == b"usage"), "an event is missing"),
        }
        sent = after;
    }
    assert!(seen.is_empty(), "there are bytes that were not sent");
});
