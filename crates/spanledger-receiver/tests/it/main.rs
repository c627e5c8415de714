//! The receiver as clients, destinations and sinks meet it: over sockets, with a ledger on disk.
//!
//! Rows named `C..`, `J..` and `T..` are those of the conformance lists in `reference/otlp.md`.
//! An answer of success is always held against the ledger's file, opened by a second reader.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod admin;
mod delivery;
mod forward;
mod fuzz;
mod grpc;
mod http;
mod json;
mod limits;
mod support;
mod wire;
