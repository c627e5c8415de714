use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;
use crate::{Rejection, Sink, Written};

/// What a sink does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// It acknowledges without storing.
    StoresNothing,
    /// It stores before the commit, and stores the position with it.
    CommitsTheCursorTooEarly,
    /// It forgets what was written before the last batch of a commit.
    CommitsOnlyTheLastBatch,
    /// It adds a row for each delivery.
    StoresRetriesTwice,
    /// The last row wins, whatever its revision is.
    IgnoresRevisions,
    /// It shortens texts.
    ShortensTexts,
    /// It rounds amounts.
    RoundsAmounts,
    /// It takes an outage for a mistake of the user.
    IsBlockedByAnOutage,
    /// A refused event takes its batch with it.
    DropsTheBatchOfARefusedEvent,
    /// It keeps one position for all ledgers and names.
    SharesItsCursor,
}

/// A destination in memory that merges rows and keeps the cursors.
#[derive(Default)]
struct Memory {
    rows: Vec<CostEvent>,
    cursors: BTreeMap<(String, String), i64>,
    is_broken: bool,
}

#[derive(Clone)]
struct Destination {
    memory: Arc<Mutex<Memory>>,
    bug: Bug,
    keeps_cursors: bool,
}

impl Destination {
    fn new(bug: Bug, keeps_cursors: bool) -> Self {
        Self { memory: Arc::default(), bug, keeps_cursors }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MemorySink {
    destination: Destination,
    opening: Option<Opening>,
    written: Vec<Batch>,
}

impl MemorySink {
    fn available(&self) -> Result<MutexGuard<'_, Memory>, Fault> {
        let memory = self.destination.lock();
        match (memory.is_broken, self.destination.bug) {
            (false, _) => Ok(memory),
            (true, Bug::IsBlockedByAnOutage) => Err(Fault::blocked("no answer", "start it")),
            (true, _) => Err(Fault::retry("no answer")),
        }
    }

    fn key(&self) -> (String, String) {
        match &self.opening {
            Some(opening) if self.destination.bug != Bug::SharesItsCursor => {
                (opening.ledger.clone(), opening.sink.clone())
            }
            _ => Default::default(),
        }
    }
}

const POISON: &str = "poison";

fn is_poison(event: &CostEvent) -> bool {
    event.feature.as_deref() == Some(POISON)
}

impl Sink for MemorySink {
    fn shape(&self) -> crate::BatchShape {
        crate::BatchShape::default().in_flight(3)
    }

    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        self.written.clear();
        self.opening = Some(opening.clone());
        let cursor = self.available()?.cursors.get(&self.key()).copied().unwrap_or_default();
        Ok(Opened { cursor: self.destination.keeps_cursors.then_some(cursor), remarks: Vec::new() })
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        drop(self.available()?);
        let refused = batch.events().position(|event| is_poison(event));
        if self.destination.bug == Bug::CommitsTheCursorTooEarly {
            let key = self.key();
            self.destination.lock().cursors.insert(key, batch.id.to);
        }
        let mut kept = batch.clone();
        match refused {
            Some(_) if self.destination.bug == Bug::DropsTheBatchOfARefusedEvent => kept.events.clear(),
            _ => kept.events.retain(|event| !is_poison(&event.event)),
        }
        self.written.push(kept);
        let rejected = refused.map(|index| Rejection { index, reason: "poison".to_owned() });
        Ok(Written { rejected: rejected.into_iter().collect() })
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        let bug = self.destination.bug;
        let key = self.key();
        let mut written = std::mem::take(&mut self.written);
        let Some(to) = written.last().map(|batch| batch.id.to) else { return Ok(()) };
        if bug == Bug::CommitsOnlyTheLastBatch {
            written.drain(..written.len() - 1);
        }
        let mut memory = self.available()?;
        for event in written.iter().flat_map(Batch::events) {
            let mut event = CostEvent::clone(event);
            match bug {
                Bug::ShortensTexts => {
                    event.feature = event.feature.map(|text| text.chars().take(200).collect());
                }
                Bug::RoundsAmounts => {
                    event.cost_usd = event
                        .cost_usd
                        .map(|usd| spanledger_event::Usd::from_picos(usd.picos() / 1_000 * 1_000));
                }
                Bug::StoresNothing => continue,
                _ => {}
            }
            let known = memory.rows.iter_mut().find(|row| row.event_id == event.event_id);
            match known {
                Some(_) if bug == Bug::StoresRetriesTwice => memory.rows.push(event),
                Some(row) if event.revision >= row.revision || bug == Bug::IgnoresRevisions => *row = event,
                Some(_) => {}
                None => memory.rows.push(event),
            }
        }
        memory.cursors.insert(key, to);
        Ok(())
    }
}

impl Harness for Destination {
    fn sink(&self) -> BoxSink {
        BoxSink::new(MemorySink { destination: self.clone(), opening: None, written: Vec::new() })
    }

    async fn stored(&self) -> Vec<CostEvent> {
        self.lock().rows.clone()
    }

    async fn set_broken(&self, broken: bool) -> bool {
        self.lock().is_broken = broken;
        true
    }

    fn poison(&self, event: &mut CostEvent) -> bool {
        event.feature = Some(POISON.to_owned());
        true
    }
}

#[tokio::test]
async fn a_sink_that_obeys_the_contract_passes() {
    for keeps_cursors in [false, true] {
        check(&Destination::new(Bug::None, keeps_cursors)).await.unwrap();
    }
}

#[tokio::test]
async fn each_breach_of_the_contract_is_found_by_the_case_that_is_about_it() {
    for (bug, keeps_cursors, case) in [
        (Bug::StoresNothing, false, "every_column_arrives"),
        (Bug::ShortensTexts, false, "every_column_arrives"),
        (Bug::RoundsAmounts, false, "every_column_arrives"),
        (Bug::StoresRetriesTwice, false, "a_batch_whose_acknowledgement_was_lost"),
        (Bug::CommitsTheCursorTooEarly, true, "a_batch_that_was_written_but_not_committed"),
        (Bug::IgnoresRevisions, false, "an_older_revision_does_not_replace"),
        (Bug::CommitsOnlyTheLastBatch, false, "several_batches_are_committed_together"),
        (Bug::IsBlockedByAnOutage, false, "an_outage_loses_nothing"),
        (Bug::DropsTheBatchOfARefusedEvent, false, "a_refused_event_does_not_stop_the_others"),
        (Bug::SharesItsCursor, true, "another_ledger_and_another_name"),
    ] {
        let violation = check(&Destination::new(bug, keeps_cursors)).await.unwrap_err();
        assert!(violation.starts_with(case), "{bug:?}: {violation}");
    }
}
