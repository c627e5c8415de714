//! What a sink is given, and what it answers.

use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use spanledger_event::{CostEvent, SharedEvent};

/// The identity of a batch.
///
/// It is stored in the ledger before the batch is sent for the first time. A retry has the same identity and
/// the same events, also after a restart, so that a destination can recognize it: as a deduplication token,
/// an idempotency key or a file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// The id of the ledger. No other ledger has it, so that a position in one ledger is never taken for a
    /// position in another.
    pub ledger: String,
    /// The name of the sink.
    pub sink: String,
    /// The batch begins after this position.
    pub from: i64,
    /// The last position of the batch.
    pub to: i64,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}-{}", self.ledger, self.sink, self.from, self.to)
    }
}

/// An event at its position in the ledger's sequence of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positioned {
    /// The position.
    pub position: i64,
    /// The event. All sinks share it, and its JSON text is computed once.
    pub event: Arc<SharedEvent>,
}

/// Events in the order of their changes. An event occurs at most once in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The identity.
    pub id: BatchId,
    /// The events. Positions may be missing: they belong to events that changed again later, and to
    /// events that the configuration does not send to the sink.
    pub events: Vec<Positioned>,
}

impl Batch {
    /// The events without their positions.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Arc<SharedEvent>> {
        self.events.iter().map(|positioned| &positioned.event)
    }

    /// The parts up to and with this position, and after it.
    #[must_use]
    pub fn split_at(mut self, position: i64) -> (Self, Self) {
        let middle = self.events.partition_point(|event| event.position <= position);
        let rest = self.events.split_off(middle);
        let rest = Self { id: BatchId { from: position, ..self.id.clone() }, events: rest };
        self.id.to = position;
        (self, rest)
    }

    /// The position that divides the events into two halves; `None` if there are less than two.
    pub fn middle(&self) -> Option<i64> {
        (self.events.len() > 1).then(|| self.events[self.events.len() / 2 - 1].position)
    }

    /// About how many bytes the events take in a row or a line.
    pub fn approximate_bytes(&self) -> usize {
        self.events().map(|event| approximate_bytes(event)).sum()
    }
}

/// About how many bytes an event takes in a row or a line: the columns of fixed size, and those that an
/// emitter can make long.
pub fn approximate_bytes(event: &CostEvent) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let dims: usize = event.dims.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
    1_000
        + event.cost_lines.len() * 100
        + event.usage_raw.as_ref().map_or(0, |usage| usage.as_str().len())
        + dims
        + text(&event.feature)
        + text(&event.route)
        + text(&event.customer_id)
        + text(&event.cost_detail)
}

/// The batches that suit a destination. A user can change each value in the sink's table of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchShape {
    /// The greatest number of events in a batch.
    pub rows: NonZeroUsize,
    /// About the greatest number of bytes in a batch. A batch has at least one event.
    pub bytes: usize,
    /// How long the sink waits for a batch to become full, since its first event.
    pub linger: Duration,
    /// How many batches are written before they are committed together.
    pub in_flight: NonZeroUsize,
}

impl Default for BatchShape {
    /// 1,000 events or 8 MiB, sent at once and one after another.
    fn default() -> Self {
        Self { rows: at_least_one(1_000), bytes: 8 << 20, linger: Duration::ZERO, in_flight: at_least_one(1) }
    }
}

impl BatchShape {
    /// Sets the greatest number of events.
    #[must_use]
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = at_least_one(rows);
        self
    }

    /// Sets about the greatest number of bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how long the sink waits for a full batch.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets how many batches are written before they are committed together.
    #[must_use]
    pub fn in_flight(mut self, batches: usize) -> Self {
        self.in_flight = at_least_one(batches);
        self
    }
}

fn at_least_one(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

/// What became of a batch that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The events that the destination refuses. The others are durable after the next commit.
    pub rejected: Vec<Rejection>,
}

impl Written {
    /// The destination takes every event.
    pub const ALL: Self = Self { rejected: Vec::new() };
}

/// An event that a destination refuses. It goes to the sink's dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The place of the event in the batch.
    pub index: usize,
    /// The destination's reason, for people.
    pub reason: String,
}
