//! Everything that a call passes, in the test's own process.
//!
//! What is set up here belongs to one test: what cannot be set up panics, so that the test fails
//! where it stands.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "this code runs in tests: a set-up that fails is a failed test"
)]

#[cfg(feature = "world")]
mod client;
mod receiver;

#[cfg(feature = "world")]
pub use client::{World, attribution, chat_request, keep_spans_enabled};
pub use receiver::{TestReceiver, TestReceiverBuilder, events_of};
