//! The layer against the stand-in provider, the real receiver and a ledger.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod attribution;
mod calls;
mod spans;
mod streams;
mod world;
