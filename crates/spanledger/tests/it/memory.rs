//! What the layer costs in memory and allocations, counted and not timed. The service answers from memory and all
//! tasks run on the thread that counts.

use allocation_counter::AllocationInfo;
use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    middleware::HttpRequestFactory,
    types::chat::{ChatCompletionResponseStream, CreateChatCompletionStreamResponse},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use spanledger::{Attributed, ExporterConfig, Recorder, SpanledgerLayer};
use tokio::runtime::Runtime;
use tower::{Layer as _, service_fn};

use spanledger_testkit::world::{attribution, chat_request};

const CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5.5","choices":"#,
    r#"[{"index":0,"delta":{"content":" word"},"finish_reason":null}],"usage":null}"#,
    "\n\n"
);

/// Answers with a stream of chunks that does not end.
async fn answer(factory: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    drop(factory.build().await?);
    let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(CHUNK.as_bytes())));
    // A real stream has pauses. Without them the client would read it without an end.
    let chunks = chunks.then(|chunk| async {
        tokio::task::yield_now().await;
        chunk
    });
    let response = http::Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(reqwest::Body::wrap_stream(chunks)).unwrap().into())
}

/// Answers with one object.
async fn answer_at_once(factory: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5.5","choices":[
        {"index":0,"message":{"role":"assistant","content":"Hello!"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}}"#;
    drop(factory.build().await?);
    let response = http::Response::builder().header("content-type", "application/json");
    Ok(response.body(ANSWER).unwrap().into())
}

fn client<S, F>(layered: bool, service: S) -> Client<OpenAIConfig>
where
    S: tower::Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError, Future = F>
        + Clone
        + Send
        + Sync
        + 'static,
    F: Future<Output = Result<reqwest::Response, OpenAIError>> + Send + 'static,
{
    let client = Client::with_config(OpenAIConfig::new().with_api_key("key"));
    if !layered {
        return client.with_http_service(service);
    }
    let recorder = Recorder::new(ExporterConfig::to("http://127.0.0.1:9"));
    let layer = SpanledgerLayer::new().with_recorder(recorder);
    client.with_http_service(layer.layer(service))
}

async fn open(client: &Client<OpenAIConfig>, layered: bool, prompt: &str) -> ChatCompletionResponseStream {
    let group = if layered { client.chat().attributed(&attribution("a")) } else { client.chat() };
    let mut stream = group.create_stream(chat_request(prompt)).await.unwrap();
    next(&mut stream).await;
    stream
}

async fn next(
    stream: &mut (impl Stream<Item = Result<CreateChatCompletionStreamResponse, OpenAIError>> + Unpin),
) {
    drop(stream.next().await.unwrap().unwrap());
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Opens a stream and reads its first chunk, and counts what stays allocated.
fn open_bytes(layered: bool, prompt_bytes: usize) -> i64 {
    let (runtime, client, prompt) =
        (runtime(), client(layered, service_fn(answer)), "x".repeat(prompt_bytes));
    // The first stream loads what all streams share.
    drop(runtime.block_on(open(&client, layered, &prompt)));
    let mut stream = None;
    let counted: AllocationInfo = allocation_counter::measure(|| {
        stream = Some(runtime.block_on(open(&client, layered, &prompt)));
    });
    drop(stream);
    counted.bytes_current
}

/// Guarantees: what the layer keeps of an open stream is small, and does not grow with the prompt.
#[test]
fn an_open_stream_keeps_less_than_four_kibibytes_and_nothing_of_its_prompt() {
    let [small, large] = [1_000, 1_000_000].map(|bytes| open_bytes(true, bytes) - open_bytes(false, bytes));
    assert!(small < 4_096, "{small} bytes for each open stream");
    assert!((large - small).abs() < 512, "{small} bytes with a small prompt, {large} with a large one");
}

/// Guarantees: a chunk that has only a piece of the answer costs at most two allocations.
#[test]
fn a_chunk_costs_at_most_two_allocations() {
    const CHUNKS: i64 = 1_000;
    let counts = [true, false].map(|layered| {
        let (runtime, client) = (runtime(), client(layered, service_fn(answer)));
        let mut stream = runtime.block_on(open(&client, layered, "hello"));
        let counted = allocation_counter::measure(|| {
            runtime.block_on(async {
                for _ in 0..CHUNKS {
                    next(&mut stream).await;
                }
            });
        });
        i64::try_from(counted.count_total).unwrap()
    });
    let added = counts[0] - counts[1];
    assert!(added <= 2 * CHUNKS, "{added} allocations for {CHUNKS} chunks");
}

/// Guarantees: a call adds at most forty allocations on the thread that makes it.
#[test]
fn a_call_costs_at_most_forty_allocations() {
    const CALLS: i64 = 100;
    let counts = [true, false].map(|layered| {
        let (runtime, client) = (runtime(), client(layered, service_fn(answer_at_once)));
        let (attribution, request) = (attribution("a"), chat_request("hello"));
        let call = async || {
            let group = if layered { client.chat().attributed(&attribution) } else { client.chat() };
            drop(group.create(request.clone()).await.unwrap());
        };
        runtime.block_on(call());
        let counted = allocation_counter::measure(|| {
            runtime.block_on(async {
                for _ in 0..CALLS {
                    call().await;
                }
            });
        });
        i64::try_from(counted.count_total).unwrap()
    });
    let added = counts[0] - counts[1];
    assert!(added <= 40 * CALLS, "{added} allocations for {CALLS} calls");
}
