//! The waits after faults.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use super::DeliveryOptions;

/// A destination may ask to wait, but not for longer than this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(super) struct Backoff {
    options: DeliveryOptions,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(options: DeliveryOptions) -> Self {
        Self { options, next: options.backoff }
    }

    /// The wait after a passing fault: what the destination asks for, or else twice the last wait.
    pub(super) fn after(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.options.backoff_max);
        match asked {
            Some(asked) => asked.min(RETRY_AFTER_MAX),
            None => wait.mul_f64(1.0 - random() / 2.0),
        }
    }

    /// The wait before a blocked destination is opened again.
    pub(super) fn blocked(&self) -> Duration {
        self.options.blocked
    }

    /// Begins again with the shortest wait.
    pub(super) fn reset(&mut self) {
        self.next = self.options.backoff;
    }
}

/// A number from 0 to 1. The standard library seeds each hasher at random.
#[expect(clippy::cast_precision_loss, reason = "a jitter needs no precision")]
fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests;
