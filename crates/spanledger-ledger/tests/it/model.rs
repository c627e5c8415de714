//! Compares the ledger with a naive one, which keeps everything in memory and folds all of it each time.
//!
//! Random operations run on both: appends (with repetitions, in any order, split in any way, several
//! at once, without waiting for the answer), cursors that move, a restart, and a crash: the files are
//! copied while the ledger is open, and the test goes on with the copy. After every operation both must
//! show the same events, positions, cursors, counts and reports.

use std::{collections::BTreeMap, path::Path};

use futures_util::{FutureExt as _, future::join_all};
use proptest::{collection::vec, prelude::*, sample::Index};
use spanledger_event::{
    Bucket, CallOutcome, Cost, CostCertainty, CostEvent, EventId, EventState, Flag, Observation, ObservedAs,
    ResponseRef, Role, Timestamp, Unstated, Usage, Usd, fold,
};
use spanledger_ledger::{
    Amount, Appended, Change, GroupBy, Ledger, LedgerReader, MEASURES, Query, ReportRow, Totals,
};

use crate::support::{SECOND, call, folder, runtime};

const FOLLOWERS: [&str; 2] = ["warehouse", "stdout"];
const HOUR: i64 = 3_600 * SECOND;

#[derive(Clone, Debug)]
enum Operation {
    /// Appends observations and waits for the answer.
    Append(Vec<Index>),
    /// Appends several times at once; the writer may commit them together.
    AppendTogether(Vec<Vec<Index>>),
    /// Appends, and drops the future before it completes.
    AppendAndLeave(Vec<Index>),
    /// Moves the cursor of a follower.
    Advance(usize, Index),
    /// Closes the ledger and opens it again.
    Reopen,
    /// Copies the files while the ledger is open, and goes on with the copy.
    Crash,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let batch = || vec(any::<Index>(), 1..5);
    let operation = prop_oneof![
        6 => batch().prop_map(Operation::Append),
        2 => vec(batch(), 2..4).prop_map(Operation::AppendTogether),
        1 => batch().prop_map(Operation::AppendAndLeave),
        2 => (0..FOLLOWERS.len(), any::<Index>()).prop_map(|(follower, to)| Operation::Advance(follower, to)),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Crash),
    ];
    vec(operation, 1..16)
}

/// Observations with few distinct ids, so that they are often related: three requests, calls with a record
/// and a span, shared responses, agents around calls, failures and unpriced calls.
fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = (0..3_usize, 0..4_usize, -90_000..90_000_i64, 0..4_usize, 0..3_u64, 0..7_usize).prop_map(
        |(request, number, second, response, tokens, kind)| {
            let request_id = ["r", "s", "t"][request];
            let call_id = format!("call-{request}-{number}");
            let mut o = call(request_id, &call_id, second, i128::from(tokens) + 1);
            o.trace_id = Some("trace".into());
            o.span_id = Some(format!("span{number}"));
            o.parent_span_id = Some(format!("span{request}"));
            o.usage = Some(Usage::default().with(Bucket::Input, 10 * tokens).with(Bucket::Output, tokens));
            o.attribution.environment = Some(["test", "production"][number % 2].into());
            match kind {
                0 => {
                    o.outcome = CallOutcome::Failed("500".into());
                    o.usage = None;
                    o.cost = Some(Cost::free("test", o.start));
                }
                1 => o.cost = o.cost.map(|cost| Cost { usd: None, ..cost }),
                2 => {
                    o.model = None;
                    o.response_model = Some("gpt-5.5-2026-04-23".into());
                }
                3 => o.attribution.feature = None,
                4 | 5 => {
                    o.sighting = ObservedAs::Span;
                    o.event_id = EventId::of_span("trace", &format!("span{number}"), o.start);
                    o.attribution.customer_id = None;
                    // A span may state only the totals, so that its cost is not exact.
                    o.usage = o.usage.map(|usage| usage.with_unstated(Unstated::ALL));
                    let certainty = CostCertainty::ALL[usize::try_from(tokens).unwrap()];
                    o.cost = o.cost.map(|cost| Cost { certainty, ..cost });
                }
                _ => {}
            }
            if kind == 5 {
                o.role = Role::Aggregate;
                o.end = Timestamp::from_nanos((second + 40_000) * SECOND);
            }
            if response < 3 && kind != 0 {
                let (id, unique) = (response.to_string(), response < 2);
                o.response = Some(ResponseRef { namespace: "openai".into(), id, unique });
            }
            o
        },
    );
    vec(one, 1..12)
}

/// The simplest implementation of a ledger. It does not know the numbers of changes: those of the ledger
/// are only compared with each other.
#[derive(Default)]
struct Naive {
    /// Distinct observations. The first delivery counts, with its price.
    observations: Vec<Observation>,
    events: BTreeMap<EventId, Stored>,
    /// How many operations there were. An event that appears in one was handed out if a cursor was moved
    /// to the end of this or a later one.
    operations: usize,
    handed_out: usize,
    /// The greatest number after each operation.
    ends: Vec<i64>,
    cursors: BTreeMap<&'static str, i64>,
}

struct Stored {
    /// The event; its revision is that of the ledger.
    event: CostEvent,
    operation: usize,
    has_changed: bool,
}

impl Naive {
    fn append(&mut self, observations: &[Observation]) -> Appended {
        let mut appended = Appended::default();
        for observation in observations {
            if self.observations.iter().any(|known| known.has_same_facts(observation)) {
                appended.duplicates += 1;
            } else {
                self.observations.push(observation.clone());
                appended.new += 1;
            }
        }
        for mut event in fold(&self.observations) {
            let operation = self.operations + 1;
            let stored = self.events.entry(event.event_id.clone()).or_insert_with(|| Stored {
                event: CostEvent { revision: 0, ..event.clone() },
                operation,
                has_changed: true,
            });
            event.revision = stored.event.revision;
            if stored.operation <= self.handed_out {
                event.timestamp = stored.event.timestamp;
            }
            stored.has_changed |= event != stored.event;
            stored.event = event;
        }
        appended
    }

    /// Moves the cursor to the end of an operation.
    fn advance(&mut self, follower: &'static str, operation: usize) -> i64 {
        let end = operation.checked_sub(1).map_or(0, |index| self.ends[index]);
        let cursor = self.cursors.entry(follower).or_default();
        *cursor = end.max(*cursor);
        self.handed_out = self.handed_out.max(operation);
        end
    }

    fn count(&self, is_counted: impl Fn(EventState) -> bool) -> i64 {
        let count = self.events.values().filter(|stored| is_counted(stored.event.state)).count();
        i64::try_from(count).unwrap()
    }

    /// The sums by group, sorted by name. Groups without requests are left out.
    fn report(&self, query: &Query) -> BTreeMap<Option<String>, Totals> {
        let mut groups: BTreeMap<Option<String>, Totals> = BTreeMap::new();
        for event in self.events.values().map(|stored| &stored.event) {
            let is_asked_for = event.state != EventState::Void
                && query.since.is_none_or(|since| since <= event.timestamp)
                && query.until.is_none_or(|until| event.timestamp < until)
                && query.environment.as_ref().is_none_or(|name| event.environment.as_ref() == Some(name));
            if !is_asked_for {
                continue;
            }
            let name = match query.group_by {
                GroupBy::Feature => event.feature.clone(),
                GroupBy::Route => event.route.clone(),
                GroupBy::Customer => event.customer_id.clone(),
                GroupBy::Model => event.model.clone().or_else(|| event.response_model.clone()),
                GroupBy::Day => Some(event.timestamp.to_string()[..10].to_owned()),
                _ => panic!("the model does not know this grouping"),
            };
            let known = event.cost_usd.unwrap_or_default() + event.retry_cost_usd.unwrap_or_default();
            let group = groups.entry(name).or_default();
            group.requests += 1;
            group.attempts += event.attempts;
            group.failed += i64::from(event.error_code.is_some());
            group.retried += i64::from(event.attempts > 1);
            group.unpriced += i64::from(event.billed_usd.is_none());
            group.cost_upper_bound += i64::from(event.flags.contains(&Flag::CostUpperBound));
            group.cost_uncertain += i64::from(event.flags.contains(&Flag::CostUncertain));
            group.prompt_tokens += event.prompt_tokens.unwrap_or(0);
            if event.cached_tokens.is_some() {
                group.cache_known_prompt_tokens += event.prompt_tokens.unwrap_or(0);
            }
            group.cached_tokens += event.cached_tokens.unwrap_or(0);
            group.completion_tokens += event.completion_tokens.unwrap_or(0);
            group.reasoning_tokens += event.reasoning_tokens.unwrap_or(0);
            group.billed = group.billed + event.billed_usd.unwrap_or(known);
            group.retry = group.retry + event.retry_cost_usd.unwrap_or_default();
        }
        groups
    }
}

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
    for Change { seq, event } in &changes {
        let stored = naive.events.get_mut(&event.event_id).unwrap();
        prop_assert_eq!(*seq > before, stored.has_changed, "{:?} at {} after {}", event, seq, before);
        prop_assert_eq!(event.revision > stored.event.revision, stored.has_changed);
        stored.event.revision = event.revision;
        stored.has_changed = false;
        prop_assert_eq!(event, &stored.event);
    }
    naive.operations += 1;
    naive.ends.push(last);
    prop_assert_eq!(&in_pages(&reader, 2), &changes);
    for follower in FOLLOWERS {
        let expected = naive.cursors.get(follower).copied().unwrap_or_default();
        prop_assert_eq!(reader.cursor(follower).unwrap(), expected);
    }
    for (id, stored) in &naive.events {
        let event = reader.event(id).unwrap();
        prop_assert_eq!(event.as_ref(), Some(&stored.event));
    }
    let from_end = changes.len().min(3);
    let cursor = reader.nth_change_from_end(3).unwrap();
    prop_assert_eq!(&reader.changes_after(cursor, 9).unwrap()[..], &changes[changes.len() - from_end..]);

    let summary = reader.summary().unwrap();
    prop_assert_eq!(usize::try_from(summary.observations).unwrap(), naive.observations.len());
    prop_assert_eq!(summary.events, naive.count(|state| state != EventState::Void));
    prop_assert_eq!(summary.quarantined, naive.count(|state| state == EventState::Quarantined));
    prop_assert_eq!(summary.void, naive.count(|state| state == EventState::Void));
    prop_assert_eq!(summary.last_change, changes.last().map_or(0, |change| change.seq));

    for query in queries {
        let report = reader.report(query).unwrap();
        prop_assert_eq!(&report, &reader.report_from_events(query).unwrap(), "{:?}", query);
        let naive = naive.report(query);
        prop_assert_eq!(report.rows.len(), naive.len(), "{:?}", query);
        let mut total = Totals::default();
        for ReportRow { name, totals } in &report.rows {
            let expected = naive.get(name).map(known_measures);
            prop_assert_eq!(Some(known_measures(totals)), expected, "{:?} of {:?}", name, query);
            total = total.plus(totals);
        }
        prop_assert_eq!(report.total, total);
        let is_sorted = match query.group_by {
            GroupBy::Day => report.rows.is_sorted_by(|a, b| a.name < b.name),
            _ => report.rows.is_sorted_by(|a, b| a.totals.billed >= b.totals.billed),
        };
        prop_assert!(is_sorted, "{:?}", report);
    }
    Ok(())
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

fn queries() -> impl Strategy<Value = Vec<Query>> {
    let groups = [GroupBy::Feature, GroupBy::Route, GroupBy::Customer, GroupBy::Model, GroupBy::Day];
    // The bounds are at the start of a day or an hour, where the roll-ups answer, and between, where the
    // events do.
    let bound = || {
        proptest::option::of(
            prop_oneof![
                (-2..2_i64).prop_map(|day| day * 24 * HOUR),
                (-30..30_i64).prop_map(|hour| hour * HOUR),
                (-90_000..90_000_i64).prop_map(|second| second * SECOND),
            ]
            .prop_map(Timestamp::from_nanos),
        )
    };
    let environment = proptest::option::of(proptest::sample::select(vec!["test", "production", "other"]));
    let query = (proptest::sample::select(groups.to_vec()), bound(), bound(), environment);
    let query = query.prop_map(|(group_by, since, until, environment)| Query {
        group_by,
        since,
        until,
        environment: environment.map(str::to_owned),
    });
    vec(query, 4).prop_map(move |mut queries| {
        queries.extend(groups.map(Query::by));
        queries
    })
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
    let mut ledger = Ledger::open(&path).unwrap();
    let mut naive = Naive::default();
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
                if usize::try_from(observations).unwrap() != naive.observations.len() {
                    naive.append(&batch);
                }
            }
            Operation::Advance(follower, to) => {
                let end = naive.advance(FOLLOWERS[*follower], to.index(naive.operations + 1));
                ledger.advance(FOLLOWERS[*follower], end).await.unwrap();
            }
            Operation::Reopen => {
                drop(ledger);
                ledger = Ledger::open(&path).unwrap();
            }
            Operation::Crash => {
                let (copy, copy_path) = crate::support::folder();
                copy_files(folder.path(), copy.path());
                drop(ledger);
                (folder, path) = (copy, copy_path);
                ledger = Ledger::open(&path).unwrap();
            }
        }
        check(&ledger, &mut naive, queries)?;
    }
    prop_assert_eq!(ledger.reader().unwrap().integrity().unwrap(), Vec::<String>::new());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

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
