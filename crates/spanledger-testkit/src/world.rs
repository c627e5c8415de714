//! Every part that a call passes through, in the process of the test.
//!
//! A set-up that fails panics, so that the test fails at that place.
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
