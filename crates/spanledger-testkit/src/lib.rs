//! For tests, the demo and examples: an OpenAI-compatible server that speaks
//! the real wire formats.
//!
//! A test starts a [`Provider`] on a free port of the loopback interface,
//! points a real client at [`Provider::base_url`], says with [`Reply`] what
//! the provider does next, and asserts on what the client made of it and on
//! what reached the provider ([`Provider::requests`]).
//!
//! ```
//! use spanledger_testkit::{Provider, Reply, Usage};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = Provider::builder()
//!     .seed(7)
//!     .script([
//!         Reply::rate_limited().retry_after(1),
//!         Reply::answer("Hello.").usage(Usage::new(1_200, 40).cached(1_024).reasoning(32)),
//!     ])
//!     .start()
//!     .await?;
//!
//! let ask = || {
//!     reqwest::Client::new()
//!         .post(format!("{}/chat/completions", provider.base_url()))
//!         .header("authorization", "Bearer test")
//!         .body(r#"{"model":"gpt-5.5","messages":[{"role":"user","content":"Hi"}]}"#)
//!         .send()
//! };
//! assert_eq!(ask().await?.status(), 429);
//! let answer: serde_json::Value = serde_json::from_slice(&ask().await?.bytes().await?)?;
//! assert_eq!(answer["model"], "gpt-5.5-2026-04-23");
//! assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 1_024);
//! assert_eq!(answer["usage"]["total_tokens"], 1_240);
//!
//! assert_eq!(provider.requests().len(), 2);
//! provider.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Endpoints
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/chat/completions` | a chat completion, or its chunks |
//! | `POST /v1/responses` | a response, or its typed events |
//! | `POST /v1/embeddings` | vectors, as numbers or base64 |
//! | `GET /v1/models`, `GET /v1/models/{id}` | the known models |
//! | `GET /v1/chat/completions/{id}` | a call that was made with `"store": true` |
//! | `GET /v1/responses/{id}` | a call that was not made with `"store": false` |
//!
//! Anything else is the provider's 404 or 405.
//!
//! # Which reply
//!
//! A valid `POST` takes the first of: the next reply scripted for its model
//! ([`Provider::push_for`]), the next scripted reply ([`Provider::push`]), the
//! reply of [`Builder::default_reply`]. An invalid one (no key, no model, not
//! JSON) is refused and takes none.
//!
//! What a reply leaves open is derived from the request and the seed: the same
//! model, input and seed give the same usage and text, streamed or not. Ids
//! and creation times count requests instead of reading a clock, so that a
//! test that sends its requests in order sees the same ids in every run.
//!
//! # Where the formats come from
//!
//! The `OpenAI` API reference; each module names the sections that it follows.
//! Tokens are nested as there: the prompt includes cached and cache-write
//! tokens, the completion includes reasoning, and the total is their sum. Only
//! a [`Usage`] that is told to contradict itself does.
//!
//! # Bounds
//!
//! The server keeps the newest [`REQUESTS_KEPT_MAX`] requests and
//! [`CALLS_STORED_MAX`] stored calls, and reads bodies up to
//! [`REQUEST_BODY_BYTES_MAX`].

mod chat;
mod connection;
mod derive;
mod embeddings;
mod errors;
mod headers;
mod json;
mod log;
mod models;
mod plan;
mod provider;
mod reply;
mod request;
mod responses;
mod server;
mod sse;
mod state;
mod usage;

pub use errors::ApiError;
pub use log::Received;
pub use provider::{Builder, Provider};
pub use reply::{FinishReason, Reply};
pub use server::REQUEST_BODY_BYTES_MAX;
pub use state::{CALLS_STORED_MAX, REQUESTS_KEPT_MAX};
pub use usage::Usage;
