//! How long to wait between two attempts.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

#[cfg(test)]
mod tests;

/// Waits that double up to a maximum. Each has a random part, so that many services that lost the same receiver do
/// not all come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
    random: RandomState,
    /// The number of random values so far.
    drawn: u64,
}

impl Backoff {
    pub(super) fn new(first: Duration, max: Duration) -> Self {
        let max = max.max(first);
        Self { first, max, next: first, random: RandomState::new(), drawn: 0 }
    }

    /// The next wait is a first one again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The wait after a further failure. The one after it is twice as long.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.max);
        self.jitter(wait)
    }

    /// The wait after a failure that says little about the receiver.
    pub(super) fn short_wait(&mut self) -> Duration {
        self.jitter(self.first)
    }

    /// A random duration between half of this one and this one.
    pub(super) fn jitter(&mut self, duration: Duration) -> Duration {
        self.drawn = self.drawn.wrapping_add(1);
        let random = u32::try_from(self.random.hash_one(self.drawn) >> 32).unwrap_or_default();
        let half = duration / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}
