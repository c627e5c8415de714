//! Measures the CPU time that the layer adds to a unary call: the same client runs with and without the
//! layer, over a service that answers from memory.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use divan::Bencher;
use spanledger::{Attributed, ExporterConfig, Recorder, SpanledgerLayer};
use spanledger_testkit::world::{attribution, chat_request};
use tower::{Layer, service_fn};

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1763719200,"model":"gpt-5.5-2026-04-23",
"choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help?","refusal":null},"logprobs":null,
"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,
"prompt_tokens_details":{"cached_tokens":400,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":120,
"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default"}"#;

fn main() {
    divan::main();
}

async fn answer(factory: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    drop(factory.build().await?);
    let response = http::Response::builder().header("content-type", "application/json").body(ANSWER).unwrap();
    Ok(response.into())
}

fn run(bencher: Bencher<'_, '_>, client: &Client<OpenAIConfig>, bytes: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let attribution = attribution("search");
    let request = chat_request(&"x".repeat(bytes));
    bencher.bench_local(|| {
        runtime
            .block_on(async { client.chat().attributed(&attribution).create(request.clone()).await })
            .unwrap()
    });
}

const SIZES: [usize; 2] = [1_000, 100_000];

#[divan::bench(args = SIZES)]
fn bare(bencher: Bencher<'_, '_>, bytes: usize) {
    let client = Client::with_config(OpenAIConfig::new()).with_http_service(service_fn(answer));
    run(bencher, &client, bytes);
}

#[divan::bench(args = SIZES)]
fn layered(bencher: Bencher<'_, '_>, bytes: usize) {
    let layer = SpanledgerLayer::new().with_recorder(Recorder::new(ExporterConfig::off()));
    let client = Client::with_config(OpenAIConfig::new()).with_http_service(layer.layer(service_fn(answer)));
    run(bencher, &client, bytes);
}
