//! The layer against the stand-in provider, the real receiver and a ledger.
//!
//! A test that makes a call waits for its event, even where it does not look at it. The exporter would
//! otherwise send the record after the test has ended, to a port that another test's receiver may have
//! taken by then.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod attribution;
mod calls;
mod coverage;
mod endings;
#[cfg(feature = "tokenizer")]
mod estimate;
mod export;
#[cfg(unix)]
mod fork;
mod genai_layer;
mod jobs;
mod memory;
mod missing_attribution;
mod nothing_leaves;
mod receivers;
mod scope;
mod spans;
mod spend_guard;
#[cfg(feature = "spool")]
mod spool;
mod stream_bytes;
mod streams;
