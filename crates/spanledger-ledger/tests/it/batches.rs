//! What followers are given.

use spanledger_event::{EventState, Observation, test_support::ObservationBuilder};
use spanledger_ledger::{BatchRange, Change, Ledger};

use crate::support::{SECOND, call, folder, runtime};

fn changes(ledger: &Ledger, range: &BatchRange) -> Vec<Change> {
    let batch = ledger.reader().unwrap().batch(range).unwrap();
    assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
    batch.changes
}

/// A gateway's span without attribution, and the client's record of the same response.
pub(crate) fn sightings(id: &str, second: i64) -> [Observation; 2] {
    let span = ObservationBuilder::span(&format!("trace-{id}"), "gateway", second)
        .tokens(10, 1)
        .response(id)
        .build();
    let record =
        ObservationBuilder::record(id, &format!("call-{id}"), second).tokens(10, 1).response(id).build();
    [span, record]
}

#[test]
fn a_batch_stays_the_same_until_it_is_acknowledged_also_after_a_restart() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c1", 1, 5), call("s", "c2", 2, 5)]).await.unwrap();
        let range = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        let before = changes(&ledger, &range);
        assert_eq!(before.len(), 2);
        // A billed retry changes the first event while the batch is in flight.
        ledger.append(vec![call("r", "c3", 3, 7)]).await.unwrap();
        assert_eq!(changes(&ledger, &range), before);
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.hand_out("sink", 1).await.unwrap().as_ref(), Some(&range));
        assert_eq!(changes(&ledger, &range), before);

        ledger.advance("sink", range.last).await.unwrap();
        let next = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        assert_eq!((&next.ledger, next.cursor), (&range.ledger, range.last));
        let after = changes(&ledger, &next);
        assert_eq!((after.len(), after[0].event.attempts), (1, 2));
        assert_eq!(after[0].event.event_id, before[0].event.event_id);
        ledger.advance("sink", next.last).await.unwrap();
        assert_eq!(ledger.hand_out("sink", 10).await.unwrap(), None);
        // Nothing is kept once nobody needs it.
        let kept: i64 = rusqlite::Connection::open(&path)
            .unwrap()
            .query_row("SELECT (SELECT count(*) FROM superseded) + (SELECT count(*) FROM batch)", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(kept, 0);
    });
}

#[test]
fn a_void_event_comes_before_the_event_that_takes_its_place_and_in_the_same_batch() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        for (number, id) in ["a", "b"].into_iter().enumerate() {
            let [span, record] = sightings(id, i64::try_from(number).unwrap());
            ledger.append(vec![span]).await.unwrap();
            let range = ledger.hand_out("sink", 1).await.unwrap().unwrap();
            ledger.advance("sink", range.last).await.unwrap();
            ledger.append(vec![record]).await.unwrap();
            // The greatest number of changes is one, but the two belong together.
            let range = ledger.hand_out("sink", 1).await.unwrap().unwrap();
            let states: Vec<_> = changes(&ledger, &range).iter().map(|change| change.event.state).collect();
            assert_eq!(states, [EventState::Void, EventState::Live]);
            ledger.advance("sink", range.last).await.unwrap();
        }
    });
}

#[test]
fn an_event_that_was_never_delivered_is_not_delivered_as_void() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let [span, record] = sightings("a", 1);
        ledger.append(vec![span]).await.unwrap();
        ledger.append(vec![record]).await.unwrap();
        let range = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        let states: Vec<_> = changes(&ledger, &range).iter().map(|change| change.event.state).collect();
        assert_eq!(states, [EventState::Live]);
        assert_eq!(ledger.reader().unwrap().summary().unwrap().void, 1);
    });
}

/// The batch of one follower keeps a revision for itself alone.
#[test]
fn a_follower_is_not_given_what_another_follower_still_has_in_hand() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let [span, record] = sightings("a", 1);
        ledger.append(vec![span]).await.unwrap();
        let slow = ledger.hand_out("slow", 10).await.unwrap().unwrap();
        let kept = changes(&ledger, &slow);
        // Now the first event is void, and another one counts.
        ledger.append(vec![record]).await.unwrap();
        let range = ledger.hand_out("quick", 10).await.unwrap().unwrap();
        let given = changes(&ledger, &range);
        let states: Vec<_> = given.iter().map(|change| change.event.state).collect();
        assert_eq!(states, [EventState::Live]);
        assert_ne!(given[0].event.event_id, kept[0].event.event_id);
        assert_eq!(changes(&ledger, &slow), kept);
        ledger.advance("slow", slow.last).await.unwrap();
        assert_eq!(changes(&ledger, &range), given);
    });
}

#[test]
fn the_timestamp_stays_once_the_event_was_handed_out() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c1", 50, 5)]).await.unwrap();
        let range = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        ledger.append(vec![call("r", "c2", 40, 5)]).await.unwrap();
        let second = |change: &Change| change.event.timestamp.nanos() / SECOND;
        assert_eq!(second(&changes(&ledger, &range)[0]), 50);
        ledger.advance("sink", range.last).await.unwrap();
        let next = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        assert_eq!(second(&changes(&ledger, &next)[0]), 50);
    });
}

#[test]
fn a_damaged_event_does_not_keep_the_others_from_a_follower() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger
            .append((0..3).map(|i| call(&format!("r{i}"), &format!("c{i}"), i, 5)).collect())
            .await
            .unwrap();
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch("UPDATE event SET emitter = 4711 WHERE seq = 2")
            .unwrap();
        let range = ledger.hand_out("sink", 10).await.unwrap().unwrap();
        let batch = ledger.reader().unwrap().batch(&range).unwrap();
        assert_eq!((batch.changes.len(), batch.unreadable.len(), batch.unreadable[0].seq), (2, 1, 2));
    });
}

/// What is related to a damaged row cannot be appended. Its neighbours in the same request are.
#[test]
fn a_damaged_row_fails_only_what_is_related_to_it() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c1", 1, 5)]).await.unwrap();
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch("UPDATE observation SET facts = x'00'")
            .unwrap();
        let request = || vec![call("a", "c2", 1, 5), call("r", "c3", 2, 5), call("b", "c4", 1, 5)];
        for _ in 0..2 {
            let error = ledger.append(request()).await.unwrap_err();
            assert!(matches!(error, spanledger_ledger::LedgerError::Damaged(_)), "{error:?}");
            assert_eq!(ledger.reader().unwrap().summary().unwrap().observations, 3);
        }
        let report =
            ledger.reader().unwrap().report(&spanledger_ledger::Query::by(spanledger_ledger::GroupBy::Day));
        assert_eq!(report.unwrap().total.requests, 3);
    });
}
