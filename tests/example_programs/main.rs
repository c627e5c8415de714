//! Runs each example program as a process of its own, against the stand-in provider and a receiver.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod programs;
mod support;
