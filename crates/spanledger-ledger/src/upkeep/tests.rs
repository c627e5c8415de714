use spanledger_event::{
    CostEvent, CostLine, Usd,
    test_support::{ObservationBuilder, SECOND},
};
use tempfile::TempDir;

use super::*;
use crate::{GroupBy, Query};

fn open() -> (TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
    (folder, ledger)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn call(request: &str, call: &str, second: i64, picos: i128) -> Observation {
    ObservationBuilder::record(request, call, second).tokens(100, 10).cost_picos(picos).build()
}

fn events(ledger: &Ledger) -> Vec<CostEvent> {
    let changes = ledger.reader().unwrap().changes_after(0, 100).unwrap();
    changes.into_iter().map(|change| change.event).collect()
}

fn billed(ledger: &Ledger) -> (i64, Usd) {
    let total = ledger.reader().unwrap().report(&Query::by(GroupBy::Feature)).unwrap().total;
    (total.requests, total.billed)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_nanos(second * SECOND)
}

#[test]
fn pruned_events_are_gone_but_their_sums_stay_and_late_sightings_are_known_also_after_a_restart() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        let old = || call("old", "c1", 10, 5);
        ledger.append(vec![old(), call("new", "c2", 20, 7)]).await.unwrap();
        let before = billed(&ledger);
        let pruned = ledger.prune(at(15), None, 100).await.unwrap();
        assert_eq!((pruned.events, pruned.observations, pruned.next), (1, 1, None));
        assert_eq!((events(&ledger).len(), billed(&ledger)), (1, before));
        // The same record, another sighting of its call, and a retry of the request.
        let mut span = old();
        span.sighting = spanledger_event::ObservedAs::Span;
        let late = || vec![old(), span.clone(), call("old", "c3", 30, 9)];
        let appended = ledger.append(late()).await.unwrap();
        assert_eq!((appended.new, appended.late), (0, 3));
        drop(ledger);
        let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
        let appended = ledger.append(late()).await.unwrap();
        assert_eq!((appended.new, appended.late), (0, 3));
        assert_eq!((events(&ledger).len(), billed(&ledger)), (1, before));
    });
}

#[test]
fn nothing_is_pruned_that_a_follower_has_not_passed_or_that_belongs_to_later_events() {
    runtime().block_on(async {
        let (_folder, ledger) = open();
        // The agent's span begins before the limit, its call after it.
        let agent = ObservationBuilder::span("t", "agent", 1).tokens(50, 5).aggregate(60).build();
        let inner = ObservationBuilder::span("t", "call", 30)
            .in_trace("t", "call", Some("agent"))
            .tokens(50, 5)
            .build();
        ledger.append(vec![call("r", "c", 5, 1), agent, inner]).await.unwrap();
        ledger.advance("sink", 0).await.unwrap();
        let pruned = ledger.prune(at(15), None, 100).await.unwrap();
        assert_eq!((pruned.events, pruned.kept), (0, 2));
        let last = *ledger.changes().borrow();
        ledger.advance("sink", last).await.unwrap();
        let pruned = ledger.prune(at(15), None, 100).await.unwrap();
        assert_eq!((pruned.events, pruned.kept, pruned.next), (1, 1, None));
        assert_eq!(events(&ledger).len(), 2);
    });
}

#[test]
fn pruning_stops_at_its_limit_and_goes_on_after_it() {
    runtime().block_on(async {
        let (_folder, ledger) = open();
        // The two oldest events are kept, because each has a retry after the limit.
        let calls = (0..5).map(|i| call(&format!("r{i}"), &format!("c{i}"), i, 1));
        let retries = (0..2).map(|i| {
            let agent =
                ObservationBuilder::span(&format!("t{i}"), "agent", i).tokens(50, 5).aggregate(90).build();
            let inner = ObservationBuilder::span(&format!("t{i}"), "call", 60)
                .in_trace(&format!("t{i}"), "call", Some("agent"))
                .tokens(50, 5)
                .build();
            [agent, inner]
        });
        ledger.append(calls.chain(retries.flatten()).collect()).await.unwrap();
        let (mut next, mut events, mut kept, mut calls) = (None, 0, 0, 0);
        loop {
            let pruned = ledger.prune(at(50), next, 2).await.unwrap();
            (events, kept, calls) = (events + pruned.events, kept + pruned.kept, calls + 1);
            next = pruned.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!((events, kept, calls), (5, 2, 4));
    });
}

#[test]
fn nothing_is_pruned_that_comes_after_the_only_batch_of_a_follower() {
    runtime().block_on(async {
        let (_folder, ledger) = open();
        let calls = (0..3).map(|i| call(&format!("r{i}"), &format!("c{i}"), i, 1)).collect();
        ledger.append(calls).await.unwrap();
        // The follower has not acknowledged anything, so that it has no cursor yet.
        ledger.hand_out("sink", 1).await.unwrap().unwrap();
        let pruned = ledger.prune(at(50), None, 10).await.unwrap();
        assert_eq!((pruned.events, pruned.kept), (0, 3));
    });
}

#[test]
fn a_repricing_makes_a_new_revision_and_moves_the_sums() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        ledger.append(vec![call("r", "c1", 1, 5), call("s", "c2", 2, 7)]).await.unwrap();
        let epoch = ledger.begin_repricing().await.unwrap();
        let observations = ledger.reader().unwrap().observations(0, 10).unwrap();
        let (seq, observation) = &observations[0];
        let cost = Cost { usd: Some(Usd::from_picos(50)), ..observation.cost.clone().unwrap() };
        assert_eq!(ledger.reprice(epoch, vec![(*seq, cost.clone())]).await.unwrap().events, 1);
        // The same costs change nothing.
        assert_eq!(ledger.reprice(epoch, vec![(*seq, cost)]).await.unwrap().events, 0);
        assert_eq!(billed(&ledger), (2, Usd::from_picos(57)));
        let event =
            events(&ledger).into_iter().find(|event| event.cost_usd == Some(Usd::from_picos(50))).unwrap();
        assert!(event.revision > 1_000_000, "{}", event.revision);
        // The new cost is that of the journal from now on: another sighting does not bring the old one back.
        drop(ledger);
        let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
        let mut span = call("r", "c1", 1, 5);
        span.sighting = spanledger_event::ObservedAs::Span;
        span.service_name = Some("service".to_owned());
        assert_eq!(ledger.append(vec![span]).await.unwrap().new, 1);
        assert_eq!(billed(&ledger), (2, Usd::from_picos(57)));
        assert_eq!(ledger.begin_repricing().await.unwrap(), epoch + 1);
    });
}

/// The row of an event leaves out what the row of an observation has, which keeps its first cost.
#[test]
fn a_repriced_event_has_the_lines_of_its_new_cost() {
    runtime().block_on(async {
        let (_folder, ledger) = open();
        let line = |kind: &'static str| CostLine {
            kind: kind.into(),
            quantity: 3.into(),
            unit: "call".into(),
            rate: 2.into(),
            usd: Usd::from_picos(6),
        };
        let mut observation = call("r", "c1", 1, 6);
        observation.cost.as_mut().unwrap().lines = vec![line("input")];
        ledger.append(vec![observation.clone()]).await.unwrap();
        for lines in [vec![line("output"), line("input")], vec![], vec![line("input")]] {
            let epoch = ledger.begin_repricing().await.unwrap();
            let cost = Cost { lines: lines.clone(), ..observation.cost.clone().unwrap() };
            assert_eq!(ledger.reprice(epoch, vec![(1, cost.clone())]).await.unwrap().events, 1);
            assert_eq!(events(&ledger)[0].cost_lines, lines);
            assert_eq!(ledger.reprice(epoch, vec![(1, cost)]).await.unwrap().events, 0, "nothing is new");
        }
    });
}

#[test]
fn folding_again_corrects_an_event_that_differs_from_its_observations() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        ledger.append(vec![call("r", "c1", 1, 5), call("s", "c2", 2, 7)]).await.unwrap();
        let before = events(&ledger);
        let done = ledger.refold(0, 1).await.unwrap();
        assert_eq!((done.corrected, done.is_done), (0, false));
        Connection::open(folder.path().join("spanledger.db"))
            .unwrap()
            .execute_batch("UPDATE event SET attempts = 9 WHERE seq = 2")
            .unwrap();
        let done = ledger.refold(done.last, 10).await.unwrap();
        assert_eq!((done.corrected, done.is_done), (1, true));
        let attempts: Vec<_> = events(&ledger).iter().map(|event| event.attempts).collect();
        assert_eq!(attempts, [1, 1]);
        assert_eq!(before.len(), 2);
    });
}
