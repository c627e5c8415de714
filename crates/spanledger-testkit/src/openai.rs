//! A stand-in for OpenAI: an HTTP server that speaks the real wire formats.
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
//! Any other request gets the provider's error 404 or 405.
//!
//! # Choice of the reply
//!
//! A valid `POST` takes the first of these that exists: the next reply scripted for its model
//! ([`Provider::push_for`]), the next scripted reply ([`Provider::push`]), the
//! reply of [`Builder::default_reply`]. An invalid request (no key, no model, not
//! JSON) is refused and takes no reply.
//!
//! Values that a reply does not set are generated from the request and the seed: the
//! same model, input and seed give the same usage and text, streamed or not. Ids
//! and creation times count requests instead of reading a clock, so that a
//! test that sends its requests in order sees the same ids in every run.
//!
//! # Where the formats come from
//!
//! The formats follow the `OpenAI` API reference; each module names its sections.
//! Tokens are nested as in the reference: the prompt includes cached and cache-write
//! tokens, the completion includes reasoning, and the total is their sum. A test
//! can script a [`Usage`] that contradicts itself.
//!
//! # Bounds
//!
//! The server keeps the newest [`REQUESTS_KEPT_MAX`] requests and
//! [`CALLS_STORED_MAX`] stored calls, and reads bodies up to
//! [`REQUEST_BODY_BYTES_MAX`].

mod chat;
mod connection;
mod embeddings;
mod errors;
mod generate;
mod headers;
mod json;
mod models;
mod provider;
mod received;
mod reply;
mod request;
mod resolved;
mod responses;
mod server;
mod sse;
mod state;
mod usage;

pub use errors::ApiError;
pub use provider::{Builder, Provider};
pub use received::Received;
pub use reply::{FinishReason, Reply};
pub use server::REQUEST_BODY_BYTES_MAX;
pub use state::{CALLS_STORED_MAX, REQUESTS_KEPT_MAX};
pub use usage::Usage;
