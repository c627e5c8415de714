//! Tests of replays and of dead letters that are sent again, to a destination that keeps its positions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use spanledger_event::{EventId, Observation, ObservedAs, PartialAttribution};
use spanledger_ledger::{DeadLetter, Ledger};
use spanledger_receiver::{
    DeliveryOptions, Replay, ReplaySelection, SinkStatus, deliver, retry_dead_letters,
};
use spanledger_sinks::{
    Batch, ConfiguredSink, EventSelection, Fault, Opened, Opening, Rejection, Sink, Written,
};
use spanledger_testkit::observation::ObservationBuilder;

use crate::support::soon;

/// What a destination holds.
#[derive(Debug, Default)]
struct State {
    /// The position of each sink, which is stored with its rows.
    positions: BTreeMap<String, i64>,
    rows: Vec<EventId>,
    refused: Vec<EventId>,
    /// How often it was opened.
    opened: usize,
}

/// A sink that stores its position with the rows.
#[derive(Clone, Debug, Default)]
struct Keeper {
    state: Arc<Mutex<State>>,
    name: String,
    uncommitted: Vec<Batch>,
}

impl Sink for Keeper {
    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        self.uncommitted.clear();
        self.name.clone_from(&opening.sink);
        let mut state = self.state.lock().unwrap();
        state.opened += 1;
        let position = state.positions.get(&self.name).copied().unwrap_or_default();
        Ok(Opened { cursor: Some(position), remarks: Vec::new() })
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let state = self.state.lock().unwrap();
        let mut taken = batch.clone();
        taken.events.retain(|event| !state.refused.contains(&event.event.event_id));
        let refused = batch.events().enumerate().filter(|(_, event)| state.refused.contains(&event.event_id));
        let rejected = refused.map(|(index, _)| Rejection { index, reason: "no".to_owned() }).collect();
        self.uncommitted.push(taken);
        Ok(Written { rejected })
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        let mut state = self.state.lock().unwrap();
        for batch in self.uncommitted.drain(..) {
            state.rows.extend(batch.events().map(|event| event.event_id.clone()));
            state.positions.insert(self.name.clone(), batch.id.to);
        }
        Ok(())
    }
}

impl Keeper {
    fn configured(&self) -> ConfiguredSink {
        let sink = self.clone();
        let mut sink = ConfiguredSink::new("keeper", move || sink.clone());
        sink.filter.events = EventSelection::All;
        sink
    }

    fn rows(&self) -> Vec<EventId> {
        self.state.lock().unwrap().rows.clone()
    }

    /// Delivers what the ledger has.
    async fn deliver(&self, ledger: &Ledger, sink: ConfiguredSink) {
        let status = SinkStatus::new("keeper", "custom");
        let stop = std::future::ready(tokio::time::Instant::now() + std::time::Duration::from_secs(20));
        soon(deliver(ledger.clone(), sink, status, DeliveryOptions::default(), stop)).await.unwrap();
    }
}

fn call(number: i64) -> Observation {
    let text = number.to_string();
    ObservationBuilder::record(&text, &text, number).attribution(PartialAttribution::default()).build()
}

fn open() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
    (folder, ledger)
}

/// The last number of the ledger is that of a second sighting, which is no change of its own.
#[tokio::test]
async fn a_replay_ends_where_the_last_number_is_no_change() {
    let (_folder, ledger) = open();
    let mut span = call(0);
    span.sighting = ObservedAs::Span;
    ledger.append(vec![call(0), span]).await.unwrap();
    let last_change = ledger.reader().unwrap().last_change().unwrap();
    assert!(*ledger.changes().borrow() > last_change, "the scenario");
    let keeper = Keeper::default();
    let replay = Replay::prepare(&ledger, &keeper.configured(), &ReplaySelection::default()).await.unwrap();
    let is_complete = soon(replay.run(DeliveryOptions::default(), std::future::pending())).await.unwrap();
    assert!(is_complete);
    assert_eq!(keeper.rows().len(), 1);
    assert!(ledger.reader().unwrap().follower_names().unwrap().is_empty(), "its cursor is gone");
}

/// A letter that is refused again is not passed by a later one that the destination takes.
#[tokio::test]
async fn a_dead_letter_that_is_refused_again_stays_one() {
    let (_folder, ledger) = open();
    let keeper = Keeper::default();
    let events: Vec<_> = (0..3).map(call).collect();
    let ids: Vec<EventId> = events.iter().map(|event| event.event_id.clone()).collect();
    for event in events {
        ledger.append(vec![event]).await.unwrap();
    }
    keeper.state.lock().unwrap().refused = ids[..2].to_vec();
    keeper.deliver(&ledger, keeper.configured()).await;
    assert_eq!(keeper.rows(), ids[2..]);
    let letters = || ledger.reader().unwrap().dead_letters("keeper").unwrap();
    assert_eq!(letters().len(), 2);

    keeper.state.lock().unwrap().refused = ids[..1].to_vec();
    let retried = retry_dead_letters(&ledger, &keeper.configured()).await.unwrap();
    assert_eq!((retried.delivered, retried.refused), (1, 1));
    assert_eq!(letters()[0].letter.event_id, ids[0]);

    keeper.state.lock().unwrap().refused.clear();
    let retried = retry_dead_letters(&ledger, &keeper.configured()).await.unwrap();
    assert_eq!((retried.delivered, retried.refused), (1, 0));
    assert!(letters().is_empty());
    assert_eq!(keeper.rows(), [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
}

/// A letter that was delivered, while the ledger could not be told, is not delivered twice.
#[tokio::test]
async fn a_dead_letter_that_was_delivered_is_not_sent_again() {
    let (_folder, ledger) = open();
    let keeper = Keeper::default();
    let event = spanledger_event::CostEvent::default();
    let letter =
        DeadLetter { seq: 1, event_id: event.event_id.clone(), revision: 1, reason: "no".to_owned(), event };
    ledger.acknowledge("keeper", 0, vec![letter]).await.unwrap();
    let number = ledger.reader().unwrap().dead_letters("keeper").unwrap()[0].number;
    keeper.state.lock().unwrap().positions.insert("keeper.dead".to_owned(), number);
    let retried = retry_dead_letters(&ledger, &keeper.configured()).await.unwrap();
    assert_eq!((retried.delivered, keeper.rows().len()), (1, 0));
}

/// A destination that keeps its position does not fall behind the ledger by events that it does not get.
#[tokio::test]
async fn events_of_others_move_the_position_of_the_destination() {
    let (_folder, ledger) = open();
    let keeper = Keeper::default();
    for number in 0..5 {
        ledger.append(vec![call(number)]).await.unwrap();
    }
    let mut sink = keeper.configured();
    sink.filter.only = [("feature".to_owned(), vec!["none".to_owned()])].into();
    keeper.deliver(&ledger, sink.clone()).await;
    let position = keeper.state.lock().unwrap().positions["keeper"];
    assert_eq!(position, ledger.reader().unwrap().cursor("keeper").unwrap());
    assert!(keeper.rows().is_empty());

    // An earlier version did not move it. Nothing that the sink gets is missing, so nothing is sent again.
    keeper.state.lock().unwrap().positions.insert("keeper".to_owned(), 1);
    keeper.deliver(&ledger, sink).await;
    assert_eq!(ledger.reader().unwrap().cursor("keeper").unwrap(), position);
}
