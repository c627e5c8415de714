use std::time::{Duration, UNIX_EPOCH};

use spanledger_event::{EventId, Observation, ObservedAs, Timestamp};
use spanledger_ledger::Ledger;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn call(number: i64) -> Observation {
    let id = EventId::of_request(&format!("r{number}"), 1);
    Observation::new(id, format!("c{number}"), ObservedAs::Span, Timestamp::from_nanos(number * SECOND))
}

/// A ledger with a call in each of so many seconds.
async fn ledger(calls: i64) -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
    ledger.append((0..calls).map(call).collect()).await.unwrap();
    (folder, ledger)
}

#[test]
fn the_moment_before_which_events_are_old_stays_within_what_can_be_stored() {
    let now = UNIX_EPOCH + Duration::from_hours(24 * 10) + Duration::from_millis(900);
    let before = |days: u32| Retention::days(days.try_into().unwrap()).before(now).to_string();
    assert_eq!(before(1), "1970-01-10T00:00:00Z");
    assert_eq!(before(11), "1969-12-31T00:00:00Z");
    assert_eq!(Retention::days(u32::MAX.try_into().unwrap()).before(now), Timestamp::from_nanos(i64::MIN));
    assert_eq!(Retention::days(1_u32.try_into().unwrap()).to_string(), "1 day");
    assert_eq!(Retention::days(90_u32.try_into().unwrap()).to_string(), "90 days");
}

#[tokio::test]
async fn a_long_work_is_done_in_many_parts_between_which_others_append() {
    let (_folder, ledger) = ledger(300).await;
    let before = Timestamp::from_nanos(250 * SECOND);
    let (pruned, appended) =
        tokio::join!(prune(&ledger, before, Pace::beside_others()), ledger.append(vec![call(1_000)]));
    let pruned = pruned.unwrap();
    assert_eq!((pruned.events, pruned.observations, pruned.kept), (250, 250, 0));
    assert_eq!(appended.unwrap().new, 1);
    let refolded = refold(&ledger, Pace::alone()).await.unwrap();
    assert_eq!(refolded, Refolding { observations: 51, corrected: 0, unreadable: 0 });
    let compacted = compact(&ledger, Pace::alone()).await.unwrap().unwrap();
    assert!(compacted.bytes_after < compacted.bytes_before, "{compacted:?}");
    assert_eq!(compacted.file_bytes, compacted.bytes_after);
    assert_eq!(ledger.reader().unwrap().summary().unwrap().events, 51);
}

#[tokio::test]
async fn the_sinks_that_hold_events_back_are_named_whichever_part_finds_them() {
    let (_folder, ledger) = ledger(100).await;
    ledger.advance("early", 40).await.unwrap();
    ledger.advance("late", 90).await.unwrap();
    let pruned = prune(&ledger, Timestamp::from_nanos(100 * SECOND), Pace::alone()).await.unwrap();
    assert_eq!((pruned.events, pruned.kept, pruned.held), (40, 60, 60));
    assert_eq!(pruned.held_by.into_iter().collect::<Vec<_>>(), ["early", "late"]);
    assert_eq!(pruned.oldest_held, Some(Timestamp::from_nanos(40 * SECOND)));
}
