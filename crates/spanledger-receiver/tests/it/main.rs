//! Tests the receiver over sockets and with a ledger on disk, from the view of clients, destinations and sinks.
//!
//! Codes such as C55, J7 and T24 are rules of OTLP and failures of other systems;
//! `docs/otlp-conformance.md` explains each of them. An answer of success is always checked against
//! the ledger's file, opened by a second reader.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod admin;
mod conformance;
mod delivery;
mod faults;
mod forward;
mod fuzz;
mod grpc;
mod hostile;
mod http;
mod json;
mod limits;
mod partial_success;
mod replay;
mod shutdown;
mod support;
mod wire;
