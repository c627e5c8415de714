//! Tests the stand-in provider with two clients: the typed one that services use,
//! and a plain HTTP client for details that the typed one hides.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails at that place")]

mod audio;
mod azure;
mod batches;
mod chat;
mod completions;
mod embeddings;
mod faults;
mod http;
mod images;
mod jobs;
mod judgements;
mod oddities;
mod responses;
mod stores;
mod support;
