//! What is measured.

use crate::{
    order::Order,
    server::{Addresses, CHUNKS, CHUNKS_AT_ONCE},
};

/// A kind of calls that all clients make in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Call,
    Chunk,
    HttpCall,
    HttpChunk,
    Streams,
    HttpStreams,
    PacedStreams,
}

/// The number of streams at the same time.
const STREAMS: usize = 1_000;
/// The chunks of a stream in memory.
const MEMORY_CHUNKS: usize = 2_000;

impl Scenario {
    pub(crate) const ALL: [Self; 7] = [
        Self::Call,
        Self::Chunk,
        Self::HttpCall,
        Self::HttpChunk,
        Self::Streams,
        Self::HttpStreams,
        Self::PacedStreams,
    ];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Chunk => "chunk",
            Self::HttpCall => "http-call",
            Self::HttpChunk => "http-chunk",
            Self::Streams => "streams",
            Self::HttpStreams => "http-streams",
            Self::PacedStreams => "paced-streams",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Call => "A call with a prompt of 1 kB, answered from memory: time for each call",
            Self::Chunk => {
                "A stream from memory, whose usage the layer asks for and hides: time for each chunk"
            }
            Self::HttpCall => "A call with a prompt of 1 kB to a server on this machine: time for each call",
            Self::HttpChunk => "A stream of a server on this machine: time for each chunk",
            Self::Streams => "1,000 streams at once from memory, as fast as the processors allow",
            Self::HttpStreams => {
                "1,000 streams at once of a server on this machine, as fast as the processors allow"
            }
            Self::PacedStreams => "1,000 streams at once of a server on this machine, a chunk every 50 ms",
        }
    }

    /// Whether many calls run at the same time, so that the throughput counts.
    pub(crate) fn is_at_once(self) -> bool {
        matches!(self, Self::Streams | Self::HttpStreams | Self::PacedStreams)
    }

    /// Whether clients in other languages can take part.
    pub(crate) fn is_for_peers(self) -> bool {
        matches!(self, Self::HttpCall | Self::HttpChunk)
    }

    /// The calls of one round.
    pub(crate) fn order(self, addresses: &Addresses) -> Order {
        let memory = "memory".to_owned();
        let (target, calls, chunks) = match self {
            Self::Call => (memory, 500, 0),
            Self::Chunk => (memory, 3, MEMORY_CHUNKS),
            Self::HttpCall => (addresses.fast.clone(), 100, 0),
            Self::HttpChunk => (addresses.provider.clone(), 3, CHUNKS),
            Self::Streams => (memory, STREAMS, CHUNKS_AT_ONCE),
            Self::HttpStreams => (addresses.fast.clone(), STREAMS, CHUNKS_AT_ONCE),
            Self::PacedStreams => (addresses.paced.clone(), STREAMS, CHUNKS_AT_ONCE),
        };
        Order { at_once: self.is_at_once(), target, calls, chunks }
    }
}
