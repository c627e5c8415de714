//! Tests the stand-in provider with two clients: the typed one that services use,
//! and a plain HTTP client for details that the typed one hides.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails at that place")]

mod chat;
mod embeddings;
mod faults;
mod http;
mod responses;
mod support;
