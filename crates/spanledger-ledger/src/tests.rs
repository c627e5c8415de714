use std::collections::BTreeMap;

use proptest::prelude::*;
use spanledger_event::{
    Bucket, CallOutcome, Cost, CostEvent, EventId, EventState, Observation, ObservedAs, PartialAttribution,
    ResponseRef, Role, Timestamp, Usage, UsageSource, Usd, fold,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{GroupBy, Ledger, LedgerError, LedgerReader, Query};

const SECOND: i64 = 1_000_000_000;

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    (folder, path)
}

fn call(request: &str, call: &str, second: i64, picos: i128) -> Observation {
    let start = Timestamp::from_nanos(second * SECOND);
    let mut o = Observation::new(EventId::of_request(request, 1), call, ObservedAs::Record, start);
    o.end = Timestamp::from_nanos((second + 1) * SECOND);
    o.provider = "openai".into();
    o.emitter = "test".into();
    o.model = Some("gpt-5.5".into());
    o.attribution = PartialAttribution {
        feature: Some("search".into()),
        route: Some("/search".into()),
        customer_id: Some("acme".into()),
        environment: Some("test".into()),
        request_id: Some(request.into()),
        ..PartialAttribution::default()
    };
    o.usage = Some(Usage::default().with(Bucket::Input, 100).with(Bucket::Reasoning, 7));
    o.usage_source = UsageSource::Provider;
    o.cost = Some(Cost { usd: Some(Usd::from_picos(picos)), ..Cost::free("test", start) });
    o
}

fn stored(reader: &LedgerReader) -> Vec<CostEvent> {
    let mut events: Vec<_> =
        reader.changes_after(0, usize::MAX).unwrap().into_iter().map(|change| change.event).collect();
    events.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    events
}

#[test]
fn a_replay_is_counted_and_changes_nothing() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        for round in 0..5 {
            let done = ledger.append(vec![call("r", "c", 1, 5)]).await.unwrap();
            assert_eq!((done.new, done.duplicates), if round == 0 { (1, 0) } else { (0, 1) });
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
        assert_eq!((changes[0].seq, changes[0].event.revision, changes[0].event.attempts), (2, 2, 2));
        let total = reader.report(&Query::by(GroupBy::Feature)).unwrap().total;
        assert_eq!((total.requests, total.retried), (1, 1));
        assert_eq!((total.billed, total.retry), (Usd::from_picos(12), Usd::from_picos(7)));
    });
}

#[test]
fn the_timestamp_is_settled_once_a_follower_has_the_event() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c1", 50, 5)]).await.unwrap();
        ledger.append(vec![call("r", "c2", 40, 5)]).await.unwrap();
        let at = |reader: &LedgerReader| stored(reader)[0].timestamp.nanos() / SECOND;
        let reader = ledger.reader().unwrap();
        assert_eq!(at(&reader), 40);
        ledger.advance("sink", 2).await.unwrap();
        ledger.append(vec![call("r", "c3", 30, 5)]).await.unwrap();
        assert_eq!(
            (at(&reader), reader.cursor("sink").unwrap(), reader.cursor("other").unwrap()),
            (40, 2, 0)
        );
        ledger.advance("sink", 1).await.unwrap();
        assert_eq!(reader.cursor("sink").unwrap(), 2, "a cursor never goes back");
    });
}

#[test]
fn sums_are_exact_beyond_any_64_bit_amount_of_picodollars() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let dear = 999_999_999_999_999_999_999_999_i128; // the greatest DECIMAL(24,12)
        let calls = (0..9).map(|i| call(&format!("r{i}"), &format!("c{i}"), i, dear)).collect();
        ledger.append(calls).await.unwrap();
        let report = ledger.reader().unwrap().report(&Query::by(GroupBy::Day)).unwrap();
        assert_eq!(report.total.billed.to_string(), "8999999999999.999999999991");
    });
}

#[test]
fn what_was_answered_is_there_after_opening_again() {
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
        for done in futures_util::future::join_all(appends).await {
            assert_eq!(done.unwrap().new, 1);
        }
        assert_eq!(*ledger.changes().borrow(), 100);
    });
}

#[test]
fn a_file_that_cannot_be_used_is_an_error_that_says_what_to_do() {
    let (folder, path) = folder();
    let text = |error: LedgerError| error.to_string();
    let error = text(Ledger::open(folder.path().join("no/such/folder/x.db")).unwrap_err());
    assert!(error.contains("choose another file"), "{error}");
    assert!(matches!(LedgerReader::open(&path), Err(LedgerError::Open { .. })));

    let ledger = Ledger::open(&path).unwrap();
    assert!(matches!(Ledger::open(&path), Err(LedgerError::InUse { .. })));
    drop(ledger);

    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = text(Ledger::open(&path).unwrap_err());
    assert!(error.contains("schema version 99") && error.contains("newer spanledger"), "{error}");

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(Ledger::open(&foreign), Err(LedgerError::Foreign { .. })));
    let text_file = folder.path().join("notes.txt");
    std::fs::write(&text_file, "not a database, but long enough to have a header of its own").unwrap();
    assert!(Ledger::open(&text_file).is_err());
    assert!(std::fs::read_to_string(&text_file).unwrap().starts_with("not a database"));
}

#[test]
fn the_view_shows_amounts_as_decimal_text() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(vec![call("r", "c", 1, 12_500_000_000_001)]).await.unwrap();
        let reader = ledger.reader().unwrap();
        let row: (String, String) = reader
            .connection
            .query_row("SELECT cost_usd, timestamp FROM openai_events", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(row, ("12.500000000001".to_owned(), "1970-01-01T00:00:01Z".to_owned()));
    });
}

fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = (0..3_usize, 0..4_usize, 0..90_000_i64, 0..4_usize, 0..3_u64, 0..6_usize).prop_map(
        |(request, number, second, response, tokens, kind)| {
            let mut o = call(
                ["r", "s", "t"][request],
                &format!("call-{request}-{number}"),
                second,
                i128::from(tokens) + 1,
            );
            o.trace_id = Some("trace".into());
            o.span_id = Some(format!("span{number}"));
            o.parent_span_id = Some(format!("span{request}"));
            o.usage = Some(Usage::default().with(Bucket::Output, tokens));
            if kind == 0 {
                o.outcome = CallOutcome::Failed("500".into());
                o.usage = None;
                o.cost = Some(Cost::free("test", o.start));
            }
            if kind == 1 {
                o.cost.as_mut().unwrap().usd = None;
            }
            if kind >= 4 {
                o.sighting = ObservedAs::Span;
                o.event_id = EventId::of_span("trace", &format!("span{number}"), o.start);
                o.attribution.customer_id = None;
            }
            if kind == 5 {
                o.role = Role::Aggregate;
                o.end = Timestamp::from_nanos((second + 40_000) * SECOND);
            }
            if response < 3 && kind != 0 {
                o.response = Some(ResponseRef {
                    namespace: "openai".into(),
                    id: response.to_string(),
                    unique: response < 2,
                });
            }
            o
        },
    );
    proptest::collection::vec(one, 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However the observations arrive, the store holds what the fold of all of them says, and the
    /// roll-ups say what the events say.
    #[test]
    fn split_over_any_requests_the_events_are_the_fold(
        observations in observations(),
        cuts in proptest::collection::vec(1..4_usize, 1..10),
    ) {
        let (_folder, path) = folder();
        // One digest, one cost: a second delivery is priced again, and its price is not used.
        let mut distinct = BTreeMap::new();
        for o in &observations {
            distinct.entry(o.facts().unwrap().1).or_insert_with(|| o.clone());
        }
        let mut expected = fold(distinct.values());
        for event in &mut expected {
            event.revision = 0;
        }
        let outcome: Result<(), TestCaseError> = runtime().block_on(async {
            let ledger = Ledger::open(&path).unwrap();
            let mut rest = observations.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                ledger.append(now.to_vec()).await.unwrap();
                rest = later;
            }
            let reader = ledger.reader().unwrap();
            let mut events = stored(&reader);
            for event in &mut events {
                prop_assert!(event.revision > 0);
                event.revision = 0;
            }
            prop_assert_eq!(&events, &expected);

            for group_by in [GroupBy::Feature, GroupBy::Route, GroupBy::Customer, GroupBy::Model, GroupBy::Day] {
                let query = Query::by(group_by);
                prop_assert_eq!(reader.report(&query).unwrap(), reader.report_from_events(&query).unwrap());
            }
            let billed: Usd = expected
                .iter()
                .filter(|e| e.state != EventState::Void)
                .map(|e| {
                    let known = e.cost_usd.unwrap_or_default() + e.retry_cost_usd.unwrap_or_default();
                    e.billed_usd.unwrap_or(known)
                })
                .sum();
            prop_assert_eq!(reader.report(&Query::by(GroupBy::Feature)).unwrap().total.billed, billed);
            Ok(())
        });
        outcome?;
    }
}
