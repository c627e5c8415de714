//! Adds up what was lost, for the gap event.

use spanledger_event::{EventId, Usd};
use spanledger_otlp::record::{self, Gap, LogRecord};
use uuid::Uuid;

use crate::clock::now;

#[cfg(test)]
mod tests;

/// The records that were lost since the last gap event.
#[derive(Debug, Default)]
pub(super) struct Losses(Option<Gap>);

impl Losses {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds a lost record, with the cost that it states.
    pub(super) fn add(&mut self, record: &LogRecord) {
        let cost = record::cost(record);
        let gap = self.gap();
        gap.calls += 1;
        match cost {
            Some(cost) => gap.cost = gap.cost + cost,
            None => gap.calls_without_cost += 1,
        }
    }

    /// Adds lost records whose cost is not known.
    pub(super) fn add_unseen(&mut self, calls: u64) {
        if calls > 0 {
            let gap = self.gap();
            gap.calls += calls;
            gap.calls_without_cost += calls;
        }
    }

    fn gap(&mut self) -> &mut Gap {
        let now = now();
        let gap = self.0.get_or_insert_with(|| Gap {
            id: EventId::from_text(Uuid::now_v7().to_string()),
            calls: 0,
            calls_without_cost: 0,
            cost: Usd::default(),
            from: now,
            to: now,
            service_name: None,
        });
        // The clock may have gone backwards.
        gap.to = gap.to.max(now);
        gap
    }

    /// The gap event of what was lost so far.
    pub(super) fn take(&mut self) -> Option<LogRecord> {
        self.0.take().map(|gap| gap.to_record())
    }
}
