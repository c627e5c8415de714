//! Starting the program and its peers, and sending calls.

use std::time::Duration;

mod otlp;
mod peers;
mod program;
mod serve;

pub(crate) use otlp::post_call;
pub(crate) use peers::{peer, peer_command};
#[cfg(unix)]
pub(crate) use program::send_signal;
pub(crate) use program::{run, run_with_input, spanledger, stderr, stdout, wait_for_end};
pub(crate) use serve::Serve;

/// The time after which a test gives up waiting. Only a hang takes that long.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);
