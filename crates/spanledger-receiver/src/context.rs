//! The limits of a server and the state that its connections share.

use crate::{Pipeline, Refusal, budget::Budget};

/// The limits of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The greatest size of one message in bytes, before and after inflating. The OTLP specification
    /// recommends 64 MiB.
    pub body_bytes_max: usize,
    /// The greatest size in bytes of all messages in memory together.
    pub in_flight_bytes_max: usize,
    /// The greatest number of connections to the OTLP ports.
    pub connections_max: usize,
    /// The greatest number of concurrent streams of one HTTP/2 connection.
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

/// The state that the connections of a server share.
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
