//! What operators ask about a ledger, and copies of it.

use std::{fs, ops::ControlFlow};

use rusqlite::Connection;
use spanledger_event::Timestamp;
use spanledger_ledger::{
    BackupError, ComparedSums, GroupBy, Ledger, LedgerError, LedgerReader, Query, RestoreError, SumsDiffer,
    restore,
};

use crate::support::{SECOND, call, folder, runtime, stored};

/// The seconds of a day.
const DAY: i64 = 86_400;

fn differences(reader: &LedgerReader) -> (ComparedSums, Vec<SumsDiffer>) {
    let mut found = Vec::new();
    let compared = reader
        .compare_sums(|differ| {
            found.push(differ);
            ControlFlow::Continue(())
        })
        .unwrap();
    (compared, found)
}

#[test]
fn the_followers_of_a_ledger_are_listed_with_what_they_have_in_flight() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    let runtime = runtime();
    let (info, range) = runtime.block_on(async {
        let calls = (0..10).map(|n| call(&format!("r{n}"), &format!("c{n}"), n, 5)).collect();
        ledger.append(calls).await.unwrap();
        let first = ledger.hand_out("audit", 4).await.unwrap().unwrap();
        ledger.advance("audit", first.last).await.unwrap();
        let second = ledger.hand_out("audit", 3).await.unwrap().unwrap();
        ledger.hand_out("new", 10).await.unwrap().unwrap();
        (ledger.reader().unwrap().info().unwrap(), second)
    });
    assert_eq!((info.id.as_str(), info.repricings), (ledger.id(), 0));
    assert_eq!((info.summary.events, info.summary.observations), (10, 10));
    assert!(info.sizes.database + info.sizes.log > 0 && info.schema_version > 0);
    let [audit, new] = &info.followers[..] else { panic!("{:?}", info.followers) };
    assert_eq!((audit.name.as_str(), audit.cursor, audit.behind), ("audit", range.cursor, 6));
    assert_eq!(audit.in_flight, [(range.cursor, range.last)]);
    assert_eq!((new.name.as_str(), new.cursor, new.behind, new.in_flight.len()), ("new", 0, 10, 1));
}

#[test]
fn a_sum_that_differs_from_the_events_is_found_whichever_of_the_two_is_wrong() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    let runtime = runtime();
    let calls = (0..6).map(|n| call(&format!("r{n}"), &format!("c{n}"), n * DAY, 5)).collect();
    runtime.block_on(ledger.append(calls)).unwrap();
    let reader = ledger.reader().unwrap();
    assert_eq!(differences(&reader), (ComparedSums { days: 6, pruned: 0 }, Vec::new()));
    drop(ledger);

    let other = Connection::open(&path).unwrap();
    let wrong = "UPDATE rollup_hour SET requests = requests + 1
        WHERE bucket = (SELECT min(bucket) FROM rollup_hour)";
    assert_eq!(other.execute(wrong, []).unwrap(), 1);
    let found = differences(&reader).1;
    assert_eq!(found.len(), 3, "the hours are summed by feature, route and model: {found:?}");
    assert!(found.iter().all(|differ| (differ.requests_of_rollups, differ.requests_of_events) == (2, 1)));
    // A sum of a time without any event is found too.
    other.execute("UPDATE rollup_hour SET bucket = bucket + 1000 * 86400 * 1000000000", []).unwrap();
    let found = differences(&reader).1;
    assert!(found.iter().any(|differ| differ.until.is_none() && differ.requests_of_events == 0), "{found:?}");
}

#[test]
fn sums_of_pruned_events_are_no_differences() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    let runtime = runtime();
    let calls = (0..6).map(|n| call(&format!("r{n}"), &format!("c{n}"), n * DAY, 5)).collect();
    runtime.block_on(ledger.append(calls)).unwrap();
    let before = Timestamp::from_nanos(2 * DAY * SECOND);
    assert_eq!(runtime.block_on(ledger.prune(before, None, 100)).unwrap().events, 2);
    let reader = ledger.reader().unwrap();
    assert_eq!(differences(&reader), (ComparedSums { days: 4, pruned: 1 }, Vec::new()));
    // An event that the roll-ups do not have is a difference.
    let other = Connection::open(&path).unwrap();
    other.execute("DELETE FROM rollup_day WHERE bucket = (SELECT max(bucket) FROM rollup_day)", []).unwrap();
    assert_eq!(differences(&reader).1.len(), 1);
}

#[test]
fn an_event_that_cannot_be_read_is_named_and_the_others_are_read() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    let calls = (0..5).map(|n| call(&format!("r{n}"), &format!("c{n}"), n, 5)).collect();
    runtime().block_on(ledger.append(calls)).unwrap();
    drop(ledger);
    let other = Connection::open(&path).unwrap();
    other.execute("UPDATE event SET state = 77 WHERE seq = (SELECT min(seq) FROM event)", []).unwrap();
    let reader = LedgerReader::open(&path).unwrap();
    let (mut last, mut events, mut unreadable) = (i64::MIN, 0, 0);
    while let Some(read) = reader.read_events(last, 2).unwrap() {
        (last, events, unreadable) = (read.last, events + read.events, unreadable + read.unreadable.len());
    }
    assert_eq!((events, unreadable), (4, 1));
}

#[test]
fn a_backup_is_the_ledger_of_one_moment_and_can_be_written_on() {
    let (folder, path) = folder();
    let target = folder.path().join("copy.db");
    let ledger = Ledger::open(&path).unwrap();
    let runtime = runtime();
    let append = |ledger: &Ledger, n: i64| {
        runtime.block_on(ledger.append(vec![call(&format!("r{n}"), &format!("c{n}"), n, 5)])).unwrap()
    };
    (0..20).for_each(|n| drop(append(&ledger, n)));
    let reader = ledger.reader().unwrap();
    let before = stored(&reader);
    let backup = reader.backup(&target).unwrap();
    append(&ledger, 20);
    assert_eq!((backup.summary.events, backup.bytes), (20, fs::metadata(&target).unwrap().len()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = reader.backup(&target).unwrap_err();
    assert!(matches!(&again, BackupError::Exists { .. }) && again.to_string().contains("replaces nothing"));

    let copy = Ledger::open(&target).unwrap();
    assert_eq!((stored(&copy.reader().unwrap()), copy.id()), (before, ledger.id()));
    assert_eq!(append(&copy, 0).duplicates, 1, "the copy knows what the ledger knew");
    assert_eq!(append(&copy, 21).new, 1);
    let query = Query::by(GroupBy::Model);
    let copy = copy.reader().unwrap();
    assert_eq!(copy.report(&query).unwrap(), copy.report_from_events(&query).unwrap());
}

#[test]
fn a_backup_that_fails_leaves_no_file() {
    let (folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    let missing = folder.path().join("no/copy.db");
    let error = ledger.reader().unwrap().backup(&missing).unwrap_err();
    assert!(error.to_string().contains("check that its folder exists"), "{error}");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("copy")), "{names:?}");
}

#[test]
fn the_latest_change_is_known_without_reading_all_events() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.reader().unwrap().last_change().unwrap(), 0);
    runtime().block_on(async {
        ledger.append(vec![call("r", "c", 0, 5)]).await.unwrap();
        let mut again = call("r", "c", 0, 5);
        again.service_name = Some("service".to_owned());
        ledger.append(vec![again]).await.unwrap();
    });
    let reader = ledger.reader().unwrap();
    assert_eq!(reader.last_change().unwrap(), 3);
    assert_eq!(reader.summary().unwrap().last_change, 3);
}

/// Scenario: `kill -9` leaves a write-ahead log. Guarantees: a copy that takes the ledger's place is not mixed with
/// that log, the old ledger is whole under its new name, and nothing is replaced that a writer has open.
#[test]
fn a_restored_copy_takes_the_place_of_a_ledger_and_of_its_log() {
    let (folder, path) = folder();
    let copy = folder.path().join("copy.db");
    let ledger = Ledger::open(&path).unwrap();
    let runtime = runtime();
    runtime.block_on(ledger.append(vec![call("r1", "c1", 0, 5)])).unwrap();
    ledger.reader().unwrap().backup(&copy).unwrap();
    runtime.block_on(ledger.append(vec![call("r2", "c2", 0, 5)])).unwrap();
    let reader = LedgerReader::open(&copy).unwrap();
    assert!(matches!(restore(&reader, &path), Err(RestoreError::Ledger(LedgerError::InUse { .. }))));
    assert!(matches!(restore(&ledger.reader().unwrap(), &path), Err(RestoreError::Same { .. })));
    // A killed writer leaves its log.
    let log = folder.path().join("spanledger.db-wal");
    let left = fs::read(&log).unwrap();
    let database = fs::read(&path).unwrap();
    drop(ledger);
    fs::write(&path, database).unwrap();
    fs::write(&log, left).unwrap();

    let restored = restore(&reader, &path).unwrap();
    let replaced = restored.replaced.unwrap();
    assert_eq!((restored.backup.summary.events, replaced.exists()), (1, true));
    assert!(!log.exists() && copy.exists());
    assert_eq!(stored(&LedgerReader::open(&path).unwrap()).len(), 1);
    assert_eq!(stored(&LedgerReader::open(&replaced).unwrap()).len(), 2);
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(runtime.block_on(ledger.append(vec![call("r2", "c2", 0, 5)])).unwrap().new, 1);
    drop(ledger);

    // The second time, the first replaced ledger is not overwritten.
    assert!(matches!(restore(&reader, &path), Err(RestoreError::Left { .. })));
    assert_eq!(stored(&LedgerReader::open(&path).unwrap()).len(), 2);
    // It broke off after the database was renamed.
    fs::remove_file(&replaced).unwrap();
    let rename = |from: &str, to: &str| fs::rename(folder.path().join(from), folder.path().join(to));
    rename("spanledger.db", "spanledger.db.replaced").unwrap();
    drop(fs::remove_file(folder.path().join("spanledger.db.replaced-wal")));
    fs::write(&log, "the log of the old ledger").unwrap();
    restore(&reader, &path).unwrap();
    assert_eq!(stored(&LedgerReader::open(&path).unwrap()).len(), 1);
    assert!(!log.exists());
}

#[test]
fn another_programs_database_is_not_replaced_by_a_copy() {
    let (folder, path) = folder();
    let copy = folder.path().join("copy.db");
    Ledger::open(&path).unwrap().reader().unwrap().backup(&copy).unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let reader = LedgerReader::open(&copy).unwrap();
    assert!(matches!(restore(&reader, &foreign), Err(RestoreError::Ledger(LedgerError::Foreign { .. }))));
    // Where there is nothing yet, the copy is put there.
    let new = folder.path().join("new.db");
    assert_eq!(restore(&reader, &new).unwrap().replaced, None);
    LedgerReader::open(&new).unwrap();
}
