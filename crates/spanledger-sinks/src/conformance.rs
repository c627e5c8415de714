//! The conformance suite of sinks.
//!
//! A sink's tests implement [`Harness`] and call [`check`]. The suite delivers events, delivers them
//! again, breaks the destination, and compares what the destination holds with what was sent.

use std::collections::BTreeMap;

use spanledger_event::{CostEvent, EventId, EventState, Timestamp, Usd};

use crate::{Batch, DeliveryOutcome, Sink};

/// Gives the suite a sink and its destination.
pub trait Harness {
    /// Creates a new sink to the same destination, as a restarted program does.
    fn sink(&self) -> Box<dyn Sink>;
    /// The events in the destination, in the order in which they were written.
    fn stored(&self) -> Vec<CostEvent>;
    /// Makes the destination fail or work again. Returns `false` if the harness cannot make it fail.
    fn set_broken(&self, broken: bool) -> bool;
}

/// The rule of the contract that a sink breaks.
pub type Violation = String;

/// Runs the suite.
pub async fn check(harness: &impl Harness) -> Result<(), Violation> {
    let mut sink = harness.sink();
    let batch = events(0..25);

    expect(sink.deliver(batch.clone()).await == DeliveryOutcome::Delivered, || {
        "a batch is delivered".into()
    })?;
    expect(harness.stored() == *batch, || "every column arrives unchanged, in order".into())?;
    expect(sink.deliver(events(0..0)).await == DeliveryOutcome::Delivered, || {
        "an empty batch is delivered".into()
    })?;

    // A reader that keeps the greatest revision of each key sees one event for each key after a replay, even
    // if a new process replays the events.
    drop(sink);
    let mut sink = harness.sink();
    expect(sink.deliver(batch.clone()).await == DeliveryOutcome::Delivered, || {
        "a replay is delivered".into()
    })?;
    expect(latest(harness) == by_id(&batch), || "a replay changes no event".into())?;

    // A later revision replaces the earlier one, even if it makes the event void.
    let mut changed: Vec<CostEvent> = batch.iter().take(3).cloned().collect();
    for event in &mut changed {
        event.revision += 1;
        event.state = EventState::Void;
    }
    expect(sink.deliver(changed.clone().into()).await == DeliveryOutcome::Delivered, || {
        "a revision is delivered".into()
    })?;
    let mut expected = by_id(&batch);
    expected.extend(by_id(&changed));
    expect(latest(harness) == expected, || "the greatest revision is the event".into())?;

    if harness.set_broken(true) {
        let outcome = sink.deliver(events(25..30)).await;
        expect(matches!(outcome, DeliveryOutcome::Retry { .. }), || {
            format!("an outage is `Retry`, not {outcome:?}")
        })?;
        harness.set_broken(false);
        expect(sink.deliver(events(25..30)).await == DeliveryOutcome::Delivered, || {
            "the sink recovers by itself".into()
        })?;
        expected.extend(by_id(&events(25..30)));
        expect(latest(harness) == expected, || "nothing is lost over an outage".into())?;
    }
    Ok(())
}

fn expect(holds: bool, rule: impl FnOnce() -> Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(rule()) }
}

fn by_id(events: &[CostEvent]) -> BTreeMap<EventId, CostEvent> {
    events.iter().map(|event| (event.event_id.clone(), event.clone())).collect()
}

/// The events that a reader sees if it keeps the greatest revision of each event.
fn latest(harness: &impl Harness) -> BTreeMap<EventId, CostEvent> {
    let mut latest: BTreeMap<EventId, CostEvent> = BTreeMap::new();
    for event in harness.stored() {
        let known = latest.get(&event.event_id).map_or(0, |known| known.revision);
        if event.revision >= known {
            latest.insert(event.event_id.clone(), event);
        }
    }
    latest
}

/// Events with values that are hard to store: the greatest amounts, quotes, line breaks, absent values.
pub fn events(numbers: std::ops::Range<i64>) -> Batch {
    numbers
        .map(|number| CostEvent {
            event: "openai.request".to_owned(),
            event_id: EventId::of_request(&number.to_string(), 0),
            revision: 1,
            timestamp: Timestamp::from_nanos(1_763_719_200_000_000_000 + number),
            feature: (number % 3 != 0).then(|| format!("feature \"{number}\"\n\\ ünïcode")),
            provider: "openai".to_owned(),
            endpoint: "chat".to_owned(),
            cost_usd: (number % 4 != 0).then(|| Usd::from_picos(10_i128.pow(24) - 1 - i128::from(number))),
            cost_state: if number % 4 == 0 { "unpriced" } else { "priced" }.to_owned(),
            prompt_tokens: Some(i64::MAX - number),
            attempts: 1,
            emitter: "conformance".to_owned(),
            dims: [("team".to_owned(), "growth; drop table".to_owned())].into(),
            ..CostEvent::default()
        })
        .collect()
}
