//! Several batches in flight, their parts, dead letters, and cursors that move back.

use std::path::Path;

use rusqlite::Connection;
use spanledger_event::{EventState, Timestamp};
use spanledger_ledger::{BatchRange, Change, DeadLetter, HandedOut, Ledger, LedgerError};

use crate::support::{SECOND, call, folder, runtime};

async fn append(ledger: &Ledger, numbers: std::ops::Range<i64>) {
    let calls = numbers.map(|n| call(&format!("r{n}"), &format!("c{n}"), n, 5)).collect();
    ledger.append(calls).await.unwrap();
}

async fn next(ledger: &Ledger, after: i64, limit: usize) -> HandedOut {
    ledger.next_batch("sink", after, limit).await.unwrap().unwrap()
}

fn changes(ledger: &Ledger, range: &BatchRange) -> Vec<Change> {
    let batch = ledger.reader().unwrap().batch(range).unwrap();
    assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
    batch.changes
}

fn positions(ledger: &Ledger, range: &BatchRange) -> Vec<i64> {
    changes(ledger, range).iter().map(|change| change.seq).collect()
}

fn ends(ranges: &[BatchRange]) -> Vec<(i64, i64)> {
    ranges.iter().map(|range| (range.cursor, range.last)).collect()
}

fn dead(change: &Change, reason: &str) -> DeadLetter {
    DeadLetter {
        seq: change.seq,
        event_id: change.event.event_id.clone(),
        revision: change.event.revision,
        reason: reason.to_owned(),
        event: (**change.event).clone(),
    }
}

fn kept(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row("SELECT count(*) FROM superseded", [], |row| row.get(0)).unwrap()
}

#[test]
fn several_batches_in_flight_stay_the_same_also_after_a_restart() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..7).await;
        let mut given = Vec::new();
        let mut after = 0;
        for _ in 0..3 {
            let batch = next(&ledger, after, 2).await.range;
            after = batch.last;
            given.push((batch.clone(), changes(&ledger, &batch)));
        }
        // A retry changes an event of each batch.
        for n in [0, 2, 4] {
            ledger.append(vec![call(&format!("r{n}"), &format!("retry-{n}"), n, 7)]).await.unwrap();
        }
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        let ranges: Vec<BatchRange> = given.iter().map(|(range, _)| range.clone()).collect();
        assert_eq!(ends(&ranges), [(0, 2), (2, 4), (4, 6)]);
        assert_eq!(ledger.batches("sink").await.unwrap(), ranges);
        assert_eq!(ledger.batches("other").await.unwrap(), []);
        for (range, before) in &given {
            assert_eq!(next(&ledger, range.cursor, 100).await.range, *range);
            assert_eq!(changes(&ledger, range), *before);
        }
        // The batches before it are forgotten with the revisions that were kept for them.
        ledger.acknowledge("sink", 4, Vec::new()).await.unwrap();
        assert_eq!((ledger.batches("sink").await.unwrap(), kept(&path)), (ranges[2..].to_vec(), 1));
        let rest = next(&ledger, 6, 100).await.range;
        assert_eq!(positions(&ledger, &rest), [7, 9, 11, 13]);
        ledger.acknowledge("sink", rest.last, Vec::new()).await.unwrap();
        assert_eq!((ledger.batches("sink").await.unwrap(), kept(&path)), (Vec::new(), 0));
        assert_eq!(ledger.next_batch("sink", rest.last, 1).await.unwrap(), None);
    });
}

#[test]
fn a_batch_begins_only_where_the_last_one_ends() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..6).await;
        next(&ledger, 0, 2).await;
        for asked in [1, 3, 6] {
            let error = ledger.next_batch("sink", asked, 2).await.unwrap_err();
            assert!(matches!(error, LedgerError::NotAPosition { last: 2, .. }), "{error:?}");
        }
        assert!(ledger.health().fault().is_none(), "the ledger itself is sound");
        ledger.acknowledge("sink", 4, Vec::new()).await.unwrap();
        assert!(ledger.next_batch("sink", 2, 2).await.is_err());
        assert_eq!(next(&ledger, 4, 9).await.range.last, 6);
    });
}

#[test]
fn the_parts_of_a_batch_hold_its_events_and_have_identities_of_their_own() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..6).await;
        let whole = next(&ledger, 0, 6).await.range;
        let later = {
            append(&ledger, 6..8).await;
            next(&ledger, 6, 9).await.range
        };
        let all = changes(&ledger, &whole);
        let (first, second) = ledger.split(&whole, 2).await.unwrap();
        let (second, third) = ledger.split(&second, 3).await.unwrap();
        ledger.append(vec![call("r1", "retry", 1, 7), call("r3", "retry-3", 1, 7)]).await.unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        let ranges = ledger.batches("sink").await.unwrap();
        assert_eq!(ranges, [first, second, third, later]);
        let parts: Vec<Change> = ranges[..3].iter().flat_map(|range| changes(&ledger, range)).collect();
        assert_eq!((ends(&ranges), parts), (vec![(0, 2), (2, 3), (3, 6), (6, 8)], all));
        assert_eq!(next(&ledger, 2, 9).await.range, ranges[1]);
        for (range, at) in [(&whole, 1), (&ranges[0], 0), (&ranges[0], 2), (&ranges[2], 9)] {
            let error = ledger.split(range, at).await.unwrap_err();
            assert!(matches!(error, LedgerError::NotInBatch { .. }), "{error:?}");
        }
    });
}

/// The event became void before the batch was made, and the follower never had it.
#[test]
fn a_part_of_a_batch_has_no_void_event_that_the_whole_one_left_out() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let [span, record] = crate::batches::sightings("a", 1);
        ledger.append(vec![span]).await.unwrap();
        append(&ledger, 0..2).await;
        ledger.append(vec![record]).await.unwrap();
        let whole = next(&ledger, 0, 9).await.range;
        let all = changes(&ledger, &whole);
        assert_eq!(all.iter().map(|change| change.event.state).collect::<Vec<_>>(), [EventState::Live; 3]);
        let (first, second) = ledger.split(&whole, 2).await.unwrap();
        assert_eq!([changes(&ledger, &first), changes(&ledger, &second)].concat(), all);
        // The same holds for what is left of a batch.
        ledger.acknowledge("sink", first.last, Vec::new()).await.unwrap();
        ledger.acknowledge("sink", 3, Vec::new()).await.unwrap();
        let rest = ledger.batches("sink").await.unwrap().remove(0);
        assert_eq!((rest.cursor, changes(&ledger, &rest)), (3, all[2..].to_vec()));
    });
}

#[test]
fn a_cursor_inside_a_batch_makes_the_batch_shorter() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..6).await;
        let batch = next(&ledger, 0, 4).await.range;
        next(&ledger, 4, 4).await;
        let all = changes(&ledger, &batch);
        ledger.acknowledge("sink", 1, Vec::new()).await.unwrap();
        // A cursor that is behind the stored one moves nothing.
        ledger.acknowledge("sink", 0, Vec::new()).await.unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        let ranges = ledger.batches("sink").await.unwrap();
        assert_eq!(ends(&ranges), [(1, 4), (4, 6)]);
        assert_eq!(changes(&ledger, &ranges[0]), all[1..]);
        assert_eq!(ledger.reader().unwrap().cursor("sink").unwrap(), 1);
    });
}

#[test]
fn dead_letters_are_stored_with_the_cursor_and_kept_until_they_are_removed() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..4).await;
        let range = next(&ledger, 0, 4).await.range;
        let all = changes(&ledger, &range);
        let letters = vec![dead(&all[1], "a bad `model`"), dead(&all[3], "too large")];
        ledger.acknowledge("sink", range.last, letters.clone()).await.unwrap();
        // The same position again is the same dead letter, with the latest reason.
        ledger.acknowledge("sink", range.last, vec![dead(&all[3], "still too large")]).await.unwrap();
        ledger.acknowledge("other", 1, vec![dead(&all[0], "no")]).await.unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        let reader = ledger.reader().unwrap();
        let stored = reader.dead_letters("sink").unwrap();
        assert_eq!(stored[0].letter, letters[0]);
        assert_eq!((stored.len(), stored[1].letter.reason.as_str()), (2, "still too large"));
        assert!(stored[0].at > Timestamp::parse("2020-01-01T00:00:00Z").unwrap());
        assert_eq!(reader.dead_letters_after("sink", stored[0].number, 9).unwrap(), stored[1..]);
        assert_eq!(reader.dead_letters_after("sink", 0, 1).unwrap(), stored[..1]);
        let counts = |ledger: &Ledger| ledger.reader().unwrap().dead_letter_counts().unwrap();
        assert_eq!(counts(&ledger), [("other".to_owned(), 1), ("sink".to_owned(), 2)].into());
        let info = ledger.reader().unwrap().info().unwrap();
        let listed: Vec<_> = info.followers.iter().map(|one| (one.name.as_str(), one.dead_letters)).collect();
        assert_eq!(listed, [("other", 1), ("sink", 2)]);

        let number = stored[1].number;
        assert_eq!(ledger.remove_dead_letters("other", vec![number]).await.unwrap(), 0, "it is another's");
        assert_eq!(ledger.remove_dead_letters("sink", vec![number, 4_711]).await.unwrap(), 1);
        assert_eq!(counts(&ledger)["sink"], 1);
        // A number is not used again.
        ledger.acknowledge("sink", 4, vec![dead(&all[2], "no")]).await.unwrap();
        assert!(ledger.reader().unwrap().dead_letters("sink").unwrap()[1].number > number);
        assert!(ledger.forget("sink").await.unwrap());
        assert_eq!(counts(&ledger), [("other".to_owned(), 1)].into());
    });
}

#[test]
fn a_cursor_that_moves_back_makes_the_follower_receive_everything_after_it_again() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..6).await;
        ledger.acknowledge("sink", 4, Vec::new()).await.unwrap();
        next(&ledger, 4, 1).await;
        ledger.rewind("sink", 1).await.unwrap();
        assert_eq!(ledger.batches("sink").await.unwrap(), []);
        let again = next(&ledger, 1, 9).await.range;
        assert_eq!(positions(&ledger, &again), [2, 3, 4, 5, 6]);
        let error = ledger.rewind("sink", 2).await.unwrap_err();
        assert!(matches!(error, LedgerError::NotAPosition { asked: 2, last: 1, .. }), "{error:?}");
    });
}

#[test]
fn a_cursor_does_not_move_back_behind_what_was_pruned_also_after_a_restart() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..6).await;
        ledger.acknowledge("sink", 6, Vec::new()).await.unwrap();
        let pruned = ledger.prune(Timestamp::from_nanos(3 * SECOND), None, 100).await.unwrap();
        assert_eq!(pruned.events, 3);
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        let error = ledger.rewind("sink", 2).await.unwrap_err();
        assert!(matches!(error, LedgerError::Pruned { asked: 2, pruned_to: 3, .. }), "{error:?}");
        assert!(error.to_string().contains("move it to 3 at the earliest"), "{error}");
        ledger.rewind("sink", 3).await.unwrap();
        assert_eq!(positions(&ledger, &next(&ledger, 3, 9).await.range), [4, 5, 6]);
    });
}

#[test]
fn nothing_of_any_batch_in_flight_is_pruned() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..6).await;
        let mut after = 0;
        for _ in 0..3 {
            after = next(&ledger, after, 2).await.range.last;
        }
        ledger.acknowledge("sink", 2, Vec::new()).await.unwrap();
        let before = Timestamp::from_nanos(100 * SECOND);
        assert_eq!(ledger.prune(before, None, 100).await.unwrap().events, 2);
        let ranges = ledger.batches("sink").await.unwrap();
        let left: Vec<i64> = ranges.iter().flat_map(|range| positions(&ledger, range)).collect();
        assert_eq!(left, [3, 4, 5, 6]);
    });
}

#[test]
fn what_needs_no_change_of_the_file_is_answered_without_a_commit() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..4).await;
        let batch = next(&ledger, 0, 2).await;
        let log = || std::fs::metadata(format!("{}-wal", path.display())).unwrap().len();
        let before = log();
        assert_eq!(next(&ledger, 0, 2).await.range, batch.range);
        assert_eq!(ledger.batches("sink").await.unwrap(), [batch.range]);
        assert_eq!(log(), before);
        ledger.acknowledge("sink", 4, Vec::new()).await.unwrap();
        let before = log();
        assert_eq!(ledger.next_batch("sink", 4, 2).await.unwrap(), None);
        assert_eq!(log(), before);
    });
}

#[test]
fn followers_that_keep_up_are_given_the_same_events_from_memory() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..2).await;
        // Without followers nothing was kept.
        let old = next(&ledger, 0, 9).await;
        assert_eq!((old.range.last, old.changes), (2, None));
        append(&ledger, 2..4).await;
        let ours = next(&ledger, 2, 9).await.changes.unwrap();
        ledger.acknowledge("other", 2, Vec::new()).await.unwrap();
        let theirs = ledger.next_batch("other", 2, 9).await.unwrap().unwrap().changes.unwrap();
        assert_eq!(ours.len(), 2);
        assert!(ours.iter().zip(&theirs).all(|(a, b)| std::sync::Arc::ptr_eq(&a.event, &b.event)));
        // The last follower is forgotten, and nothing is kept any more.
        assert!(ledger.forget("sink").await.unwrap() && ledger.forget("other").await.unwrap());
        append(&ledger, 4..6).await;
        ledger.acknowledge("late", 4, Vec::new()).await.unwrap();
        assert_eq!(ledger.next_batch("late", 4, 9).await.unwrap().unwrap().changes, None);
    });
}

#[test]
fn several_batches_are_given_at_once() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, 0..7).await;
        let given = ledger.next_batches("sink", 0, 2, 3).await.unwrap();
        let ranges: Vec<BatchRange> = given.into_iter().map(|batch| batch.range).collect();
        assert_eq!(ends(&ranges), [(0, 2), (2, 4), (4, 6)]);
        assert_eq!(ledger.batches("sink").await.unwrap(), ranges);
        // Those in flight are given again, without new ones behind them.
        let again = ledger.next_batches("sink", 2, 2, 9).await.unwrap();
        assert_eq!(again.into_iter().map(|batch| batch.range).collect::<Vec<_>>(), ranges[1..]);
        assert_eq!(ledger.next_batches("sink", 6, 9, 9).await.unwrap().len(), 1);
        assert_eq!(ledger.next_batches("sink", 7, 9, 9).await.unwrap(), []);
    });
}
