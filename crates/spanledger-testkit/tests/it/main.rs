//! The stand-in provider against real clients: the typed one that services use,
//! and a plain one for what the typed one hides.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod chat;
mod embeddings;
mod faults;
mod http;
mod responses;
mod support;
