use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{
    Bucket, CostCertainty, EventState, Flag, ObservedAs, Timestamp, UnpricedReason, Unstated, Usage, Usd,
    test_support::{ObservationBuilder, SECOND},
};

/// Methods that only these tests need.
trait FoldTest {
    /// Sets the usage, and a cost of one picodollar for each token.
    fn used(self, input: u64, output: u64) -> Self;
    /// States that the response id comes from a host whose ids may repeat.
    fn with_ambiguous_id(self) -> Self;
    fn seen_as_span(self) -> Self;
}

impl FoldTest for ObservationBuilder {
    fn used(self, input: u64, output: u64) -> Self {
        self.tokens(input, output).cost_picos(i128::from(input + output))
    }

    fn with_ambiguous_id(self) -> Self {
        self.with(|o| {
            if let Some(response) = &mut o.response {
                response.namespace = "127.0.0.1".into();
                response.unique = false;
            }
        })
    }

    fn seen_as_span(self) -> Self {
        self.with(|o| o.sighting = ObservedAs::Span)
    }
}

fn record(request: &str, call: &str, second: i64) -> ObservationBuilder {
    ObservationBuilder::record(request, call, second)
}

fn span(trace: &str, span: &str, second: i64) -> ObservationBuilder {
    ObservationBuilder::span(trace, span, second)
}

fn fold_of(builders: &[ObservationBuilder]) -> Vec<CostEvent> {
    let observations: Vec<Observation> = builders.iter().map(|builder| builder.clone().build()).collect();
    fold(&observations)
}

/// The only event that counts.
fn one(builders: &[ObservationBuilder]) -> CostEvent {
    let mut live: Vec<_> = fold_of(builders).into_iter().filter(CostEvent::counts).collect();
    assert_eq!(live.len(), 1, "{live:#?}");
    live.remove(0)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with columns, which are optional")]
fn usd(picos: i128) -> Option<Usd> {
    Some(Usd::from_picos(picos))
}

#[test]
fn record_and_span_of_one_call_are_one_charge() {
    let of_record = record("r", "c", 1).used(100, 10).response("a");
    let of_span =
        record("r", "c", 1).used(100, 10).seen_as_span().with(|o| o.service_name = Some("api".into()));
    let event = one(&[of_span, of_record]);
    assert_eq!((event.cost_usd, event.retry_cost_usd, event.attempts), (usd(110), usd(0), 1));
    assert_eq!((event.emitter.as_str(), event.service_name.as_deref()), ("Record", Some("api")));
}

/// A record without a usage (its stream was cut) gets the usage of the call's span.
#[test]
fn the_usage_of_a_span_completes_a_record_without_usage() {
    let cut = record("r", "c", 1).incomplete("cut");
    let complete = record("r", "c", 1).used(100, 10).seen_as_span();
    let event = one(&[cut, complete]);
    assert_eq!((event.cost_usd, event.prompt_tokens), (usd(110), Some(100)));
    assert_eq!(event.error_code.as_deref(), Some("cut"), "the record states how the call ended");
}

/// A span of a response whose usage has 100 tokens in and 20 out, and does not state these parts.
fn span_without(trace: &str, unstated: Unstated) -> ObservationBuilder {
    let usage = Usage::default().with(Bucket::Input, 100).with(Bucket::Output, 20).with_unstated(unstated);
    span(trace, "a", 1).usage(usage).cost_picos(120).response("resp_1").attributed()
}

fn with_certainty(builder: ObservationBuilder, certainty: CostCertainty) -> ObservationBuilder {
    builder.with(|o| o.cost.as_mut().unwrap().certainty = certainty)
}

#[test]
fn a_count_that_was_not_stated_is_null_and_not_zero() {
    let parts = |event: &CostEvent| (event.cached_tokens, event.cache_write_tokens, event.reasoning_tokens);
    let event = one(&[span_without("t", Unstated::ALL)]);
    assert_eq!((event.prompt_tokens, event.completion_tokens), (Some(100), Some(20)));
    assert_eq!(parts(&event), (None, None, None));
    assert_eq!(parts(&one(&[span_without("t", Unstated::NONE)])), (Some(0), Some(0), Some(0)));
    for (unstated, expected) in [
        (Unstated { cached: true, ..Unstated::NONE }, (None, Some(0), Some(0))),
        (Unstated { cache_write: true, ..Unstated::NONE }, (Some(0), None, Some(0))),
        (Unstated { reasoning: true, ..Unstated::NONE }, (Some(0), Some(0), None)),
    ] {
        assert_eq!(parts(&one(&[span_without("t", unstated)])), expected);
    }
}

/// Scenario: an instrumentation omits cached tokens, and the gateway's span of the same response has them.
#[test]
fn a_sighting_that_states_more_is_the_better_evidence() {
    let totals = with_certainty(span_without("t1", Unstated::ALL), CostCertainty::UpperBound);
    let alone = one(std::slice::from_ref(&totals));
    assert_eq!((alone.cost_usd, alone.flags), (usd(120), vec![Flag::CostUpperBound]));
    // The two spans have the same number of buckets.
    let zeros = span_without("t2", Unstated { reasoning: true, ..Unstated::NONE }).cost_picos(70);
    for pair in [[totals.clone(), zeros.clone()], [zeros, totals]] {
        let event = one(&pair);
        assert_eq!((event.cost_usd, event.cached_tokens, event.flags), (usd(70), Some(0), vec![]));
    }
}

#[test]
fn an_event_with_a_charge_whose_cost_is_not_exact_is_flagged() {
    let first = || record("r", "a", 1).used(10, 1).response("1").attributed();
    let second = || record("r", "b", 5).used(20, 1).response("2").attributed();
    for (retry, flags) in [
        (CostCertainty::Exact, vec![]),
        (CostCertainty::UpperBound, vec![Flag::CostUpperBound]),
        (CostCertainty::Uncertain, vec![Flag::CostUncertain]),
    ] {
        assert_eq!(one(&[first(), with_certainty(second(), retry)]).flags, flags);
    }
    let both = [CostCertainty::Uncertain, CostCertainty::UpperBound];
    let event = one(&[with_certainty(first(), both[0]), with_certainty(second(), both[1])]);
    assert_eq!(event.flags, [Flag::CostUncertain], "an uncertain amount is no upper bound");
}

#[test]
fn a_failure_before_a_success_adds_an_attempt_and_costs_nothing() {
    let event = one(&[record("r", "c1", 1).failed("500"), record("r", "c2", 5).used(100, 10)]);
    assert_eq!((event.attempts, event.error_code.as_deref(), event.billed_usd), (2, None, usd(110)));
    assert_eq!(event.timestamp, Timestamp::from_nanos(SECOND));
}

#[test]
fn a_failure_after_a_success_erases_nothing() {
    let event = one(&[record("r", "c1", 1).used(100, 10), record("r", "c2", 5).failed("500")]);
    assert_eq!((event.attempts, event.error_code, event.billed_usd), (2, None, usd(110)));
}

#[test]
fn a_request_without_a_success_costs_nothing_and_has_an_error_code() {
    let event =
        one(&[record("r", "c1", 1).failed("500"), record("r", "c2", 5).failed("rate_limit_exceeded")]);
    assert_eq!((event.cost_usd, event.cost_state.as_str()), (usd(0), "priced"));
    assert_eq!(event.error_code.as_deref(), Some("rate_limit_exceeded"));
}

#[test]
fn two_billed_responses_are_one_event_and_their_costs_add_up() {
    let event = one(&[
        record("r", "c2", 9).used(7, 0).response("b"),
        record("r", "c1", 1).used(100, 10).response("a"),
    ]);
    assert_eq!((event.cost_usd, event.retry_cost_usd, event.billed_usd), (usd(110), usd(7), usd(117)));
    assert_eq!(event.response_id.as_deref(), Some("a"));
}

#[test]
fn an_unpriced_retry_leaves_the_billed_amount_unknown() {
    let unpriced = record("r", "c2", 9).used(7, 0).unpriced(UnpricedReason::UnknownModel);
    let event = one(&[record("r", "c1", 1).used(100, 10), unpriced]);
    assert_eq!((event.cost_usd, event.retry_cost_usd, event.billed_usd), (usd(110), usd(0), None));
    assert_eq!(event.flags, [Flag::RetryUnpriced]);
}

#[test]
fn a_foreign_span_of_the_same_response_counts_once_and_is_void() {
    let events = fold_of(&[
        span("t", "s", 2).used(100, 10).response("a"),
        record("r", "c", 1).used(100, 10).response("a"),
    ]);
    let (live, void): (Vec<_>, Vec<_>) = events.iter().partition(|e| e.counts());
    assert_eq!((live.len(), void.len()), (1, 1));
    assert_eq!(live[0].feature.as_deref(), Some("search"));
    assert_eq!((live[0].attempts, live[0].billed_usd), (1, usd(110)));
    assert_eq!(void[0].superseded_by.as_ref(), Some(&live[0].event_id));
}

#[test]
fn a_dated_name_and_missing_usage_do_not_contradict() {
    let gateway =
        span("t", "s", 2).response("a").with(|o| o.response_model = Some("openai/gpt-5.5-2026-04-23".into()));
    assert_eq!(one(&[gateway, record("r", "c", 1).used(100, 10).response("a")]).billed_usd, usd(110));
}

#[test]
fn sightings_that_disagree_are_both_kept_and_flagged() {
    let events = fold_of(&[
        span("t", "s", 2).used(101, 10).response("a"),
        record("r", "c", 1).used(100, 10).response("a"),
    ]);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|e| e.counts() && e.flags == [Flag::PossibleDuplicate]), "{events:#?}");
}

#[test]
fn sightings_with_an_ambiguous_id_are_kept_and_flagged_within_a_trace() {
    let pair = |trace: &str| {
        fold_of(&[
            span("t", "s", 2).used(100, 10).response("a").with_ambiguous_id(),
            span(trace, "u", 3).used(100, 10).response("a").with_ambiguous_id(),
        ])
    };
    assert!(pair("t").iter().all(|e| e.flags == [Flag::PossibleDuplicate]));
    assert!(pair("another").iter().all(|e| e.counts() && e.flags.is_empty()));
}

#[test]
fn an_aggregate_over_calls_with_usage_is_void() {
    let agent = || span("t", "agent", 1).aggregate(9).used(200, 20).attributed();
    let leaf = |parent| span("t", "leaf", 2).in_trace("t", "leaf", Some(parent)).used(100, 10).attributed();
    for parent in ["agent", "never-seen"] {
        let event = one(&[agent(), leaf(parent)]);
        assert_eq!(event.billed_usd, usd(110), "{parent}");
    }
    let events = fold_of(&[agent(), leaf("agent")]);
    let void = events.iter().find(|e| !e.counts()).unwrap();
    let live = events.iter().find(|e| e.counts()).unwrap();
    assert_eq!(void.superseded_by.as_ref(), Some(&live.event_id));
}

#[test]
fn an_aggregate_alone_is_the_charge() {
    let agent = span("t", "agent", 1).aggregate(9).used(200, 20).attributed();
    let outside = span("t", "leaf", 20).in_trace("t", "leaf", Some("never-seen")).used(1, 1).attributed();
    assert_eq!(fold_of(&[agent, outside]).iter().filter(|e| e.counts()).count(), 2);
}

#[test]
fn an_event_without_attribution_is_quarantined_and_counts() {
    let event = one(&[span("t", "s", 1).used(100, 10)]);
    assert_eq!((event.state, event.billed_usd), (EventState::Quarantined, usd(110)));
}

/// The client's span has the gateway's address; the gateway's span has the provider's.
#[test]
fn a_gateways_sighting_in_the_same_trace_is_the_same_charge() {
    let ours = |tokens| {
        let ours = record("r", "t:c", 1).in_trace("t", "c", None).used(tokens, 10);
        ours.response_of_gateway("litellm", "a")
    };
    let gateway = || span("t", "g", 2).in_trace("t", "g", Some("c")).used(100, 10).response("a");
    let event = one(&[ours(100), gateway()]);
    assert_eq!((event.billed_usd, event.feature.as_deref()), (usd(110), Some("search")));
    assert!(event.flags.is_empty());
    let events = fold_of(&[ours(101), gateway()]);
    assert!(events.iter().all(|e| e.counts() && e.flags == [Flag::PossibleDuplicate]), "{events:#?}");
}

/// The totals of an orchestrator's span contain those of a remote agent's span below it.
#[test]
fn an_aggregate_over_an_aggregate_is_void() {
    let outer = span("t", "outer", 1).aggregate(9).used(200, 20).attributed();
    let inner =
        span("t", "inner", 2).in_trace("t", "inner", Some("outer")).aggregate(8).used(200, 20).attributed();
    assert_eq!(one(&[outer, inner]).billed_usd, usd(220));
}

/// Each of two aggregates is the parent of the other. One of them must still count.
#[test]
fn the_first_of_the_aggregates_in_a_cycle_counts() {
    let one_of = |id: &str, parent: &str, second| {
        span("t", id, second).in_trace("t", id, Some(parent)).aggregate(9).used(100, 10).attributed()
    };
    let circle = [one_of("c", "d", 0), one_of("d", "e", 1), one_of("e", "c", 2)];
    let events = fold_of(&circle);
    let live: Vec<_> = events.iter().filter(|e| e.counts()).collect();
    assert_eq!(live.len(), 1, "{events:#?}");
    assert_eq!(live[0].span_id.as_deref(), Some("c"));
    for void in events.iter().filter(|e| !e.counts()) {
        assert_eq!(void.superseded_by.as_ref(), Some(&live[0].event_id));
    }
    // A call below the cycle counts, and every aggregate of the cycle is superseded by it.
    let call = span("t", "leaf", 3).in_trace("t", "leaf", Some("d")).used(100, 10).attributed();
    let [c, d, e] = circle;
    let events = fold_of(&[c, d, e, call]);
    let live: Vec<_> = events.iter().filter(|e| e.counts()).collect();
    assert_eq!((live.len(), live[0].span_id.as_deref()), (1, Some("leaf")));
    assert_eq!(events.iter().filter(|e| e.superseded_by.as_ref() == Some(&live[0].event_id)).count(), 3);
}

/// A call within an aggregate's time is not part of the aggregate if it has more tokens.
#[test]
fn an_unrelated_call_at_the_same_time_does_not_void_an_aggregate() {
    let agent = span("t", "agent", 1).aggregate(9).used(20, 2).attributed();
    let chat = span("t", "leaf", 2).in_trace("t", "leaf", Some("never-seen")).used(100, 10).attributed();
    assert_eq!(fold_of(&[agent, chat]).iter().filter(|e| e.counts()).count(), 2);
}

/// Few distinct ids, so that observations often share calls, requests, responses and traces.
fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = (0..4_usize, 0..4_usize, 0..4_i64, 0..4_usize, 0..3_u64, any::<bool>(), 0..5_usize).prop_map(
        |(request, call, second, response, tokens, foreign, kind)| {
            let ids = ["a", "b", "c", "d"];
            let mut builder = if foreign {
                span("t", ids[call], second).in_trace("t", ids[call], ids.get(request).copied())
            } else {
                record(ids[request], &format!("call-{request}-{call}"), second).in_trace(
                    "t",
                    &format!("own{call}"),
                    Some("a"),
                )
            };
            if kind == 0 {
                builder = builder.failed("500");
            } else if kind > 1 {
                builder = builder.used(100 + tokens, 10);
            }
            if foreign && kind == 2 {
                builder = with_certainty(builder, CostCertainty::UpperBound).with(|o| {
                    o.usage = o.usage.take().map(|usage| usage.with_unstated(Unstated::ALL));
                });
            }
            if response < 3 && kind != 0 {
                builder = builder.response(ids[response]);
                if response == 2 {
                    builder = builder.with_ambiguous_id();
                }
            }
            if foreign && kind == 4 {
                builder = builder.aggregate(second + 2);
            }
            builder.build()
        },
    );
    proptest::collection::vec(one, 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn order_and_repetition_change_nothing(
        observations in observations(),
        order in proptest::collection::vec(any::<Index>(), 0..30),
    ) {
        let expected = fold(&observations);
        let mut shuffled: Vec<Observation> = observations.clone();
        for (at, index) in order.iter().enumerate() {
            let to = index.index(shuffled.len());
            let from = at % shuffled.len();
            shuffled.swap(from, to);
        }
        let repeated: Vec<Observation> = order.iter().map(|i| i.get(&observations).clone()).collect();
        shuffled.extend(repeated);
        prop_assert_eq!(fold(&shuffled), expected);
    }

    /// The ledger folds only the observations that are related to an append.
    #[test]
    fn unrelated_observations_do_not_affect_each_other(here in observations(), there in observations()) {
        let with_ambiguous_id: Vec<Observation> = there
            .into_iter()
            .map(|mut o| {
                o.event_id = EventId::from_text(format!("other {}", o.event_id));
                o.call_id.insert_str(0, "other ");
                o.trace_id = Some("other".into());
                if let Some(response) = &mut o.response {
                    response.id.insert_str(0, "other ");
                }
                o
            })
            .collect();
        let mut apart = [fold(&here), fold(&with_ambiguous_id)].concat();
        apart.sort_by(|a, b| a.event_id.cmp(&b.event_id));
        prop_assert_eq!(fold(here.iter().chain(&with_ambiguous_id)), apart);
    }

    #[test]
    fn a_failed_attempt_changes_no_amount(observations in observations(), request in 0..4_usize) {
        let billed = |events: Vec<CostEvent>| -> Vec<Option<Usd>> {
            let mut amounts: Vec<_> = events.iter().filter(|e| e.counts()).map(|e| e.billed_usd).collect();
            amounts.retain(|amount| *amount != Some(Usd::ZERO));
            amounts.sort();
            amounts
        };
        let failed = record(["a", "b", "c", "d"][request], "another call", 9).failed("500").build();
        let with_failure = fold(observations.iter().chain([&failed]));
        prop_assert_eq!(billed(with_failure), billed(fold(&observations)));
    }

    #[test]
    fn every_charge_is_billed_at_most_once_and_every_id_has_one_event(observations in observations()) {
        let events = fold(&observations);
        let ids: BTreeSet<_> = observations.iter().map(|o| &o.event_id).collect();
        prop_assert_eq!(events.len(), ids.len());
        prop_assert!(events.iter().any(CostEvent::counts));

        // The billed amount is at most the sum of the most expensive sighting of each call.
        let mut calls: BTreeMap<&str, i128> = BTreeMap::new();
        for o in &observations {
            let cost = o.cost.as_ref().and_then(|c| c.usd).unwrap_or_default().picos();
            let most = calls.entry(&o.call_id).or_default();
            *most = cost.max(*most);
        }
        let billed: i128 = events.iter().filter(|e| e.counts()).filter_map(|e| e.billed_usd).map(Usd::picos).sum();
        prop_assert!(billed <= calls.values().sum::<i128>());

        // A void event always leads to one that counts.
        for event in &events {
            if let Some(by) = &event.superseded_by {
                let target = events.iter().find(|e| e.event_id == *by);
                prop_assert!(target.is_some_and(CostEvent::counts), "{:?} -> {by}", event.event_id);
            }
        }
    }
}

/// Scenario: a delivery is repeated after the price book changed how often its model searches.
#[test]
fn repeats_of_a_call_whose_searches_were_added_by_different_books_count_once() {
    let priced = |searches: u64, picos: i128| {
        let call = ObservationBuilder::record("request", "call", 0).tokens(100, 10).cost_picos(picos);
        call.with(|o| o.usage.as_mut().unwrap().web_search_calls = searches).build()
    };
    let (before, after) = (priced(0, 110), priced(1, 10_110));
    assert!(!before.has_same_facts(&after));
    let events = fold(&[before, after]);
    assert_eq!((events.len(), events[0].attempts), (1, 1));
    assert_eq!(events[0].billed_usd, events[0].cost_usd);
}

proptest! {
    #[test]
    fn a_lone_observation_is_folded_like_others(observations in observations()) {
        for observation in &observations {
            prop_assert_eq!(vec![fold_lone(observation)], fold_related(&[observation], &[]));
        }
    }
}
