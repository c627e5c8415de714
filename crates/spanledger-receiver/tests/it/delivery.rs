//! Tests of the delivery from the ledger to a sink: retries, rejections, stops and starts.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use spanledger_event::{CostEvent, EventId, Observation, ObservedAs, PartialAttribution};
use spanledger_ledger::{Ledger, LedgerError, LedgerReader};
use spanledger_receiver::{DeliveryOptions, SinkStatus, deliver};
use spanledger_sinks::{
    Batch, BatchShape, ConfiguredSink, EventSelection, Fault, Opened, Opening, Sink, Written,
};
use spanledger_testkit::observation::ObservationBuilder;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use crate::support::soon;

const BATCH_MAX: usize = 4;

const OPTIONS: DeliveryOptions = DeliveryOptions {
    backoff: Duration::from_millis(1),
    backoff_max: Duration::from_millis(20),
    blocked: Duration::from_millis(30),
};

const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// A sink that gives planned answers, and rejects one poisoned event.
#[derive(Clone, Debug)]
struct Scripted {
    planned: Arc<Mutex<VecDeque<Fault>>>,
    /// Answers `Retry` for as long as it is set, after the plan.
    down: Arc<Mutex<bool>>,
    poison: Option<EventId>,
    /// Every batch that was tried.
    tried: Arc<Mutex<Vec<Vec<EventId>>>>,
    delivered: Arc<Mutex<Vec<CostEvent>>>,
    progress: Arc<watch::Sender<usize>>,
}

impl Scripted {
    fn new() -> Self {
        Self {
            planned: Arc::default(),
            down: Arc::default(),
            poison: None,
            tried: Arc::default(),
            delivered: Arc::default(),
            progress: Arc::new(watch::channel(0).0),
        }
    }

    /// Plans the next fault.
    fn plan(&self, fault: Fault) {
        self.planned.lock().unwrap().push_back(fault);
    }

    fn delivered(&self) -> Vec<EventId> {
        self.delivered.lock().unwrap().iter().map(|event| event.event_id.clone()).collect()
    }

    fn tried(&self) -> Vec<Vec<EventId>> {
        self.tried.lock().unwrap().clone()
    }

    /// Waits until `count` batches were tried.
    async fn wait_for_tries(&self, count: usize) {
        soon(self.progress.subscribe().wait_for(|tries| *tries >= count)).await.unwrap();
    }

    fn answer(&self, batch: &Batch) -> Result<(), Fault> {
        let ids: Vec<EventId> = batch.events().map(|event| event.event_id.clone()).collect();
        self.tried.lock().unwrap().push(ids.clone());
        let planned = self.planned.lock().unwrap().pop_front();
        let answer = match planned {
            Some(fault) => Err(fault),
            None if *self.down.lock().unwrap() => Err(Fault::retry("down")),
            None if self.poison.as_ref().is_some_and(|id| ids.contains(id)) => Err(Fault::rejected("poison")),
            None => Ok(()),
        };
        if answer.is_ok() {
            self.delivered.lock().unwrap().extend(batch.events().map(|event| CostEvent::clone(event)));
        }
        self.progress.send_modify(|tries| *tries += 1);
        answer
    }
}

impl Sink for Scripted {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(BATCH_MAX)
    }

    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        Ok(Opened::default())
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        self.answer(batch).map(|()| Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// A delivery that runs until it is stopped.
struct Running {
    stop: oneshot::Sender<()>,
    done: JoinHandle<Result<(), LedgerError>>,
}

impl Running {
    fn start(ledger: &Ledger, sink: &Scripted) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let sink = sink.clone();
        let mut sink = ConfiguredSink::new("scripted", move || sink.clone());
        // The calls of these tests lack attribution.
        sink.filter.events = EventSelection::All;
        let status = SinkStatus::new("scripted", "custom");
        let shutdown = async move {
            stopped.await.unwrap_or_default();
            tokio::time::Instant::now() + SHUTDOWN_TIMEOUT
        };
        Self { stop, done: tokio::spawn(deliver(ledger.clone(), sink, status, OPTIONS, shutdown)) }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        soon(self.done).await.unwrap().unwrap();
    }
}

struct Store {
    ledger: Ledger,
    folder: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { ledger: Ledger::open(folder.path().join("ledger.db")).unwrap(), folder }
    }

    /// Appends the calls one by one, because calls that are appended together have no order.
    async fn append(&self, numbers: std::ops::Range<i64>) -> Vec<EventId> {
        let calls: Vec<Observation> = numbers.map(call).collect();
        let ids = calls.iter().map(|call| call.event_id.clone()).collect();
        for call in calls {
            self.ledger.append(vec![call]).await.unwrap();
        }
        ids
    }

    fn reader(&self) -> LedgerReader {
        LedgerReader::open(self.folder.path().join("ledger.db")).unwrap()
    }

    fn cursor(&self) -> i64 {
        self.reader().cursor("scripted").unwrap()
    }

    fn last_change(&self) -> i64 {
        self.reader().summary().unwrap().last_change
    }
}

fn call(number: i64) -> Observation {
    let number_text = number.to_string();
    ObservationBuilder::record(&number_text, &number_text, number)
        .attribution(PartialAttribution::default())
        .build()
}

/// Guarantees: events in the ledger and later ones are delivered once, in order and in batches of a limited
/// size. A stop waits until all of them are delivered.
#[tokio::test]
async fn events_are_delivered_once_and_in_order() {
    let (store, sink) = (Store::new(), Scripted::new());
    let mut ids = store.append(0..10).await;
    let running = Running::start(&store.ledger, &sink);
    sink.wait_for_tries(3).await;
    ids.extend(store.append(10..13).await);
    running.stop().await;
    assert_eq!(sink.delivered(), ids);
    assert!(sink.tried().iter().all(|batch| batch.len() <= BATCH_MAX));
    assert_eq!(store.cursor(), store.last_change());
}

/// During an outage the same batch is tried again until it is delivered. The cursor moves after that.
#[tokio::test]
async fn a_batch_is_retried_until_it_is_delivered() {
    let (store, sink) = (Store::new(), Scripted::new());
    let ids = store.append(0..3).await;
    for _ in 0..2 {
        sink.plan(Fault::retry("a moment"));
    }
    let running = Running::start(&store.ledger, &sink);
    sink.wait_for_tries(1).await;
    assert_eq!(store.cursor(), 0);
    sink.wait_for_tries(3).await;
    running.stop().await;
    assert_eq!(sink.tried(), [ids.clone(), ids.clone(), ids.clone()]);
    assert_eq!(sink.delivered(), ids);
    assert_eq!(store.cursor(), store.last_change());
}

/// An event that the sink rejects is found wherever it stands. All others are delivered once and in
/// order, and the cursor passes it.
#[tokio::test]
async fn a_rejected_event_is_isolated() {
    for poisoned in 0..6 {
        let (store, mut sink) = (Store::new(), Scripted::new());
        let mut ids = store.append(0..6).await;
        let poison = ids.remove(poisoned);
        sink.poison = Some(poison.clone());
        // An outage during the search must not skip anything.
        sink.plan(Fault::rejected("something in it"));
        sink.plan(Fault::retry("a moment"));
        let running = Running::start(&store.ledger, &sink);
        sink.wait_for_tries(5).await;
        running.stop().await;
        assert_eq!(sink.delivered(), ids, "{poisoned}");
        assert!(sink.tried().contains(&vec![poison]), "{poisoned}: rejected alone");
        assert_eq!(store.cursor(), store.last_change(), "{poisoned}");
    }
}

/// T1: a stop during an outage of the sink ends in time, and the cursor stays where it was. The next start
/// delivers the events after the cursor and no others.
#[tokio::test]
async fn a_stop_during_an_outage_loses_and_repeats_nothing() {
    let (store, sink) = (Store::new(), Scripted::new());
    let before = store.append(0..4).await;
    let running = Running::start(&store.ledger, &sink);
    sink.wait_for_tries(1).await;
    // The cursor moves after the sink's answer.
    soon(async {
        while store.cursor() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let cursor = store.cursor();
    *sink.down.lock().unwrap() = true;
    let after = store.append(4..6).await;
    sink.wait_for_tries(3).await;
    running.stop().await;
    assert_eq!(store.cursor(), cursor);
    assert_eq!(sink.delivered(), before);

    *sink.down.lock().unwrap() = false;
    let running = Running::start(&store.ledger, &sink);
    running.stop().await;
    assert_eq!(sink.delivered(), [before, after].concat());
    assert_eq!(store.cursor(), store.last_change());
}

/// A stop delivers the backlog first.
#[tokio::test]
async fn a_stop_delivers_the_backlog() {
    let (store, sink) = (Store::new(), Scripted::new());
    let ids = store.append(0..9).await;
    let running = Running::start(&store.ledger, &sink);
    running.stop().await;
    assert_eq!(sink.delivered(), ids);
    assert_eq!(store.cursor(), store.last_change());
}

/// An event that changes is delivered again, with its greater revision.
#[tokio::test]
async fn a_changed_event_is_delivered_again() {
    let (store, sink) = (Store::new(), Scripted::new());
    let ids = store.append(0..2).await;
    let running = Running::start(&store.ledger, &sink);
    sink.wait_for_tries(1).await;
    let mut better = call(0);
    better.sighting = ObservedAs::Span;
    better.attribution.feature = Some("search".to_owned());
    store.ledger.append(vec![better]).await.unwrap();
    running.stop().await;
    let delivered = sink.delivered.lock().unwrap().clone();
    let last = delivered.last().unwrap();
    assert_eq!((&last.event_id, last.feature.as_deref()), (&ids[0], Some("search")));
    assert_eq!(delivered.iter().map(|event| event.revision).collect::<Vec<_>>(), [1, 1, 2]);
}
