//! A follower that reads everything, batch by batch, and keeps the latest revision of each event.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spanledger_event::{CostEvent, EventId};
use spanledger_ledger::{BatchRange, Change, Ledger};

use super::naive::Naive;

#[derive(Debug)]
pub(super) struct Reader {
    name: &'static str,
    /// Its cursor, once the ledger knows the reader.
    pub(super) cursor: Option<i64>,
    in_hand: Option<(BatchRange, Vec<Change>)>,
    events: BTreeMap<EventId, CostEvent>,
}

impl Reader {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, cursor: None, in_hand: None, events: BTreeMap::new() }
    }

    /// Asks for a batch. Returns its last number, if there is one.
    pub(super) async fn read(&mut self, ledger: &Ledger, limit: usize) -> Result<Option<i64>, TestCaseError> {
        let range = ledger.hand_out(self.name, limit).await.unwrap();
        if let Some((known, _)) = &self.in_hand {
            prop_assert_eq!(range.as_ref(), Some(known), "the batch in flight was not handed out again");
            return self.check(ledger).map(|()| Some(known.last));
        }
        let Some(range) = range else { return Ok(None) };
        prop_assert_eq!(range.cursor, self.cursor.unwrap_or_default());
        prop_assert!(range.last > range.cursor);
        let changes = batch(ledger, &range)?;
        for Change { seq, event } in &changes {
            prop_assert!(range.cursor < *seq && *seq <= range.last);
            let known = self.events.get(&event.event_id);
            prop_assert!(known.is_none_or(|known| known.revision < event.revision), "{:?}", event);
            // While a reader was behind, an event may have changed again and again before it became void.
            let may_be_void = known.is_some() || range.cursor > 0;
            prop_assert!(event.counts() || may_be_void, "void, but never delivered: {:?}", event);
        }
        self.cursor.get_or_insert_default();
        let last = range.last;
        self.in_hand = Some((range, changes));
        Ok(Some(last))
    }

    /// Stores the batch in hand, and moves the cursor behind it.
    pub(super) async fn acknowledge(&mut self, ledger: &Ledger) {
        let Some((range, changes)) = self.in_hand.take() else { return };
        ledger.advance(self.name, range.last).await.unwrap();
        self.cursor = Some(range.last);
        self.events.extend(
            changes.into_iter().map(|change| (change.event.event_id.clone(), (**change.event).clone())),
        );
    }

    /// The batch in hand has the same events as at first, and the cursor is where it was.
    pub(super) fn check(&self, ledger: &Ledger) -> Result<(), TestCaseError> {
        if let Some((range, changes)) = &self.in_hand {
            prop_assert_eq!(&batch(ledger, range)?, changes, "{:?}", range);
        }
        let cursor = ledger.reader().unwrap().cursor(self.name).unwrap();
        prop_assert_eq!(cursor, self.cursor.unwrap_or_default());
        Ok(())
    }

    /// An event is pruned. The reader has stored it as it is, if the ledger knows the reader.
    pub(super) fn expect_pruned(&self, event: &CostEvent) -> Result<(), TestCaseError> {
        let known = self.events.get(&event.event_id);
        if self.cursor.is_some() && (event.counts() || known.is_some()) {
            prop_assert_eq!(known, Some(event), "{} has not read what is pruned", self.name);
        }
        Ok(())
    }

    /// Reads the rest. Then the reader has every event as it is now, and events that were pruned as they were.
    pub(super) async fn finish(
        mut self,
        ledger: &Ledger,
        naive: &Naive,
        limit: usize,
    ) -> Result<(), TestCaseError> {
        loop {
            self.acknowledge(ledger).await;
            if self.read(ledger, limit).await?.is_none() {
                break;
            }
        }
        for (id, stored) in &naive.events {
            let event = stored.event();
            let known = self.events.remove(id);
            if event.counts() || known.is_some() {
                prop_assert_eq!(known.as_ref(), Some(event), "{} after {:?}", self.name, self.cursor);
            }
        }
        for (id, event) in &naive.pruned {
            let known = self.events.remove(id);
            prop_assert!(known.as_ref().is_none_or(|known| known == event), "{:?} {:?}", known, event);
        }
        prop_assert_eq!(self.events, BTreeMap::new(), "{} has events that do not exist", self.name);
        Ok(())
    }
}

fn batch(ledger: &Ledger, range: &BatchRange) -> Result<Vec<Change>, TestCaseError> {
    let batch = ledger.reader().unwrap().batch(range).unwrap();
    prop_assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
    Ok(batch.changes)
}
