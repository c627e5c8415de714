//! Appending: duplicates, revisions, cursors, amounts.

use spanledger_event::{Observation, ResponseRef, Timestamp, Usd, fold};
use spanledger_ledger::{GroupBy, Ledger, LedgerReader, Query};

use crate::support::{SECOND, call, folder, runtime, stored};

#[test]
fn a_repeated_observation_is_counted_and_changes_nothing() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        for round in 0..5 {
            let appended = ledger.append(vec![call("r", "c", 1, 5)]).await.unwrap();
            assert_eq!((appended.new, appended.duplicates), if round == 0 { (1, 0) } else { (0, 1) });
        }
        let reader = ledger.reader().unwrap();
        let changes = reader.changes_after(0, 10).unwrap();
        assert_eq!((changes.len(), changes[0].seq, changes[0].event.revision), (1, 1, 1));
        assert_eq!(reader.report(&Query::by(GroupBy::Customer)).unwrap().total.requests, 1);
    });
}

#[test]
fn a_change_raises_the_revision_and_moves_the_roll_ups() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c1", 1, 5)]).await.unwrap();
        ledger.append(vec![call("r", "c2", 2, 7)]).await.unwrap();
        let reader = ledger.reader().unwrap();
        let changes = reader.changes_after(1, 10).unwrap();
        assert_eq!((changes.len(), changes[0].event.revision, changes[0].event.attempts), (1, 2, 2));
        assert!(changes[0].seq > 1);
        let total = reader.report(&Query::by(GroupBy::Feature)).unwrap().total;
        assert_eq!((total.requests, total.retried), (1, 1));
        assert_eq!((total.billed, total.retry), (Usd::from_picos(12), Usd::from_picos(7)));
    });
}

#[test]
fn the_timestamp_stays_once_a_follower_has_the_event() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c1", 50, 5)]).await.unwrap();
        ledger.append(vec![call("r", "c2", 40, 5)]).await.unwrap();
        let second = |reader: &LedgerReader| stored(reader)[0].timestamp.nanos() / SECOND;
        let reader = ledger.reader().unwrap();
        assert_eq!(second(&reader), 40);
        let last = *ledger.changes().borrow();
        ledger.advance("sink", last).await.unwrap();
        ledger.append(vec![call("r", "c3", 30, 5)]).await.unwrap();
        assert_eq!(second(&reader), 40);
    });
}

#[test]
fn a_cursor_never_goes_back() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.advance("sink", 2).await.unwrap();
        ledger.advance("sink", 1).await.unwrap();
        let reader = ledger.reader().unwrap();
        assert_eq!((reader.cursor("sink").unwrap(), reader.cursor("other").unwrap()), (2, 0));
    });
}

#[test]
fn sums_are_exact_beyond_any_64_bit_amount_of_picodollars() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let nearly_a_million = 999_999_999_999_999_999_i128;
        let calls = (0..20).map(|i| call(&format!("r{i}"), &format!("c{i}"), i, nearly_a_million)).collect();
        ledger.append(calls).await.unwrap();
        let report = ledger.reader().unwrap().report(&Query::by(GroupBy::Day)).unwrap();
        assert_eq!(report.total.billed.to_string(), "19999999.99999999998");
    });
}

/// The ledger looks at the limits again, so that no observation makes it fail for its neighbours.
#[test]
fn an_amount_that_no_call_can_have_is_an_unknown_cost() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let calls = vec![call("bad", "c2", 1, i128::MAX / 4), call("also", "c3", 1, 5)];
        assert_eq!(ledger.append(calls).await.unwrap().new, 2);
        let events = stored(&ledger.reader().unwrap());
        let mut costs: Vec<_> =
            events.iter().map(|event| (event.cost_usd, event.cost_reason.as_deref())).collect();
        costs.sort();
        assert_eq!(costs, [(None, Some("out_of_range")), (Some(Usd::from_picos(5)), None)]);
    });
}

#[test]
fn acknowledged_observations_are_present_after_reopening() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c", 1, 5)]).await.unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.append(vec![call("r", "c", 1, 5)]).await.unwrap().duplicates, 1);
        ledger.append(vec![call("s", "d", 1, 5)]).await.unwrap();
        assert_eq!(ledger.reader().unwrap().summary().unwrap().last_change, 2);
        assert_eq!(ledger.reader().unwrap().integrity().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn appends_at_the_same_time_are_all_answered() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let appends = (0..100).map(|i| ledger.append(vec![call(&format!("r{i}"), &format!("c{i}"), i, 1)]));
        for appended in futures_util::future::join_all(appends).await {
            assert_eq!(appended.unwrap().new, 1);
        }
        assert_eq!(*ledger.changes().borrow(), 100);
    });
}

#[test]
fn the_view_shows_amounts_as_numbers_with_their_exact_integers_beside_them() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c", 1, 12_500_000_000_001)]).await.unwrap();
        // This is a plain connection, like that of the `sqlite3` shell.
        let connection = rusqlite::Connection::open(&path).unwrap();
        let row: (f64, i64, i64, String) = connection
            .query_row(
                "SELECT cost_usd, cost_usd_micros, cost_usd_picos, timestamp FROM openai_events",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        assert!((row.0 - 12.500_000_000_001).abs() < 1e-14, "{row:?}");
        assert_eq!((row.1, row.2, row.3), (12_500_000, 1, "1970-01-01T00:00:01.000Z".to_owned()));
    });
}

#[test]
fn the_bounds_of_a_report_are_exact_to_the_nanosecond() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c", 10, 5)]).await.unwrap();
        let reader = ledger.reader().unwrap();
        let requests = |since: i64, until: i64| {
            let bound = |nanos| Some(Timestamp::from_nanos(nanos));
            let query = Query { since: bound(since), until: bound(until), ..Query::by(GroupBy::Feature) };
            reader.report(&query).unwrap().total.requests
        };
        let at = 10 * SECOND;
        assert_eq!((requests(at, at + 1), requests(at + 1, at + 2), requests(at - 1, at)), (1, 0, 0));
    });
}

/// The event takes its identifiers from its best sighting. A row holds only those that differ from the
/// sighting that is closest to the event, so a sighting with more of them than the event has is not that one.
#[test]
fn an_event_lacks_the_parent_that_only_another_sighting_states() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let best = call("r", "c1", 10, 5);
        let other = Observation {
            trace_id: Some("0123456789abcdef0123456789abcdef".into()),
            span_id: Some("0123456789abcdef".into()),
            parent_span_id: Some("fedcba9876543210".into()),
            ..call("r", "c2", 20, 5)
        };
        let sightings = [best, other].map(|mut sighting| {
            sighting.response =
                Some(ResponseRef { namespace: "openai".into(), id: "chatcmpl-1".into(), unique: true });
            sighting
        });
        for sighting in &sightings {
            ledger.append(vec![sighting.clone()]).await.unwrap();
        }
        let events = stored(&ledger.reader().unwrap());
        assert_eq!(events, fold(&sightings));
        assert_eq!((events[0].span_id.is_some(), &events[0].parent_span_id), (true, &None));
    });
}

/// More calls than a request has are no attempts: each is an event of its own, which followers must see also
/// if all of them came in one request.
#[test]
fn calls_under_a_reused_request_id_are_changes_that_followers_see() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let calls: Vec<_> = (0..300).map(|number| call("r", &format!("c{number}"), number, 5)).collect();
        assert_eq!(ledger.append(calls.clone()).await.unwrap().new, 300);
        let mut events = stored(&ledger.reader().unwrap());
        let expected = fold(&calls);
        assert_eq!((events.len(), expected.len()), (300, 300));
        for (event, expected) in events.iter_mut().zip(&expected) {
            event.revision = expected.revision;
        }
        assert_eq!(events, expected);
    });
}
