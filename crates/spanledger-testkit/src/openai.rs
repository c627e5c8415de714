//! A stand-in for OpenAI: an HTTP server that speaks the real wire formats.
//!
//! # Endpoints
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/chat/completions`, `/v1/completions` | a completion, or its chunks |
//! | `POST /v1/responses` | a response, or its typed events; with `background`, a queued response |
//! | `POST /v1/responses/compact`, `/v1/responses/input_tokens` | a compaction, a count |
//! | `POST /v1/embeddings` | vectors, as numbers or base64 |
//! | `POST /v1/images/{generations,edits,variations}` | images, or the events of one image |
//! | `POST /v1/audio/speech` | bytes, or events |
//! | `POST /v1/audio/{transcriptions,translations}` | JSON, text, subtitles, or events |
//! | `POST /v1/moderations`, `/v1/decisions` | judgements |
//! | `/v1/batches`, `/v1/fine_tuning/jobs`, `/v1/evals`, `/v1/evals/{id}/runs`, `/v1/videos` | jobs: create, read, list, cancel |
//! | `/v1/files`, `/v1/containers`, `/v1/vector_stores`, `/v1/conversations` | stored objects: create, read, list, change, delete |
//! | `POST /v1/realtime/client_secrets`, `/v1/realtime/calls` | the REST side of realtime sessions |
//! | `GET /v1/models`, `GET /v1/models/{id}` | the known models |
//! | `GET /v1/chat/completions/{id}` | a call that was made with `"store": true` |
//! | `GET /v1/responses/{id}` | a call that was not made with `"store": false`; with `?stream=true` its events |
//!
//! The same paths exist below `/openai/v1`, and with `api-version` below `/openai/deployments/{deployment}` and
//! `/openai`, as Azure has them.
//!
//! Any other request gets the provider's error 404 or 405, unless a test scripted a reply for its path
//! ([`Provider::push_for_path`]).
//!
//! # Choice of the reply
//!
//! A valid call takes the first of these that exists: the next reply scripted for its path
//! ([`Provider::push_for_path`]), the next reply scripted for its model
//! ([`Provider::push_for`]), the next scripted reply ([`Provider::push`]), the
//! reply of [`Builder::default_reply`]. An invalid request (no key, no model, not
//! JSON) is refused and takes no reply. Creating a batch, a fine-tuning job, a run of an evaluation, a video or a
//! container is a call. All other requests for stored objects take only replies for their path.
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
//! The server keeps the newest [`REQUESTS_KEPT_MAX`] requests, with at most [`REQUESTS_KEPT_BYTES_MAX`] of bodies, and
//! [`CALLS_STORED_MAX`] stored calls, and reads bodies up to
//! [`REQUEST_BODY_BYTES_MAX`].

mod audio;
mod chat;
mod completions;
mod connection;
mod embeddings;
mod endpoint;
mod errors;
mod fields;
mod format;
mod generate;
mod headers;
mod images;
mod json;
mod judgements;
mod models;
mod oddities;
mod path;
mod provider;
mod received;
mod reply;
mod request;
mod resolved;
mod resources;
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
pub use state::{CALLS_STORED_MAX, REQUESTS_KEPT_BYTES_MAX, REQUESTS_KEPT_MAX};
pub use usage::Usage;
