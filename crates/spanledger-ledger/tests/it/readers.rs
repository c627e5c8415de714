//! Readers that read while a writer commits.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use spanledger_event::Usd;
use spanledger_ledger::{GroupBy, Ledger, LedgerReader, Query};

use crate::support::{call, folder, runtime};

/// The number of events of one append.
const BATCH: i64 = 7;
const BATCHES: i64 = 40;

/// Sets the flag when it is dropped, so that the readers end even if the test fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Each append makes a batch of events and adds a billed retry to the event `shared`. A reader may
/// find any number of appends, but never a part of one.
#[test]
fn a_reader_sees_whole_transactions_while_the_writer_commits() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let is_done = &is_done;
        let path = path.as_path();
        for by in [GroupBy::Feature, GroupBy::Customer, GroupBy::Day] {
            scope.spawn(move || {
                let reader = LedgerReader::open(path).unwrap();
                let mut seen = 0;
                while !is_done.load(Ordering::Acquire) {
                    for report in [reader.report(&Query::by(by)), reader.report_from_events(&Query::by(by))] {
                        let total = report.unwrap().total;
                        let appends = total.attempts / (BATCH + 1);
                        assert!(appends >= seen, "an append that was visible before is not visible any more");
                        seen = appends;
                        assert_eq!(total.attempts, appends * (BATCH + 1));
                        assert_eq!(total.requests, appends * BATCH + i64::from(appends > 0));
                        let picos = i128::from(appends * (BATCH + 1));
                        assert_eq!(total.billed, Usd::from_picos(picos));
                    }
                }
            });
        }
        scope.spawn(move || {
            let reader = LedgerReader::open(path).unwrap();
            while !is_done.load(Ordering::Acquire) {
                let changes = reader.changes_after(0, usize::MAX).unwrap();
                let events = i64::try_from(changes.len()).unwrap();
                assert_eq!(events.max(1) % BATCH, 1, "only a part of an append is visible");
                assert!(changes.is_sorted_by(|a, b| a.seq < b.seq));
            }
        });
        // A follower remembers the last change that it has read, and must not miss one.
        let follower = scope.spawn(move || {
            let reader = LedgerReader::open(path).unwrap();
            let (mut cursor, mut latest) = (0, std::collections::BTreeMap::new());
            loop {
                let was_done = is_done.load(Ordering::Acquire);
                let changes = reader.changes_after(cursor, 5).unwrap();
                if changes.is_empty() && was_done {
                    return latest;
                }
                for change in changes {
                    assert!(change.seq > cursor);
                    cursor = change.seq;
                    latest.insert(change.event.event_id.clone(), (**change.event).clone());
                }
            }
        });

        let done = SetOnDrop(is_done);
        runtime().block_on(async {
            for batch in 0..BATCHES {
                let mut calls: Vec<_> = (0..BATCH)
                    .map(|i| call(&format!("{batch}-{i}"), &format!("{batch}-{i}"), batch, 1))
                    .collect();
                calls.push(call("shared", &format!("shared-{batch}"), batch, 1));
                ledger.append(calls).await.unwrap();
            }
        });
        drop(done);

        let received: Vec<_> = follower.join().unwrap().into_values().collect();
        assert_eq!(received, crate::support::stored(&ledger.reader().unwrap()));
    });
}
