//! How long the events have waited that a sink does not have yet.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How many moments are remembered. If there are more, every second one is forgotten.
const SAMPLES_MAX: usize = 512;
/// The shortest time between two moments.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// When the ledger reached which number.
#[derive(Debug, Default)]
pub(super) struct Lag(VecDeque<(i64, Instant)>);

impl Lag {
    /// Notes that the ledger has come to this number.
    pub(super) fn note(&mut self, number: i64, now: Instant) {
        if self.0.back().is_some_and(|(last, at)| number <= *last || now - *at < SAMPLE_EVERY) {
            return;
        }
        if self.0.len() >= SAMPLES_MAX {
            // Of two moments the earlier one stays, so that a wait is not told shorter than it is.
            let mut index = 0;
            self.0.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.0.push_back((number, now));
    }

    /// Forgets what the sink has.
    pub(super) fn pass(&mut self, cursor: i64) {
        while self.0.front().is_some_and(|(number, _)| *number <= cursor) {
            self.0.pop_front();
        }
    }

    /// How long the oldest event has waited.
    pub(super) fn since(&self, now: Instant) -> Duration {
        self.0.front().map_or(Duration::ZERO, |(_, at)| now - *at)
    }
}

#[cfg(test)]
mod tests;
