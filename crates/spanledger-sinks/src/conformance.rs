//! The conformance suite of sinks.
//!
//! The tests of a sink implement [`Harness`] and call [`check`]. The suite delivers events as the receiver does:
//! it repeats batches, ends the sink between a commit and its acknowledgement, breaks the destination, and
//! compares what the destination holds with what was sent. It is public, so that sinks outside of this crate
//! can run it.

mod cases;
mod events;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use spanledger_event::{CostEvent, EventId, SharedEvent};

use crate::{Batch, BatchId, BoxSink, Fault, Opened, Opening, Positioned, Purpose};

pub use self::events::{event, events};

/// Gives the suite a sink and its destination.
pub trait Harness: Sync {
    /// Creates a new sink to the same destination, as a restarted program does.
    fn sink(&self) -> BoxSink;

    /// The rows of the destination, in any order, as a reader sees them who does not use the sink. A destination
    /// that merges rows returns what is left of them.
    fn stored(&self) -> impl Future<Output = Vec<CostEvent>> + Send;

    /// Makes the destination fail or work again. Returns `false` if the harness cannot make it fail.
    fn set_broken(&self, broken: bool) -> impl Future<Output = bool> + Send {
        let _ = broken;
        std::future::ready(false)
    }

    /// Makes the destination refuse the event, if it can refuse one: either by changing the event, or by
    /// preparing the destination. Returns `false` if the destination takes every event.
    fn poison(&self, event: &mut CostEvent) -> bool {
        let _ = event;
        false
    }

    /// What the destination holds of an event, if a type of it has fewer digits of a second or another form of
    /// JSON. Amounts and counts must not change.
    fn as_stored(&self, event: CostEvent) -> CostEvent {
        event
    }

    /// Whether the destination may hold the same revision twice after a retry, so that a reader has to leave
    /// one of them out.
    fn repeats(&self) -> bool {
        false
    }
}

/// The rule of the contract that a sink breaks.
pub type Violation = String;

/// The id of the ledger whose events the suite delivers.
pub const LEDGER: &str = "0190a7e2-0000-7000-8000-000000000001";
/// The name of the sink in the suite.
pub const SINK: &str = "conformance";

/// Runs the suite. The destination must be empty.
pub async fn check(harness: &impl Harness) -> Result<(), Violation> {
    let mut suite = Suite { harness, sent: Vec::new(), position: 0 };
    macro_rules! run {
        ($($case:ident),+ $(,)?) => {
            $(cases::$case(&mut suite).await.map_err(|rule| format!("{}: {rule}", stringify!($case)))?;)+
        };
    }
    run!(
        a_check_opens_the_destination,
        every_column_arrives,
        a_batch_whose_acknowledgement_was_lost_is_sent_again,
        a_batch_that_was_written_but_not_committed_is_sent_again,
        a_later_revision_replaces_an_earlier_one,
        an_older_revision_does_not_replace_a_newer_one,
        several_batches_are_committed_together,
        a_divided_batch_is_complete,
        a_batch_without_events_moves_the_position,
        an_outage_loses_nothing,
        a_refused_event_does_not_stop_the_others,
        another_ledger_and_another_name_have_positions_of_their_own,
    );
    Ok(())
}

/// A batch of events that begins after the position `from`, for tests of a sink.
pub fn batch(from: i64, events: Vec<CostEvent>) -> Batch {
    let mut to = from;
    let events: Vec<Positioned> = events
        .into_iter()
        .map(|event| {
            // Positions have gaps.
            to += 3;
            Positioned { position: to, event: Arc::new(SharedEvent::new(event)) }
        })
        .collect();
    Batch { id: BatchId { ledger: LEDGER.into(), sink: SINK.into(), from, to }, events }
}

struct Suite<'a, H> {
    harness: &'a H,
    /// Every event that was delivered.
    sent: Vec<CostEvent>,
    /// The position of the last batch.
    position: i64,
}

impl<H: Harness> Suite<'_, H> {
    /// Makes the next batch.
    fn batch(&mut self, events: Vec<CostEvent>) -> Batch {
        let batch = batch(self.position, events);
        self.position = batch.id.to;
        batch
    }

    async fn opened(&self) -> Result<(BoxSink, Opened), Violation> {
        let mut sink = self.harness.sink();
        let opened = open(&mut sink).await?;
        Ok((sink, opened))
    }

    fn note(&mut self, batch: &Batch) {
        self.sent.extend(batch.events().map(|event| CostEvent::clone(event)));
    }

    /// Writes and commits a batch that has no refused event.
    async fn deliver(&mut self, sink: &mut BoxSink, batch: &Batch) -> Result<(), Violation> {
        write(sink, batch).await?;
        commit(sink).await?;
        self.note(batch);
        Ok(())
    }

    /// Compares the greatest revision of each event at the destination with what was sent, and the number of
    /// rows.
    async fn compare(&self) -> Result<(), Violation> {
        let stored = self.harness.stored().await;
        let expected = latest(self.sent.iter().map(|event| self.harness.as_stored(event.clone())).collect());
        if !self.harness.repeats() {
            let mut seen = std::collections::BTreeSet::new();
            if let Some(event) =
                stored.iter().find(|event| !seen.insert((event.event_id.clone(), event.revision)))
            {
                return Err(format!("{} is stored twice at revision {}", event.event_id, event.revision));
            }
        }
        compare(&expected, &latest(stored))
    }
}

/// Says which event differs, and in which column.
fn compare(
    expected: &BTreeMap<EventId, CostEvent>,
    stored: &BTreeMap<EventId, CostEvent>,
) -> Result<(), Violation> {
    for (id, event) in expected {
        let Some(found) = stored.get(id) else {
            return Err(format!("{id} is missing; {} of {} events are stored", stored.len(), expected.len()));
        };
        for column in spanledger_event::COLUMNS {
            let (expected, found) = ((column.get)(event), (column.get)(found));
            if expected != found {
                return Err(format!("{id}: `{}` is {found:?} and not {expected:?}", column.name));
            }
        }
    }
    match stored.keys().find(|id| !expected.contains_key(*id)) {
        Some(id) => Err(format!("{id} is stored, but was not sent")),
        None => Ok(()),
    }
}

/// The events that a reader sees if it keeps the greatest revision of each event.
fn latest(rows: Vec<CostEvent>) -> BTreeMap<EventId, CostEvent> {
    let mut latest: BTreeMap<EventId, CostEvent> = BTreeMap::new();
    for event in rows {
        let known = latest.get(&event.event_id).map_or(i64::MIN, |known| known.revision);
        if event.revision >= known {
            latest.insert(event.event_id.clone(), event);
        }
    }
    latest
}

fn opening(ledger: &str, sink: &str, purpose: Purpose) -> Opening {
    Opening { ledger: ledger.to_owned(), sink: sink.to_owned(), purpose }
}

async fn open(sink: &mut BoxSink) -> Result<Opened, Violation> {
    sink.open(&opening(LEDGER, SINK, Purpose::Deliver)).await.map_err(|fault| format!("open: {fault:?}"))
}

async fn write(sink: &mut BoxSink, batch: &Batch) -> Result<(), Violation> {
    let written = sink.write(batch).await.map_err(|fault| format!("write {}: {fault:?}", batch.id))?;
    expect(written.rejected.is_empty(), || format!("{:?} are refused", written.rejected))
}

async fn commit(sink: &mut BoxSink) -> Result<(), Violation> {
    sink.commit().await.map_err(|fault| format!("commit: {fault:?}"))
}

fn expect(holds: bool, rule: impl FnOnce() -> Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(rule()) }
}

/// Opens, writes and commits; the first fault ends it.
async fn attempt(sink: &mut BoxSink, batch: &Batch) -> Result<(), Fault> {
    sink.open(&opening(LEDGER, SINK, Purpose::Deliver)).await?;
    sink.write(batch).await?;
    sink.commit().await
}
