//! What all connections of a server share.

use crate::{Pipeline, Refusal, budget::Budget};

/// The most that a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, before and after inflating. The OTLP specification recommends 64 MiB.
    pub body_bytes_max: usize,
    /// Bytes of all messages in memory.
    pub in_flight_bytes_max: usize,
    /// Connections to the OTLP ports.
    pub connections_max: usize,
    /// Concurrent streams of one HTTP/2 connection.
    pub streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 << 20,
            in_flight_bytes_max: 256 << 20,
            connections_max: 4_096,
            streams_max: 256,
        }
    }
}

/// What a connection needs to answer its requests.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pipeline: Pipeline,
    pub(crate) budget: Budget,
}

impl Shared {
    /// Counts and logs a refusal.
    pub(crate) fn note_refusal(&self, refusal: &Refusal) {
        self.pipeline.counters().add_refused(1);
        tracing::debug!(%refusal, "receiver.request.refused");
    }
}
