use super::*;
use crate::error::RowError;

fn busy() -> LedgerError {
    LedgerError::Locked { waited: Duration::from_secs(1) }
}

fn damaged() -> LedgerError {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None).into()
}

#[test]
fn a_fault_lasts_until_a_commit_succeeds() {
    let health = LedgerHealth::new();
    assert_eq!(health.fault(), None);
    health.failed(&busy());
    let fault = health.fault().unwrap();
    assert_eq!(fault.kind, ErrorKind::Busy);
    assert!(fault.to_string().contains("end its transaction"), "{fault}");
    // The same fault again keeps its beginning.
    health.failed(&busy());
    assert_eq!(health.fault().unwrap().since, fault.since);
    health.committed(&Appended { new: 2, duplicates: 1, ..Appended::default() }, Duration::from_millis(3));
    assert_eq!(health.fault(), None);
    assert_eq!((health.commits(), health.observations(), health.duplicates()), (1, 2, 1));
    assert!(health.last_commit_at().is_some());
}

#[test]
fn a_damaged_file_stays_damaged() {
    let health = LedgerHealth::new();
    health.failed(&damaged());
    health.failed(&busy());
    health.committed(&Appended::default(), Duration::ZERO);
    assert_eq!(health.fault().unwrap().kind, ErrorKind::Damaged);
}

/// Other requests are recorded meanwhile, so the receiver stays ready.
#[test]
fn a_row_that_cannot_be_read_is_counted_and_is_no_fault_of_the_writer() {
    let health = LedgerHealth::new();
    let row = || RowError::Json(serde_json::from_str::<i64>("{").unwrap_err());
    health.failed(&LedgerError::Damaged(row()));
    health.failed(&LedgerError::Unstorable(row()));
    assert_eq!(health.fault(), None);
    let errors: Vec<_> = health.errors().filter(|(_, count)| *count > 0).collect();
    assert_eq!(errors, [(ErrorKind::Damaged, 1), (ErrorKind::Other, 1)]);
}

#[test]
fn a_commit_without_an_end_is_a_fault() {
    let health = LedgerHealth::new();
    let later = |wait: Duration| Instant::now() + wait;
    assert_eq!(health.fault_at(later(STALLED_AFTER * 2)), None, "the writer waits for work");
    health.begin();
    assert_eq!(health.fault_at(later(STALLED_AFTER / 2)), None);
    let fault = health.fault_at(later(STALLED_AFTER * 2)).unwrap();
    assert!(fault.to_string().contains("check whether the disk answers"), "{fault}");
    health.end();
    assert_eq!(health.fault_at(later(STALLED_AFTER * 2)), None);
}

#[test]
fn commits_are_counted_by_their_time() {
    let health = LedgerHealth::new();
    for micros in [0, 1_000, 1_001, 10_000_000, 10_000_001, u64::MAX / 4] {
        health.committed(&Appended::default(), Duration::from_micros(micros));
    }
    let latency = health.commit_latency();
    let counts: Vec<u64> = latency.buckets.iter().map(|bucket| bucket.1).collect();
    assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!((latency.buckets[0].0, latency.buckets[12].0), (Some(Duration::from_millis(1)), None));
    assert_eq!(latency.total, Duration::from_micros(20_002_002 + u64::MAX / 4));
}

#[test]
fn a_panic_of_the_writer_is_noted() {
    let health = LedgerHealth::new();
    drop(health.watch_for_panics());
    assert!(!health.has_stopped());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let _watch = health.watch_for_panics();
            panic!("a bug, as this test wants it");
        });
        assert!(writer.join().is_err());
    });
    assert!(health.has_stopped());
    assert!(health.fault().unwrap().to_string().contains("restart spanledger"));
}

/// What was committed is in the log. The fault of the disk is shown until the log could be copied.
#[test]
fn a_log_that_cannot_be_copied_is_a_fault_of_its_own() {
    let health = LedgerHealth::new();
    let failed = |code| Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into());
    health.copied_log(failed(rusqlite::ffi::SQLITE_BUSY));
    assert_eq!(health.fault(), None);
    health.copied_log(failed(rusqlite::ffi::SQLITE_IOERR_FSYNC));
    health.committed(&Appended::default(), Duration::ZERO);
    let fault = health.fault().unwrap();
    assert!(fault.message.contains("cannot be copied") && fault.message.contains("fsync failed"), "{fault}");
    health.copied_log(Ok(()));
    assert_eq!(health.fault(), None);
    assert!(health.errors().any(|error| error == (ErrorKind::Io, 1)));
}
