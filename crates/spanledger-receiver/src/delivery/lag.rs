//! How long the events have waited that a sink does not have yet.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How many moments are remembered. If there are more, every second one is forgotten.
const SAMPLES_MAX: usize = 512;
/// The shortest time between two moments.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// When the ledger reached which number.
#[derive(Debug, Default)]
pub(super) struct Lag {
    moments: VecDeque<(i64, Instant)>,
    /// After this position there is no change up to that number.
    empty: Option<(i64, i64)>,
}

impl Lag {
    /// Notes that the ledger has come to this number.
    pub(super) fn note(&mut self, number: i64, now: Instant) {
        if self.moments.back().is_some_and(|(last, at)| number <= *last || now - *at < SAMPLE_EVERY) {
            return;
        }
        if self.moments.len() >= SAMPLES_MAX {
            // Of two moments the earlier one stays, so that a wait is not told shorter than it is.
            let mut index = 0;
            self.moments.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.moments.push_back((number, now));
    }

    /// Remembers that there is no change after a position up to a number.
    pub(super) fn is_empty_after(&mut self, position: i64, number: i64) {
        self.empty = Some((position, number));
    }

    /// Forgets what the sink has.
    pub(super) fn pass(&mut self, cursor: i64) {
        let cursor = match self.empty {
            Some((position, number)) if position <= cursor => cursor.max(number),
            _ => cursor,
        };
        while self.moments.front().is_some_and(|(number, _)| *number <= cursor) {
            self.moments.pop_front();
        }
    }

    /// How long the oldest event has waited.
    pub(super) fn since(&self, now: Instant) -> Duration {
        self.moments.front().map_or(Duration::ZERO, |(_, at)| now - *at)
    }
}

#[cfg(test)]
mod tests;
