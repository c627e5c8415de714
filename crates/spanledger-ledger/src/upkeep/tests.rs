use std::ops::ControlFlow;

use rusqlite::Connection;
use spanledger_event::{
    Cost, CostEvent, CostLine, Observation, Timestamp, Usd,
    test_support::{ObservationBuilder, SECOND},
};
use tempfile::TempDir;

use super::*;
use crate::{GroupBy, LedgerReader, Query};

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
    changes.into_iter().map(|change| (**change.event).clone()).collect()
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

fn connection(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("spanledger.db")).unwrap()
}

fn differences(reader: &LedgerReader) -> usize {
    let mut count = 0;
    reader
        .compare_sums(|_| {
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    count
}

#[test]
fn a_pruning_says_which_follower_holds_events_back_and_a_forgotten_one_holds_nothing() {
    runtime().block_on(async {
        let (_folder, ledger) = open();
        ledger.append(vec![call("r", "c1", 1, 1), call("s", "c2", 2, 1)]).await.unwrap();
        let last = *ledger.changes().borrow();
        ledger.advance("fast", last).await.unwrap();
        ledger.advance("slow", 1).await.unwrap();
        ledger.hand_out("slow", 1).await.unwrap().unwrap();
        let preview = ledger.reader().unwrap().prune_preview(at(50)).unwrap();
        assert_eq!((preview.old, preview.prunable, preview.oldest), (2, 1, Some(at(1))));
        assert_eq!(preview.held_by.into_iter().collect::<Vec<_>>(), [("slow".to_owned(), 1)]);
        let pruned = ledger.prune(at(50), None, 10).await.unwrap();
        assert_eq!((pruned.events, pruned.kept, pruned.held, pruned.oldest_held), (1, 1, 1, Some(at(2))));
        assert_eq!(pruned.held_by.into_iter().collect::<Vec<_>>(), ["slow"]);

        assert!(ledger.forget("slow").await.unwrap());
        assert!(!ledger.forget("slow").await.unwrap());
        let followers = ledger.reader().unwrap().info().unwrap().followers;
        assert_eq!(followers.iter().map(|follower| &*follower.name).collect::<Vec<_>>(), ["fast"]);
        let pruned = ledger.prune(at(50), None, 10).await.unwrap();
        assert_eq!((pruned.events, pruned.kept, pruned.held_by.len()), (1, 0, 0));
    });
}

#[test]
fn a_follower_that_comes_back_after_it_was_forgotten_receives_what_is_there() {
    runtime().block_on(async {
        let (_folder, ledger) = open();
        ledger.append(vec![call("r", "c1", 1, 1)]).await.unwrap();
        let range = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        ledger.advance("sink", range.last).await.unwrap();
        assert_eq!(ledger.hand_out("sink", 10).await.unwrap(), None);
        ledger.forget("sink").await.unwrap();
        assert_eq!(ledger.hand_out("sink", 10).await.unwrap(), Some(range));
    });
}

#[test]
fn an_event_whose_observation_cannot_be_read_is_kept_and_the_others_are_pruned() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        let calls = (0..3).map(|i| call(&format!("r{i}"), &format!("c{i}"), i, 1)).collect();
        ledger.append(calls).await.unwrap();
        connection(&folder).execute_batch("UPDATE observation SET facts = x'ff' WHERE seq = 2").unwrap();
        let pruned = ledger.prune(at(50), None, 10).await.unwrap();
        assert_eq!((pruned.events, pruned.kept, pruned.unreadable, pruned.next), (2, 1, 1, None));
        let refolded = ledger.refold(0, 10).await.unwrap();
        assert_eq!((refolded.observations, refolded.unreadable, refolded.is_done), (0, 1, true));
    });
}

#[test]
fn the_keys_of_pruned_observations_are_kept_beside_the_index_only_until_it_has_them() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        ledger.append(vec![call("old", "c1", 1, 1)]).await.unwrap();
        ledger.prune(at(50), None, 10).await.unwrap();
        // The index on disk is empty, and has all keys up to the number 0.
        connection(&folder).execute_batch("INSERT INTO pruned_key (seq, key) VALUES (0, 1)").unwrap();
        ledger.prune(at(50), None, 10).await.unwrap();
        let kept: (i64, i64) = connection(&folder)
            .query_row("SELECT min(seq), max(seq) FROM pruned_key", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(kept, (1, 1));
    });
}

#[test]
fn an_event_whose_row_cannot_be_read_is_made_again_with_a_greater_revision_and_the_same_sums() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        ledger.append(vec![call("r", "c1", 1, 5), call("s", "c2", 2, 7)]).await.unwrap();
        let before = events(&ledger);
        // A sink has received both.
        let range = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        ledger.advance("sink", range.last).await.unwrap();
        connection(&folder).execute_batch("UPDATE event SET state = 77 WHERE seq = 1").unwrap();
        assert!(ledger.reader().unwrap().changes_after(0, 10).is_err());
        let done = ledger.refold(0, 10).await.unwrap();
        assert_eq!((done.observations, done.corrected, done.unreadable), (2, 1, 0));
        let mut after = events(&ledger);
        after.sort_by_key(|event| event.timestamp);
        assert!(after[0].revision > before[0].revision);
        after[0].revision = before[0].revision;
        assert_eq!(after, before);
        assert_eq!(differences(&ledger.reader().unwrap()), 0);
        let again = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        assert_eq!(ledger.reader().unwrap().batch(&again).unwrap().changes.len(), 1);
        assert_eq!(ledger.refold(0, 10).await.unwrap().corrected, 0);
    });
}

#[test]
fn folding_in_small_parts_corrects_each_event_once() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        // Three sightings of one call, and another call.
        let sighting = |service: &str| {
            let mut call = call("r", "c1", 1, 5);
            call.service_name = Some(service.to_owned());
            call
        };
        ledger
            .append(vec![sighting("a"), call("s", "c2", 2, 7), sighting("b"), sighting("c")])
            .await
            .unwrap();
        connection(&folder).execute_batch("UPDATE event SET attempts = 9").unwrap();
        let (mut last, mut observations, mut corrected) = (0, 0, 0);
        loop {
            let done = ledger.refold(last, 1).await.unwrap();
            (last, observations, corrected) =
                (done.last, observations + done.observations, corrected + done.corrected);
            if done.is_done {
                break;
            }
        }
        assert_eq!((observations, corrected), (4, 2));
    });
}

/// Appends calls and prunes most of them, so that the file has free pages.
async fn with_free_pages(ledger: &Ledger) {
    for part in 0..4_i64 {
        let calls = (0..500).map(|i| {
            let name = format!("{part}-{i}");
            call(&name, &name, part, 1)
        });
        ledger.append(calls.collect()).await.unwrap();
    }
    let mut next = None;
    loop {
        next = ledger.prune(at(3), next, 500).await.unwrap().next;
        if next.is_none() {
            break;
        }
    }
}

#[test]
fn a_compaction_gives_free_pages_back_in_parts_and_loses_nothing() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        with_free_pages(&ledger).await;
        let (reader, sums) = (ledger.reader().unwrap(), billed(&ledger));
        let before = reader.pages().unwrap();
        assert!(before.can_shrink && before.free > 10, "{before:?}");
        let first = ledger.compact(3).await.unwrap();
        assert_eq!((first.pages, first.left.free), (3, before.free - 3));
        let rest = ledger.compact(100_000).await.unwrap();
        assert_eq!((rest.left.free, rest.left.total), (0, before.total - before.free));
        assert_eq!(ledger.compact(10).await.unwrap().pages, 0);
        drop(reader);
        let sizes = ledger.copy_log().unwrap();
        assert_eq!(sizes.database, rest.left.total * rest.left.bytes);
        let reader = ledger.reader().unwrap();
        assert_eq!(reader.integrity().unwrap(), Vec::<String>::new());
        assert_eq!((reader.changes_after(0, 1_000).unwrap().len(), billed(&ledger)), (500, sums));
        assert_eq!(ledger.append(vec![call("0-1", "0-1", 0, 1)]).await.unwrap().late, 1);
        drop((reader, ledger));
        let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
        assert_eq!(
            (billed(&ledger), ledger.append(vec![call("0-1", "0-1", 0, 1)]).await.unwrap().late),
            (sums, 1)
        );
    });
}

#[test]
fn a_file_that_cannot_shrink_is_written_anew_and_can_from_then_on() {
    runtime().block_on(async {
        let (folder, ledger) = open();
        with_free_pages(&ledger).await;
        let sums = billed(&ledger);
        drop(ledger);
        // As earlier versions made it.
        connection(&folder).execute_batch("PRAGMA auto_vacuum = NONE; VACUUM").unwrap();
        let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
        ledger.append(vec![call("more", "more", 9, 1)]).await.unwrap();
        assert!(!ledger.reader().unwrap().pages().unwrap().can_shrink);
        assert_eq!(ledger.compact(10).await.unwrap().pages, 0);
        ledger.rebuild_file().unwrap();
        let pages = ledger.reader().unwrap().pages().unwrap();
        assert!(pages.can_shrink && pages.free == 0, "{pages:?}");
        // The writer goes on with the new file.
        assert_eq!(
            ledger.append(vec![call("0-1", "0-1", 0, 1), call("new", "new", 9, 1)]).await.unwrap().late,
            1
        );
        assert_eq!(billed(&ledger).0, sums.0 + 2);
        assert_eq!(ledger.reader().unwrap().integrity().unwrap(), Vec::<String>::new());
    });
}
