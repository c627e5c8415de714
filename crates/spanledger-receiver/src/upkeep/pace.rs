//! How much of a long work is done at once.

use std::time::Duration;

/// A part of the work is to take this long. Appends of others wait for it.
const PART: Duration = Duration::from_millis(20);
/// The size of the first part. How long it takes decides the size of the next one.
const FIRST: usize = 32;
/// The greatest size of a part.
const LIMIT_MAX: usize = 8_192;
/// Work beside others rests so many times as long as it worked.
const REST: u32 = 2;

/// Chooses how much of a long work is done at once, so that a part takes about 20 ms, and rests between the
/// parts if others append meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    limit: usize,
    rest: u32,
}

impl Pace {
    /// Nobody else uses the ledger.
    pub fn alone() -> Self {
        Self { limit: FIRST, rest: 0 }
    }

    /// Others append to the ledger meanwhile.
    pub fn beside_others() -> Self {
        Self { limit: FIRST, rest: REST }
    }

    /// The size of the next part.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A part took so long.
    pub(crate) async fn worked(&mut self, took: Duration) {
        self.adapt(took);
        if self.rest > 0 {
            tokio::time::sleep(took.saturating_mul(self.rest)).await;
        }
    }

    fn adapt(&mut self, took: Duration) {
        let (aim, took) = (PART.as_micros(), took.as_micros().max(1));
        let limit = self.limit as u128 * aim / took;
        let limit = usize::try_from(limit).unwrap_or(LIMIT_MAX);
        // One part says little about the next one, so that the size grows slowly.
        self.limit = limit.clamp(1, (self.limit * 2).min(LIMIT_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_smaller_at_once_and_larger_slowly_within_bounds() {
        let mut pace = Pace::alone();
        pace.adapt(PART * 8);
        assert_eq!(pace.limit(), FIRST / 8);
        pace.adapt(Duration::from_hours(1));
        assert_eq!(pace.limit(), 1);
        pace.adapt(Duration::ZERO);
        assert_eq!(pace.limit(), 2);
        for _ in 0..20 {
            pace.adapt(Duration::from_micros(1));
        }
        assert_eq!(pace.limit(), LIMIT_MAX);
        pace.adapt(PART);
        assert_eq!(pace.limit(), LIMIT_MAX);
    }
}
