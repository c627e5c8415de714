//! What is done to both ledgers: random observations, operations and queries.

use std::borrow::Cow;

use proptest::{collection::vec, prelude::*, sample::Index};
use rust_decimal::Decimal;
use spanledger_event::{
    Bucket, CallOutcome, Cost, CostCertainty, CostLine, EventId, Observation, ObservedAs, ResponseRef, Role,
    Timestamp, UnpricedReason, Unstated, Usage, Usd,
};
use spanledger_ledger::{GroupBy, Query};

use super::naive::HOUR;
use crate::support::{SECOND, call};

/// Followers whose cursors are moved to anywhere.
pub(super) const FOLLOWERS: [&str; 2] = ["warehouse", "stdout"];
/// Followers that read everything, batch by batch.
pub(super) const READERS: [&str; 2] = ["lake", "mart"];

#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Appends observations and waits for the answer.
    Append(Vec<Index>),
    /// Appends several times at once; the writer may commit them together.
    AppendTogether(Vec<Vec<Index>>),
    /// Appends, and drops the future before it completes.
    AppendAndLeave(Vec<Index>),
    /// Moves the cursor of a follower.
    Advance(usize, Index),
    /// A reader asks for a further batch of at most so many changes.
    Read(usize, usize),
    /// A reader has stored its first batch.
    Acknowledge(usize),
    /// A reader divides its first batch.
    Split(usize, Index),
    /// A reader moves its cursor back.
    Rewind(usize, Index),
    /// Gives stored observations other costs, in several steps of one repricing.
    Reprice(Vec<Vec<(Index, NewCost)>>),
    /// Folds everything again, so many observations at a time.
    Refold(usize),
    /// Deletes what began before this second, looking at so many events at a time.
    Prune(i64, usize),
    /// Closes the ledger and opens it again.
    Reopen,
    /// Copies the files while the ledger is open, and goes on with the copy.
    Crash,
}

/// A cost of so many picodollars with as many lines, or an unknown one.
#[derive(Clone, Debug)]
pub(super) struct NewCost {
    pub(super) picos: Option<i128>,
    pub(super) lines: usize,
}

impl NewCost {
    pub(super) fn at(&self, start: Timestamp) -> Cost {
        let line = |number: usize| CostLine {
            kind: Cow::Borrowed(["input", "output"][number % 2]),
            quantity: Decimal::from(number + 3),
            unit: "1M tokens".into(),
            rate: Decimal::from(5),
            usd: Usd::from_picos(number.try_into().unwrap()),
        };
        Cost {
            usd: self.picos.map(Usd::from_picos),
            reason: self.picos.is_none().then_some(UnpricedReason::UnknownModel),
            lines: (0..self.lines).map(line).collect(),
            ..Cost::free("another book", start)
        }
    }
}

fn new_cost() -> impl Strategy<Value = NewCost> {
    (proptest::option::weighted(0.8, 0..4_i128), 0..3_usize)
        .prop_map(|(picos, lines)| NewCost { picos, lines })
}

pub(super) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let batch = || vec(any::<Index>(), 1..5);
    let costs = vec((any::<Index>(), new_cost()), 1..4);
    let operation = prop_oneof![
        12 => batch().prop_map(Operation::Append),
        4 => vec(batch(), 2..4).prop_map(Operation::AppendTogether),
        2 => batch().prop_map(Operation::AppendAndLeave),
        3 => (0..FOLLOWERS.len(), any::<Index>()).prop_map(|(follower, to)| Operation::Advance(follower, to)),
        5 => (0..READERS.len(), 1..6_usize).prop_map(|(reader, limit)| Operation::Read(reader, limit)),
        4 => (0..READERS.len()).prop_map(Operation::Acknowledge),
        2 => (0..READERS.len(), any::<Index>()).prop_map(|(reader, at)| Operation::Split(reader, at)),
        1 => (0..READERS.len(), any::<Index>()).prop_map(|(reader, to)| Operation::Rewind(reader, to)),
        3 => vec(costs, 1..3).prop_map(Operation::Reprice),
        1 => (1..5_usize).prop_map(Operation::Refold),
        3 => (-90_000..90_000_i64, 1..6_usize).prop_map(|(before, limit)| Operation::Prune(before, limit)),
        2 => Just(Operation::Reopen),
        2 => Just(Operation::Crash),
    ];
    vec(operation, 1..20)
}

/// Observations with few distinct ids, so that they are often related: three requests, calls with a record
/// and a span, shared responses, agents around calls, sightings without a trace, failures and unpriced calls.
pub(super) fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let numbers = (0..3_usize, 0..4_usize, -90_000..90_000_i64, 0..4_usize);
    let one = (numbers, 0..3_u64, 0..9_usize, any::<bool>(), new_cost()).prop_map(
        |((request, number, second, response), tokens, kind, is_first_trace, cost)| {
            let request_id = ["r", "s", "t"][request];
            let call_id = format!("call-{request}-{number}");
            let trace = if is_first_trace { "trace" } else { "other" };
            let mut o = call(request_id, &call_id, second, i128::from(tokens) + 1);
            o.trace_id = Some(trace.into());
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
                    o.event_id = EventId::of_span(trace, &format!("span{number}"), o.start);
                    o.attribution.customer_id = None;
                    // A span may state only the totals, so that its cost is not exact.
                    o.usage = o.usage.map(|usage| usage.with_unstated(Unstated::ALL));
                    let certainty = CostCertainty::ALL[usize::try_from(tokens).unwrap()];
                    o.cost = o.cost.map(|cost| Cost { certainty, ..cost });
                }
                6 => o.cost = Some(cost.at(o.start)),
                7 => (o.trace_id, o.span_id, o.parent_span_id) = (None, None, None),
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
    vec(one, 1..14)
}

pub(super) fn queries() -> impl Strategy<Value = Vec<Query>> {
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
