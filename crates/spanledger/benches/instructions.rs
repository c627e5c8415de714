//! Makes calls over a service that answers from memory, and does nothing else. `cargo xtask instructions` counts
//! the instructions of several runs, and subtracts those of the client without the layer.
//!
//! | variable | meaning |
//! |---|---|
//! | `LAYER` | set: the client has the layer, whose records go to an address where nobody listens |
//! | `CALLS` | how many calls are made |
//! | `CHUNKS` | set: each call is a stream of that many chunks |
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    middleware::HttpRequestFactory,
    types::chat::{
        ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
    },
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use spanledger::{Attributed, Attribution, ExporterConfig, Recorder, SpanledgerLayer};
use tower::{Layer, service_fn};

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1763719200,"model":"gpt-5.5-2026-04-23",
"choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help?","refusal":null},"logprobs":null,
"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,
"prompt_tokens_details":{"cached_tokens":400,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":120,
"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default"}"#;

const CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1763719200,"#,
    r#""model":"gpt-5.5-2026-04-23","service_tier":"default","system_fingerprint":null,"#,
    r#""choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"#,
    r#""obfuscation":"q7Kd2p"}"#,
    "\n\n"
);

const LAST: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1763719200,"#,
    r#""model":"gpt-5.5-2026-04-23","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":200,"#,
    r#""total_tokens":1200}}"#,
    "\n\ndata: [DONE]\n\n"
);

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

async fn answer(
    factory: HttpRequestFactory,
    chunks: Option<usize>,
) -> Result<reqwest::Response, OpenAIError> {
    drop(factory.build().await?);
    let response = http::Response::builder();
    let response = match chunks {
        None => response.header("content-type", "application/json").body(ANSWER.into()).unwrap(),
        Some(chunks) => {
            let chunks = (0..chunks).map(|_| CHUNK).chain([LAST]);
            let chunks = chunks.map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes())));
            let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
            response.header("content-type", "text/event-stream").body(body).unwrap()
        }
    };
    Ok(response.into())
}

fn request() -> CreateChatCompletionRequest {
    let text = "x".repeat(1_000);
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build().unwrap();
    CreateChatCompletionRequestArgs::default().model("gpt-5.5").messages([message.into()]).build().unwrap()
}

fn main() {
    let chunks = number("CHUNKS");
    let service = service_fn(move |factory| answer(factory, chunks));
    let client = Client::with_config(OpenAIConfig::new().with_api_key("key"));
    let is_layered = std::env::var_os("LAYER").is_some();
    let client = if is_layered {
        let recorder = Recorder::new(ExporterConfig::to("http://127.0.0.1:9"));
        client.with_http_service(SpanledgerLayer::new().with_recorder(recorder).layer(service))
    } else {
        client.with_http_service(service)
    };
    let attribution = Attribution::builder()
        .feature("search")
        .route("/search")
        .customer_id("acme")
        .environment("test")
        .build()
        .unwrap();
    let request = request();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for _ in 0..number("CALLS").unwrap_or(1_000) {
            // The baseline has none of our code.
            let group = if is_layered { client.chat().attributed(&attribution) } else { client.chat() };
            match chunks {
                None => drop(group.create(request.clone()).await.unwrap()),
                Some(_) => {
                    let mut stream = group.create_stream(request.clone()).await.unwrap();
                    while let Some(chunk) = stream.next().await {
                        drop(chunk.unwrap());
                    }
                }
            }
        }
    });
}
