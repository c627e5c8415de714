//! A service that answers from memory, so that nothing but the client and the layer takes time.

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use bytes::Bytes;
use futures_util::StreamExt as _;

/// The answer to a chat that is not streamed.
const ANSWER: &str = r#"{"id":"chatcmpl-ID","object":"chat.completion","created":1763719200,"model":"gpt-5.5-2026-04-23",
"choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help?","refusal":null},"logprobs":null,
"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,
"prompt_tokens_details":{"cached_tokens":400,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":120,
"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default"}"#;

/// A chunk with a piece of the answer.
const CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":1763719200,"#,
    r#""model":"gpt-5.5-2026-04-23","service_tier":"default","system_fingerprint":null,"#,
    r#""choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"#,
    r#""obfuscation":"q7Kd2p"}"#,
    "\n\n"
);

/// The end of a stream.
const LAST: &str = concat!(
    r#"data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":1763719200,"#,
    r#""model":"gpt-5.5-2026-04-23","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":200,"#,
    r#""total_tokens":1200}}"#,
    "\n\ndata: [DONE]\n\n"
);

/// A text of an answer with an id that no other answer has.
///
/// A ledger keeps only a few sightings of one answer.
fn with_id(text: &str, number: u64) -> Bytes {
    text.replacen("ID", &format!("{}-{number}", process::id()), 1).into()
}

/// How a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    /// A whole answer.
    Whole,
    /// A stream of so many chunks. If they come in turns, other tasks run before each of them, as with a network;
    /// otherwise all chunks are there at once.
    Chunks { count: usize, in_turns: bool },
}

/// Answers a request.
pub(crate) async fn answer(
    factory: HttpRequestFactory,
    reply: Reply,
) -> Result<reqwest::Response, OpenAIError> {
    static ANSWERS: AtomicU64 = AtomicU64::new(0);
    drop(factory.build().await?);
    let number = ANSWERS.fetch_add(1, Ordering::Relaxed);
    let chunks = |count: usize| {
        let chunks = std::iter::repeat_n(with_id(CHUNK, number), count).chain([with_id(LAST, number)]);
        chunks.map(Ok::<_, std::io::Error>)
    };
    let (content_type, body) = match reply {
        Reply::Whole => ("application/json", with_id(ANSWER, number).into()),
        Reply::Chunks { count, in_turns: false } => {
            let chunks = futures_util::stream::iter(chunks(count));
            ("text/event-stream", reqwest::Body::wrap_stream(chunks))
        }
        Reply::Chunks { count, in_turns: true } => {
            let chunks = futures_util::stream::iter(chunks(count)).then(|chunk| async {
                tokio::task::yield_now().await;
                chunk
            });
            ("text/event-stream", reqwest::Body::wrap_stream(chunks))
        }
    };
    let response = http::Response::builder().header("content-type", content_type).body(body).unwrap();
    Ok(response.into())
}
