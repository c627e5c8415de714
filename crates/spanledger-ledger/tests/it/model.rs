//! Compares the ledger with a naive one, which keeps everything in memory and folds all of it each time.
//!
//! Random operations run on both: appends (with repetitions, in any order, split in any way, several
//! at once, without waiting for the answer), cursors that move, followers that read batches, new prices, folding
//! again, pruning, a restart, and a crash: the files are copied while the ledger is open, and the test goes on
//! with the copy. After every operation both must show the same events, positions, cursors, counts and reports,
//! and in the end every follower has the same events.
//!
//! The ordinary test is small. `SPANLEDGER_MODEL_CASES=5000` makes it long.

mod naive;
mod operations;
mod reader;

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use futures_util::{FutureExt as _, future::join_all};
use proptest::{collection::vec, prelude::*, sample::Index};
use spanledger_event::{CostEvent, EventId, EventState, Observation, ObservedAs, Timestamp, Usd, fold};
use spanledger_ledger::{
    Amount, Change, GroupBy, Ledger, LedgerReader, MEASURES, PrunePosition, Query, ReportRow, Totals,
};

use self::{
    naive::Naive,
    operations::{FOLLOWERS, NewCost, Operation, READERS, observations, operations, queries},
    reader::Reader,
};
use crate::support::{SECOND, call, folder, runtime};

/// The sums that the naive ledger computes. This test ignores other measures.
fn known_measures(totals: &Totals) -> Vec<(&'static str, Amount)> {
    const KNOWN: [&str; 14] = [
        "requests",
        "attempts",
        "failed",
        "retried",
        "unpriced",
        "cost_upper_bound",
        "cost_uncertain",
        "prompt_tokens",
        "cache_known_prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "billed",
        "retry",
    ];
    let known = MEASURES.iter().filter(|measure| KNOWN.contains(&measure.name));
    known.map(|measure| (measure.name, (measure.get)(totals))).collect()
}

/// Compares both after an operation.
fn check(ledger: &Ledger, naive: &mut Naive, queries: &[Query]) -> Result<(), TestCaseError> {
    let reader = ledger.reader().unwrap();
    let changes = reader.changes_after(0, usize::MAX).unwrap();
    let before = naive.ends.last().copied().unwrap_or_default();
    let last = *ledger.changes().borrow();
    prop_assert!(changes.is_sorted_by(|a, b| a.seq < b.seq));
    prop_assert!(changes.last().is_none_or(|change| change.seq <= last));
    prop_assert_eq!(changes.len(), naive.events.len());
    for Change { seq, event, .. } in &changes {
        let stored = naive.events.get_mut(&event.event_id).unwrap();
        let has_changed = stored.settle(event).map_err(TestCaseError::fail)?;
        prop_assert_eq!(*seq > before, has_changed, "{:?} at {} after {}", event, seq, before);
    }
    naive.ends.push(last);
    let in_pages = in_pages(&reader, 2);
    prop_assert_eq!(positioned(&in_pages), positioned(&changes));
    for follower in FOLLOWERS {
        let expected = naive.cursors.get(follower).copied().unwrap_or_default();
        prop_assert_eq!(reader.cursor(follower).unwrap(), expected);
    }
    for (id, stored) in &naive.events {
        let event = reader.event(id).unwrap();
        prop_assert_eq!(event.as_ref(), Some(stored.event()));
    }
    for id in naive.pruned.keys() {
        prop_assert_eq!(reader.event(id).unwrap(), None);
    }
    let from_end = changes.len().min(3);
    let cursor = reader.nth_change_from_end(3).unwrap();
    let latest = reader.changes_after(cursor, 9).unwrap();
    prop_assert_eq!(positioned(&latest), positioned(&changes[changes.len() - from_end..]));

    // What is priced again or pruned shows in the observations, too.
    let observations = reader.observations(0, usize::MAX).unwrap();
    prop_assert!(observations.is_sorted_by(|a, b| a.0 < b.0));
    let mut observations: Vec<Observation> = observations.into_iter().map(|(_, one)| one).collect();
    let mut expected = naive.observations.clone();
    observations.sort();
    expected.sort();
    prop_assert_eq!(observations, expected);

    let summary = reader.summary().unwrap();
    prop_assert_eq!(usize::try_from(summary.observations).unwrap(), naive.total);
    prop_assert_eq!(summary.events, naive.count(|state| state != EventState::Void));
    prop_assert_eq!(summary.quarantined, naive.count(|state| state == EventState::Quarantined));
    prop_assert_eq!(summary.void, naive.count(|state| state == EventState::Void));
    prop_assert_eq!(summary.last_change, changes.last().map_or(0, |change| change.seq));

    for query in queries {
        let report = reader.report(query).unwrap();
        expect_rows(query, &report.rows, &naive.report(query))?;
        let of_events = reader.report_from_events(query).unwrap();
        expect_rows(query, &of_events.rows, &naive.report_of_events(query))?;
        if naive.pruned.is_empty() {
            prop_assert_eq!(&report, &of_events, "{:?}", query);
        }
        let total = report.rows.iter().fold(Totals::default(), |sum, row| sum.plus(&row.totals));
        prop_assert_eq!(report.total, total);
        let is_sorted = match query.group_by {
            GroupBy::Day => report.rows.is_sorted_by(|a, b| a.name < b.name),
            _ => report.rows.is_sorted_by(|a, b| a.totals.billed >= b.totals.billed),
        };
        prop_assert!(is_sorted, "{:?}", report);
    }
    let mut differ = Vec::new();
    reader
        .compare_sums(|one| {
            differ.push(one);
            ControlFlow::Continue(())
        })
        .unwrap();
    prop_assert_eq!(differ, Vec::new());
    Ok(())
}

fn expect_rows(
    query: &Query,
    rows: &[ReportRow],
    expected: &BTreeMap<Option<String>, Totals>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(rows.len(), expected.len(), "{:?}", query);
    for ReportRow { name, totals } in rows {
        let expected = expected.get(name).map(known_measures);
        prop_assert_eq!(Some(known_measures(totals)), expected, "{:?} of {:?}", name, query);
    }
    Ok(())
}

/// The events with their positions. What a follower was given before depends on where it begins.
fn positioned(changes: &[Change]) -> Vec<(i64, &CostEvent)> {
    changes.iter().map(|change| (change.seq, &**change.event)).collect()
}

/// All changes, read in pages as a follower does.
fn in_pages(reader: &LedgerReader, limit: usize) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    loop {
        let cursor = changes.last().map_or(0, |change| change.seq);
        let page = reader.changes_after(cursor, limit).unwrap();
        if page.is_empty() {
            return changes;
        }
        changes.extend(page);
    }
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn run(
    observations: &[Observation],
    operations: &[Operation],
    queries: &[Query],
) -> Result<(), TestCaseError> {
    let pick = |indexes: &Vec<Index>| -> Vec<Observation> {
        indexes.iter().map(|index| index.get(observations).clone()).collect()
    };
    let (mut folder, mut path) = folder();
    let mut ledger = crate::support::open(&path).await;
    let mut naive = Naive::default();
    let mut readers = READERS.map(Reader::new);
    for operation in operations {
        match operation {
            Operation::Append(indexes) => {
                let batch = pick(indexes);
                let expected = naive.append(&batch);
                prop_assert_eq!(ledger.append(batch).await.unwrap(), expected);
            }
            Operation::AppendTogether(batches) => {
                let batches: Vec<_> = batches.iter().map(pick).collect();
                let expected: Vec<_> = batches.iter().map(|batch| naive.append(batch)).collect();
                let appended = join_all(batches.into_iter().map(|batch| ledger.append(batch))).await;
                let appended: Vec<_> = appended.into_iter().map(Result::unwrap).collect();
                prop_assert_eq!(appended, expected);
            }
            Operation::AppendAndLeave(indexes) => {
                let batch = pick(indexes);
                // The future is polled once, so that the request is sent, and then dropped.
                let _: Option<_> = ledger.append(batch.clone()).now_or_never();
                // The writer works in order, so that this request completes after the dropped one.
                ledger.advance(FOLLOWERS[0], naive.advance(FOLLOWERS[0], 0)).await.unwrap();
                // The dropped request was recorded as a whole or not at all.
                let observations = ledger.reader().unwrap().summary().unwrap().observations;
                if usize::try_from(observations).unwrap() != naive.total {
                    naive.append(&batch);
                }
            }
            Operation::Advance(follower, to) => {
                let end = naive.advance(FOLLOWERS[*follower], to.index(naive.ends.len() + 1));
                ledger.advance(FOLLOWERS[*follower], end).await.unwrap();
            }
            Operation::Read(reader, limit) => {
                let last = readers[*reader].read(&ledger, *limit).await?;
                naive.handed_out = naive.handed_out.max(last.unwrap_or_default());
            }
            Operation::Acknowledge(reader) => readers[*reader].acknowledge(&ledger).await,
            Operation::Split(reader, place) => readers[*reader].split(&ledger, *place).await?,
            Operation::Rewind(reader, to) => readers[*reader].rewind(&ledger, *to).await?,
            Operation::Reprice(steps) => reprice(&ledger, &mut naive, steps).await?,
            Operation::Refold(limit) => {
                let (mut after, mut is_done) = (0, false);
                while !is_done {
                    let done = ledger.refold(after, *limit).await.unwrap();
                    prop_assert_eq!(done.corrected, 0, "every event is the fold of its observations");
                    (after, is_done) = (done.last, done.is_done);
                }
            }
            Operation::Prune(before, limit) => {
                let before = Timestamp::from_nanos(before * SECOND);
                prune(&ledger, &mut naive, &readers, before, *limit).await?;
            }
            Operation::Reopen => {
                drop(ledger);
                ledger = crate::support::open(&path).await;
            }
            Operation::Crash => {
                let (copy, copy_path) = crate::support::folder();
                copy_files(folder.path(), copy.path());
                drop(ledger);
                (folder, path) = (copy, copy_path);
                ledger = crate::support::open(&path).await;
            }
        }
        check(&ledger, &mut naive, queries)?;
        for reader in &readers {
            reader.check(&ledger).await?;
        }
    }
    for (reader, limit) in readers.into_iter().zip([1, 7]) {
        reader.finish(&ledger, &naive, limit).await?;
    }
    prop_assert_eq!(ledger.reader().unwrap().integrity().unwrap(), Vec::<String>::new());
    Ok(())
}

/// Gives stored observations new costs in both ledgers.
async fn reprice(
    ledger: &Ledger,
    naive: &mut Naive,
    steps: &[Vec<(Index, NewCost)>],
) -> Result<(), TestCaseError> {
    let epoch = ledger.begin_repricing().await.unwrap();
    for costs in steps {
        let stored = ledger.reader().unwrap().observations(0, usize::MAX).unwrap();
        if stored.is_empty() {
            break;
        }
        let mut given: BTreeMap<i64, (&Observation, &NewCost)> = BTreeMap::new();
        for (index, cost) in costs {
            let (number, observation) = index.get(&stored);
            given.insert(*number, (observation, cost));
        }
        let costs = given.iter().map(|(number, (o, cost))| (*number, cost.at(o.start))).collect();
        let repriced = ledger.reprice(epoch, costs).await.unwrap();
        naive.reprice(given.values().map(|(observation, cost)| (*observation, cost.at(observation.start))));
        prop_assert!(repriced.events <= naive.events.len());
    }
    Ok(())
}

/// Prunes both ledgers.
async fn prune(
    ledger: &Ledger,
    naive: &mut Naive,
    readers: &[Reader],
    before: Timestamp,
    limit: usize,
) -> Result<(), TestCaseError> {
    let changes = ledger.reader().unwrap().changes_after(0, usize::MAX).unwrap();
    let changes: BTreeMap<EventId, i64> =
        changes.into_iter().map(|change| (change.event.event_id.clone(), change.seq)).collect();
    let cursors = naive.cursors.values().copied().chain(readers.iter().filter_map(|reader| reader.cursor));
    let passed = cursors.min().unwrap_or(i64::MAX);
    let (events, observations) = naive.prune(before, passed, &changes);
    for (reader, event) in readers.iter().flat_map(|reader| events.iter().map(move |event| (reader, event))) {
        reader.expect_pruned(event)?;
    }
    let (mut pruned, mut next) = ((0, 0), None::<PrunePosition>);
    loop {
        let done = ledger.prune(before, next, limit).await.unwrap();
        pruned = (pruned.0 + done.events, pruned.1 + done.observations);
        next = done.next;
        if next.is_none() {
            break;
        }
    }
    prop_assert_eq!(pruned, (events.len(), observations), "before {} and behind {}", before, passed);
    Ok(())
}

/// How many random cases are tried.
fn cases() -> u32 {
    std::env::var("SPANLEDGER_MODEL_CASES").map_or(64, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn the_ledger_and_a_naive_ledger_give_the_same_results(
        observations in observations(),
        operations in operations(),
        queries in queries(),
    ) {
        runtime().block_on(run(&observations, &operations, &queries))?;
    }

    /// The events are the fold of all observations, for every way to split them over appends.
    #[test]
    fn events_do_not_depend_on_how_observations_are_split_over_appends(
        observations in observations(),
        sizes in vec(1..4_usize, 1..10),
    ) {
        let mut distinct: Vec<Observation> = Vec::new();
        for o in &observations {
            if !distinct.iter().any(|known| known.has_same_facts(o)) {
                distinct.push(o.clone());
            }
        }
        let mut expected = fold(&distinct);
        let (_folder, path) = folder();
        let mut events = runtime().block_on(async {
            let ledger = Ledger::open(&path).unwrap();
            let mut rest = observations.as_slice();
            let mut sizes = sizes.iter().cycle();
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                ledger.append(now.to_vec()).await.unwrap();
                rest = later;
            }
            crate::support::stored(&ledger.reader().unwrap())
        });
        // The ledger counts the changes of an event, and the fold the observations that belong to it.
        for event in events.iter_mut().chain(&mut expected) {
            prop_assert!(event.revision > 0);
            event.revision = 0;
        }
        prop_assert_eq!(&events, &expected);
    }
}

/// A sum is exact after amounts were added to it and removed from it.
#[test]
fn a_group_whose_events_moved_to_another_group_is_not_in_the_report() {
    runtime().block_on(async {
        let (_folder, path) = folder();
        let ledger = Ledger::open(&path).unwrap();
        let mut span = call("r", "c", 1, 5);
        span.sighting = ObservedAs::Span;
        span.attribution.feature = None;
        ledger.append(vec![span]).await.unwrap();
        ledger.append(vec![call("r", "c", 1, 5)]).await.unwrap();
        let report = ledger.reader().unwrap().report(&Query::by(GroupBy::Feature)).unwrap();
        let groups: Vec<_> = report.rows.iter().map(|row| (row.name.as_deref(), row.totals.billed)).collect();
        assert_eq!(groups, [(Some("search"), Usd::from_picos(5))]);
    });
}
