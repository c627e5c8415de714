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
    types::chat::{
        ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
    },
};
use futures_util::StreamExt as _;
use spanledger::{Attributed, Attribution, ExporterConfig, Recorder, SpanledgerLayer};
use tower::{Layer, service_fn};

use memory::Reply;

#[path = "call/memory.rs"]
mod memory;

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

fn request() -> CreateChatCompletionRequest {
    let text = "x".repeat(1_000);
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build().unwrap();
    CreateChatCompletionRequestArgs::default().model("gpt-5.5").messages([message.into()]).build().unwrap()
}

fn main() {
    let chunks = number("CHUNKS");
    let reply = chunks.map_or(Reply::Whole, |count| Reply::Chunks { count, in_turns: false });
    let service = service_fn(move |factory| memory::answer(factory, reply));
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
