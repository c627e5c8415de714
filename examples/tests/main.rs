//! The examples, each run as a process against the stand-in provider and a receiver.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod axum_service;
mod existing_tracing;
mod programs;
mod quickstart;
mod support;
