//! A follower that reads everything, batch by batch, and keeps the latest revision of each event.
//!
//! It has up to three batches in hand, divides some of them, and moves its cursor back now and then. What the
//! ledger has in memory must equal what the tables say.

use std::collections::{BTreeMap, VecDeque};

use proptest::{prelude::*, sample::Index};
use spanledger_event::{CostEvent, EventId};
use spanledger_ledger::{BatchRange, Change, HandedOut, Ledger, LedgerError};

use super::naive::Naive;

/// So many batches a reader has in hand at most.
const IN_HAND_MAX: usize = 3;

#[derive(Debug)]
pub(super) struct Reader {
    name: &'static str,
    /// Its cursor, once the ledger knows the reader.
    pub(super) cursor: Option<i64>,
    in_hand: VecDeque<(BatchRange, Vec<Change>)>,
    events: BTreeMap<EventId, CostEvent>,
    /// The last change that it was ever given.
    seen: i64,
}

impl Reader {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, cursor: None, in_hand: VecDeque::new(), events: BTreeMap::new(), seen: 0 }
    }

    /// The end of what it was given.
    fn end(&self) -> i64 {
        self.in_hand.back().map_or(self.cursor.unwrap_or_default(), |(range, _)| range.last)
    }

    /// Asks for a further batch, if it has not too many. Returns the last number of what it has.
    pub(super) async fn read(&mut self, ledger: &Ledger, limit: usize) -> Result<Option<i64>, TestCaseError> {
        self.check(ledger).await?;
        if self.in_hand.len() >= IN_HAND_MAX {
            return Ok(Some(self.end()));
        }
        let end = self.end();
        let given = ledger.next_batch(self.name, end, limit).await.unwrap();
        let Some(HandedOut { range, changes: in_memory }) = given else {
            return Ok((!self.in_hand.is_empty()).then_some(end));
        };
        prop_assert_eq!(range.cursor, end);
        prop_assert!(range.last > range.cursor);
        let changes = batch(ledger, &range)?;
        expect_same(in_memory.as_ref(), &changes)?;
        for Change { seq, event, .. } in &changes {
            prop_assert!(range.cursor < *seq && *seq <= range.last);
            let known = self.known(&event.event_id);
            // After its cursor was moved back, it is given the same revisions again.
            let is_newer = |known: &CostEvent| {
                known.revision < event.revision
                    || *seq <= self.seen && (known.revision > event.revision || known == &***event)
            };
            prop_assert!(known.is_none_or(is_newer), "{:?}", event);
            // While a reader was behind, an event may have changed again and again before it became void.
            let may_be_void = known.is_some() || range.cursor > 0;
            prop_assert!(event.counts() || may_be_void, "void, but never delivered: {:?}", event);
        }
        self.cursor.get_or_insert_default();
        let last = range.last;
        self.seen = self.seen.max(last);
        self.in_hand.push_back((range, changes));
        Ok(Some(last))
    }

    /// The latest revision of an event that it was given.
    fn known(&self, id: &EventId) -> Option<&CostEvent> {
        let in_hand = self.in_hand.iter().rev().flat_map(|(_, changes)| changes);
        let in_hand = in_hand.map(|change| &**change.event).find(|event| event.event_id == *id);
        in_hand.or_else(|| self.events.get(id))
    }

    /// Stores its first batch, and moves the cursor behind it.
    pub(super) async fn acknowledge(&mut self, ledger: &Ledger) {
        let Some((range, changes)) = self.in_hand.pop_front() else { return };
        ledger.acknowledge(self.name, range.last, Vec::new()).await.unwrap();
        self.cursor = Some(range.last);
        for Change { event, .. } in changes {
            let is_newer = |known: &CostEvent| known.revision <= event.revision;
            if self.events.get(&event.event_id).is_none_or(is_newer) {
                self.events.insert(event.event_id.clone(), (**event).clone());
            }
        }
    }

    /// Divides its first batch somewhere.
    pub(super) async fn split(&mut self, ledger: &Ledger, place: Index) -> Result<(), TestCaseError> {
        let Some((range, changes)) = self.in_hand.pop_front() else { return Ok(()) };
        let places = usize::try_from(range.last - range.cursor - 1).unwrap();
        if places == 0 {
            self.in_hand.push_front((range, changes));
            return Ok(());
        }
        let middle = range.cursor + 1 + i64::try_from(place.index(places)).unwrap();
        let (first, second) = ledger.split(&range, middle).await.unwrap();
        let (of_first, of_second) = (batch(ledger, &first)?, batch(ledger, &second)?);
        let parts: Vec<&Change> = of_first.iter().chain(&of_second).collect();
        for change in &changes {
            prop_assert!(parts.contains(&change), "{:?} is in no part", change);
        }
        for more in parts.iter().filter(|part| !changes.contains(part)) {
            // The batch of another reader keeps an earlier revision of an event of the second part.
            let is_earlier = |later: &Change| {
                later.event.event_id == more.event.event_id && later.event.revision > more.event.revision
            };
            prop_assert!(of_second.iter().any(is_earlier), "{:?} was not in the batch", more);
        }
        self.in_hand.push_front((second, of_second));
        self.in_hand.push_front((first, of_first));
        self.check(ledger).await
    }

    /// Moves its cursor back, if nothing behind it was pruned.
    pub(super) async fn rewind(&mut self, ledger: &Ledger, to: Index) -> Result<(), TestCaseError> {
        let Some(cursor) = self.cursor.filter(|cursor| *cursor > 0) else { return Ok(()) };
        let to = i64::try_from(to.index(usize::try_from(cursor).unwrap())).unwrap();
        match ledger.rewind(self.name, to).await {
            Ok(()) => {
                self.cursor = Some(to);
                self.in_hand.clear();
            }
            Err(LedgerError::Pruned { pruned_to, .. }) => prop_assert!(pruned_to > to),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        self.check(ledger).await
    }

    /// The batches in hand have the same events as at first, and the cursor is where it was.
    pub(super) async fn check(&self, ledger: &Ledger) -> Result<(), TestCaseError> {
        let ranges = ledger.batches(self.name).await.unwrap();
        prop_assert_eq!(&ranges, &self.in_hand.iter().map(|(range, _)| range.clone()).collect::<Vec<_>>());
        for (range, changes) in &self.in_hand {
            prop_assert_eq!(&batch(ledger, range)?, changes, "{:?}", range);
            let again = ledger.next_batch(self.name, range.cursor, 1).await.unwrap().unwrap();
            prop_assert_eq!(&again.range, range, "the batch in flight was not handed out again");
            expect_same(again.changes.as_ref(), changes)?;
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
        while self.read(ledger, limit).await?.is_some() {
            self.acknowledge(ledger).await;
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

/// What the ledger has in memory equals what the tables say, to the byte of the JSON text.
fn expect_same(in_memory: Option<&Vec<Change>>, read: &Vec<Change>) -> Result<(), TestCaseError> {
    if let Some(in_memory) = in_memory {
        prop_assert_eq!(in_memory, read);
        for (ours, theirs) in in_memory.iter().zip(read) {
            prop_assert_eq!(ours.event.json(), theirs.event.json());
        }
    }
    Ok(())
}

fn batch(ledger: &Ledger, range: &BatchRange) -> Result<Vec<Change>, TestCaseError> {
    let batch = ledger.reader().unwrap().batch(range).unwrap();
    prop_assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
    Ok(batch.changes)
}
