//! Tests of the delivery from the ledger to a sink: retries, rejections, stops and starts.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use spanledger_event::{CostEvent, EventId, Observation, ObservedAs, PartialAttribution};
use spanledger_ledger::{Ledger, LedgerError, LedgerReader};
use spanledger_receiver::{DeliveryOptions, SinkState, SinkStatus, deliver};
use spanledger_sinks::{
    Batch, BatchShape, ConfiguredSink, EventSelection, Fault, Opened, Opening, Rejection, Sink, Start,
    Written,
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
    /// Names the poisoned event instead of refusing its batch.
    names_poison: bool,
    /// The position that the destination keeps, if it keeps one.
    cursor: Arc<Mutex<Option<i64>>>,
    /// Every batch that was tried.
    tried: Arc<Mutex<Vec<Vec<EventId>>>>,
    delivered: Arc<Mutex<Vec<CostEvent>>>,
    /// What was written and is not committed.
    written: Vec<CostEvent>,
    progress: Arc<watch::Sender<usize>>,
}

impl Scripted {
    fn new() -> Self {
        Self {
            planned: Arc::default(),
            down: Arc::default(),
            poison: None,
            names_poison: false,
            cursor: Arc::default(),
            tried: Arc::default(),
            delivered: Arc::default(),
            written: Vec::new(),
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

    fn answer(&mut self, batch: &Batch) -> Result<(), Fault> {
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
            self.written.extend(batch.events().map(|event| CostEvent::clone(event)));
        }
        self.progress.send_modify(|tries| *tries += 1);
        answer
    }
}

impl Sink for Scripted {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(BATCH_MAX).in_flight(2)
    }

    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        self.written.clear();
        Ok(Opened { cursor: *self.cursor.lock().unwrap(), remarks: Vec::new() })
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let poisoned = batch.events().position(|event| self.poison.as_ref() == Some(&event.event_id));
        if let (Some(index), true) = (poisoned, self.names_poison) {
            self.progress.send_modify(|tries| *tries += 1);
            let others = batch.events().enumerate().filter(|(other, _)| *other != index);
            self.written.extend(others.map(|(_, event)| CostEvent::clone(event)));
            return Ok(Written { rejected: vec![Rejection { index, reason: "poison".to_owned() }] });
        }
        self.answer(batch).map(|()| Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        self.delivered.lock().unwrap().append(&mut self.written);
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
        Self::start_with(ledger, sink, &SinkStatus::new("scripted", "custom"), |_| {})
    }

    fn start_with(
        ledger: &Ledger,
        sink: &Scripted,
        status: &SinkStatus,
        configure: impl FnOnce(&mut ConfiguredSink),
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let sink = sink.clone();
        let mut sink = ConfiguredSink::new("scripted", move || sink.clone());
        // The calls of these tests lack attribution.
        sink.filter.events = EventSelection::All;
        configure(&mut sink);
        let shutdown = async move {
            stopped.await.unwrap_or_default();
            tokio::time::Instant::now() + SHUTDOWN_TIMEOUT
        };
        Self { stop, done: tokio::spawn(deliver(ledger.clone(), sink, status.clone(), OPTIONS, shutdown)) }
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

/// A refused event is a dead letter with its reason, whether the destination names it or not. No other event is.
#[tokio::test]
async fn a_refused_event_is_a_dead_letter() {
    for names_poison in [false, true] {
        let (store, mut sink) = (Store::new(), Scripted::new());
        sink.names_poison = names_poison;
        let mut ids = store.append(0..6).await;
        let poison = ids.remove(2);
        sink.poison = Some(poison.clone());
        let running = Running::start(&store.ledger, &sink);
        sink.wait_for_tries(2).await;
        running.stop().await;
        let letters = store.reader().dead_letters("scripted").unwrap();
        assert_eq!(letters.len(), 1, "{letters:?}");
        let letter = &letters[0].letter;
        assert_eq!((&letter.event_id, letter.reason.as_str()), (&poison, "poison"));
        assert_eq!(sink.delivered(), ids);
        assert_eq!(store.cursor(), store.last_change());
    }
}

/// The destination has committed more than the ledger was told. What it has is not sent again.
#[tokio::test]
async fn what_the_destination_has_is_not_sent_again() {
    let (store, sink) = (Store::new(), Scripted::new());
    let ids = store.append(0..9).await;
    let running = Running::start(&store.ledger, &sink);
    running.stop().await;
    assert_eq!(sink.delivered(), ids);

    let more = store.append(9..12).await;
    let there = store.last_change();
    *sink.cursor.lock().unwrap() = Some(there);
    let last = store.append(12..13).await;
    let running = Running::start(&store.ledger, &sink);
    running.stop().await;
    assert_eq!(sink.delivered(), [ids, last].concat(), "{more:?} are at the destination already");
    assert_eq!(store.cursor(), store.last_change());
}

/// The destination was restored from a backup: it gets again what it lost.
#[tokio::test]
async fn a_destination_that_went_back_gets_the_rest_again() {
    let (store, sink) = (Store::new(), Scripted::new());
    let first = store.append(0..4).await;
    let backup = store.last_change();
    let lost = store.append(4..9).await;
    Running::start(&store.ledger, &sink).stop().await;
    assert_eq!(sink.delivered(), [first.clone(), lost.clone()].concat());

    *sink.cursor.lock().unwrap() = Some(backup);
    Running::start(&store.ledger, &sink).stop().await;
    assert_eq!(sink.delivered(), [first, lost.clone(), lost].concat());
    assert_eq!(store.cursor(), store.last_change());
}

/// A destination that is ahead of the ledger belongs to another state of it.
#[tokio::test]
async fn a_destination_that_is_ahead_of_the_ledger_blocks_the_sink() {
    let (store, sink) = (Store::new(), Scripted::new());
    store.append(0..2).await;
    *sink.cursor.lock().unwrap() = Some(1_000_000);
    let status = SinkStatus::new("scripted", "custom");
    let running = Running::start_with(&store.ledger, &sink, &status, |_| {});
    soon(async {
        while status.report().state != SinkState::Blocked {
            tokio::task::yield_now().await;
        }
    })
    .await;
    running.stop().await;
    let error = status.report().last_error.unwrap();
    assert!(error.contains("older copy") && error.contains("ledger restore"), "{error}");
    assert_eq!((store.cursor(), sink.delivered().len()), (0, 0));
}

/// A destination that refuses everything is what is wrong, and not the events: history does not go to the dead
/// letters.
#[tokio::test]
async fn a_destination_that_refuses_everything_blocks_the_sink() {
    let (store, sink) = (Store::new(), Scripted::new());
    store.append(0..20).await;
    for _ in 0..200 {
        sink.plan(Fault::rejected("no"));
    }
    let status = SinkStatus::new("scripted", "custom");
    let running = Running::start_with(&store.ledger, &sink, &status, |sink| sink.rejections_max = 5);
    soon(async {
        while status.report().state != SinkState::Blocked {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = status.report().last_error.unwrap();
    assert!(error.contains("6 events in a row") && error.contains("rejections_max"), "{error}");
    assert!(store.reader().dead_letters("scripted").unwrap().len() <= 5);

    // The destination was mended.
    sink.planned.lock().unwrap().clear();
    status.retry_now();
    running.stop().await;
    let letters = store.reader().dead_letters("scripted").unwrap().len();
    assert_eq!(sink.delivered().len() + letters, 20);
    assert_eq!(store.cursor(), store.last_change());
}

/// A sink that another process has displaced does not displace it in turn.
#[tokio::test]
async fn a_fenced_sink_does_not_try_again() {
    let (store, sink) = (Store::new(), Scripted::new());
    store.append(0..2).await;
    sink.plan(Fault::fenced("a newer process"));
    let status = SinkStatus::new("scripted", "custom");
    let running = Running::start_with(&store.ledger, &sink, &status, |_| {});
    sink.wait_for_tries(1).await;
    status.retry_now();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((sink.tried().len(), status.report().state), (1, SinkState::Fenced));
    running.stop().await;
    assert_eq!(store.cursor(), 0);
}

/// A sink that begins now does not get history.
#[tokio::test]
async fn a_sink_that_starts_now_gets_only_what_comes() {
    let (store, sink) = (Store::new(), Scripted::new());
    store.append(0..5).await;
    let status = SinkStatus::new("scripted", "custom");
    let running = Running::start_with(&store.ledger, &sink, &status, |sink| sink.start = Start::Now);
    soon(async {
        while status.report().state != SinkState::Delivering {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let later = store.append(5..7).await;
    running.stop().await;
    assert_eq!(sink.delivered(), later);
}
