use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{
    Attribution, Bucket, CallOutcome, Cost, EventState, Flag, ObservedAs, ResponseRef, Role, Timestamp,
    Usage, UsageSource, Usd,
};

const SECOND: i64 = 1_000_000_000;

/// A builder that reads like the story that a test tells.
struct Seen(Observation);

impl Seen {
    fn record(request: &str, call: &str, second: i64) -> Self {
        let mut o = Self::new(EventId::of_request(request, 1), call, ObservedAs::Record, second);
        o.0.attribution = (&attribution()).into();
        o.0.attribution.request_id = Some(request.to_owned());
        o
    }

    fn span(trace: &str, span: &str, second: i64) -> Self {
        let start = Timestamp::from_nanos(second * SECOND);
        let mut o = Self::new(
            EventId::of_span(trace, span, start),
            &format!("{trace}:{span}"),
            ObservedAs::Span,
            second,
        );
        o.0.trace_id = Some(trace.to_owned());
        o.0.span_id = Some(span.to_owned());
        o
    }

    fn new(id: EventId, call: &str, sighting: ObservedAs, second: i64) -> Self {
        let mut o = Observation::new(id, call, sighting, Timestamp::from_nanos(second * SECOND));
        o.end = Timestamp::from_nanos((second + 1) * SECOND);
        o.provider = "openai".into();
        o.emitter = format!("{sighting:?}");
        o.model = Some("gpt-5.5".into());
        Self(o)
    }

    fn used(mut self, input: u64, output: u64) -> Self {
        self.0.usage = Some(Usage::default().with(Bucket::Input, input).with(Bucket::Output, output));
        self.0.usage_source = UsageSource::Provider;
        let mut cost = Cost::free("test", self.0.start);
        cost.usd = Some(Usd::from_picos(i128::from(input + output)));
        self.0.cost = Some(cost);
        self
    }

    fn response(mut self, id: &str) -> Self {
        self.0.response = Some(ResponseRef { namespace: "openai".into(), id: id.into(), unique: true });
        self
    }

    fn elsewhere(mut self) -> Self {
        if let Some(response) = &mut self.0.response {
            response.namespace = "127.0.0.1".into();
            response.unique = false;
        }
        self
    }

    fn failed(mut self, code: &str) -> Self {
        self.0.outcome = CallOutcome::Failed(code.into());
        self.0.cost = Some(Cost::free("test", self.0.start));
        self
    }

    fn in_trace(mut self, trace: &str, span: &str, parent: Option<&str>) -> Self {
        self.0.trace_id = Some(trace.into());
        self.0.span_id = Some(span.into());
        self.0.parent_span_id = parent.map(str::to_owned);
        self
    }

    fn aggregate(mut self, until: i64) -> Self {
        self.0.role = Role::Aggregate;
        self.0.end = Timestamp::from_nanos(until * SECOND);
        self
    }

    fn attributed(mut self) -> Self {
        self.0.attribution = (&attribution()).into();
        self
    }
}

fn attribution() -> Attribution {
    Attribution::builder()
        .feature("search")
        .route("/s")
        .customer_id("acme")
        .environment("test")
        .build()
        .unwrap()
}

fn fold_of(seen: &[Seen]) -> Vec<CostEvent> {
    fold(seen.iter().map(|s| &s.0))
}

fn one(seen: &[Seen]) -> CostEvent {
    let mut live: Vec<_> = fold_of(seen).into_iter().filter(CostEvent::counts).collect();
    assert_eq!(live.len(), 1, "{live:#?}");
    live.remove(0)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with columns, which are optional")]
fn usd(picos: i128) -> Option<Usd> {
    Some(Usd::from_picos(picos))
}

#[test]
fn record_and_span_of_one_call_are_one_charge() {
    let record = Seen::record("r", "c", 1).used(100, 10).response("a");
    let mut span = Seen::record("r", "c", 1).used(100, 10);
    span.0.sighting = ObservedAs::Span;
    span.0.service_name = Some("api".into());
    let event = one(&[span, record]);
    assert_eq!((event.cost_usd, event.retry_cost_usd, event.attempts), (usd(110), usd(0), 1));
    assert_eq!((event.emitter.as_str(), event.service_name.as_deref()), ("Record", Some("api")));
}

/// A record that never saw the usage (its stream was cut) is upgraded by a span that did.
#[test]
fn better_usage_from_either_sighting_is_used() {
    let mut record = Seen::record("r", "c", 1);
    record.0.outcome = CallOutcome::Incomplete("cut".into());
    let mut span = Seen::record("r", "c", 1).used(100, 10);
    span.0.sighting = ObservedAs::Span;
    let event = one(&[record, span]);
    assert_eq!((event.cost_usd, event.prompt_tokens), (usd(110), Some(100)));
    assert_eq!(event.error_code.as_deref(), Some("cut"), "how it ended the record knows best");
}

#[test]
fn a_failure_before_a_success_grows_attempts_and_costs_nothing() {
    let event = one(&[Seen::record("r", "c1", 1).failed("500"), Seen::record("r", "c2", 5).used(100, 10)]);
    assert_eq!((event.attempts, event.error_code.as_deref(), event.billed_usd), (2, None, usd(110)));
    assert_eq!(event.timestamp, Timestamp::from_nanos(SECOND));
}

#[test]
fn a_failure_after_a_success_erases_nothing() {
    let event = one(&[Seen::record("r", "c1", 1).used(100, 10), Seen::record("r", "c2", 5).failed("500")]);
    assert_eq!((event.attempts, event.error_code, event.billed_usd), (2, None, usd(110)));
}

#[test]
fn a_request_that_only_failed_is_free_and_says_why() {
    let event = one(&[
        Seen::record("r", "c1", 1).failed("500"),
        Seen::record("r", "c2", 5).failed("rate_limit_exceeded"),
    ]);
    assert_eq!((event.cost_usd, event.cost_state.as_str()), (usd(0), "priced"));
    assert_eq!(event.error_code.as_deref(), Some("rate_limit_exceeded"));
}

#[test]
fn two_billed_responses_are_one_event_whose_invoice_is_the_sum() {
    let event = one(&[
        Seen::record("r", "c2", 9).used(7, 0).response("b"),
        Seen::record("r", "c1", 1).used(100, 10).response("a"),
    ]);
    assert_eq!((event.cost_usd, event.retry_cost_usd, event.billed_usd), (usd(110), usd(7), usd(117)));
    assert_eq!(event.response_id.as_deref(), Some("a"));
}

#[test]
fn an_unpriced_retry_leaves_the_billed_amount_unknown() {
    let mut unpriced = Seen::record("r", "c2", 9).used(7, 0);
    unpriced.0.cost.as_mut().unwrap().usd = None;
    let event = one(&[Seen::record("r", "c1", 1).used(100, 10), unpriced]);
    assert_eq!((event.cost_usd, event.retry_cost_usd, event.billed_usd), (usd(110), usd(0), None));
    assert_eq!(event.flags, [Flag::RetryUnpriced]);
}

#[test]
fn a_foreign_span_of_the_same_response_counts_once_and_is_void() {
    let events = fold_of(&[
        Seen::span("t", "s", 2).used(100, 10).response("a"),
        Seen::record("r", "c", 1).used(100, 10).response("a"),
    ]);
    let (live, void): (Vec<_>, Vec<_>) = events.iter().partition(|e| e.counts());
    assert_eq!((live.len(), void.len()), (1, 1));
    assert_eq!(live[0].feature.as_deref(), Some("search"));
    assert_eq!((live[0].attempts, live[0].billed_usd), (1, usd(110)));
    assert_eq!(void[0].superseded_by.as_ref(), Some(&live[0].event_id));
}

#[test]
fn a_dated_name_and_missing_usage_do_not_contradict() {
    let mut gateway = Seen::span("t", "s", 2).response("a");
    gateway.0.response_model = Some("openai/gpt-5.5-2026-04-23".into());
    assert_eq!(one(&[gateway, Seen::record("r", "c", 1).used(100, 10).response("a")]).billed_usd, usd(110));
}

#[test]
fn sightings_that_disagree_are_both_kept_and_flagged() {
    let events = fold_of(&[
        Seen::span("t", "s", 2).used(101, 10).response("a"),
        Seen::record("r", "c", 1).used(100, 10).response("a"),
    ]);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|e| e.counts() && e.flags == [Flag::PossibleDuplicate]), "{events:#?}");
}

#[test]
fn where_ids_are_not_unique_both_are_kept_and_flagged_within_a_trace() {
    let pair = |trace: &str| {
        fold_of(&[
            Seen::span("t", "s", 2).used(100, 10).response("a").elsewhere(),
            Seen::span(trace, "u", 3).used(100, 10).response("a").elsewhere(),
        ])
    };
    assert!(pair("t").iter().all(|e| e.flags == [Flag::PossibleDuplicate]));
    assert!(pair("another").iter().all(|e| e.counts() && e.flags.is_empty()));
}

#[test]
fn an_aggregate_over_calls_with_usage_is_void() {
    let agent = || Seen::span("t", "agent", 1).aggregate(9).used(200, 20).attributed();
    let leaf =
        |parent| Seen::span("t", "leaf", 2).in_trace("t", "leaf", Some(parent)).used(100, 10).attributed();
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
    let agent = Seen::span("t", "agent", 1).aggregate(9).used(200, 20).attributed();
    let outside =
        Seen::span("t", "leaf", 20).in_trace("t", "leaf", Some("never-seen")).used(1, 1).attributed();
    assert_eq!(fold_of(&[agent, outside]).iter().filter(|e| e.counts()).count(), 2);
}

#[test]
fn what_lacks_attribution_is_quarantined_and_counts() {
    let event = one(&[Seen::span("t", "s", 1).used(100, 10)]);
    assert_eq!((event.state, event.billed_usd), (EventState::Quarantined, usd(110)));
}

/// A client that talks to a gateway sees the gateway's address; the gateway sees the provider's.
#[test]
fn a_gateways_sighting_in_the_same_trace_is_the_same_charge() {
    let ours = |tokens| {
        let mut seen =
            Seen::record("r", "t:c", 1).in_trace("t", "c", None).used(tokens, 10).response("a").elsewhere();
        seen.0.response.as_mut().unwrap().namespace = "litellm".into();
        seen
    };
    let gateway = || Seen::span("t", "g", 2).in_trace("t", "g", Some("c")).used(100, 10).response("a");
    let event = one(&[ours(100), gateway()]);
    assert_eq!((event.billed_usd, event.feature.as_deref()), (usd(110), Some("search")));
    assert!(event.flags.is_empty());
    let events = fold_of(&[ours(101), gateway()]);
    assert!(events.iter().all(|e| e.counts() && e.flags == [Flag::PossibleDuplicate]), "{events:#?}");
}

/// A remote agent under an orchestrator: the outer totals contain the inner ones.
#[test]
fn an_aggregate_over_an_aggregate_is_void() {
    let outer = Seen::span("t", "outer", 1).aggregate(9).used(200, 20).attributed();
    let inner = Seen::span("t", "inner", 2)
        .in_trace("t", "inner", Some("outer"))
        .aggregate(8)
        .used(200, 20)
        .attributed();
    assert_eq!(one(&[outer, inner]).billed_usd, usd(220));
}

/// Each is the other's parent: neither may make the other vanish.
#[test]
fn of_aggregates_in_a_circle_the_first_counts() {
    let one_of = |id: &str, parent: &str, second| {
        Seen::span("t", id, second).in_trace("t", id, Some(parent)).aggregate(9).used(100, 10).attributed()
    };
    let circle = [one_of("c", "d", 0), one_of("d", "e", 1), one_of("e", "c", 2)];
    let events = fold_of(&circle);
    let live: Vec<_> = events.iter().filter(|e| e.counts()).collect();
    assert_eq!(live.len(), 1, "{events:#?}");
    assert_eq!(live[0].span_id.as_deref(), Some("c"));
    for void in events.iter().filter(|e| !e.counts()) {
        assert_eq!(void.superseded_by.as_ref(), Some(&live[0].event_id));
    }
    // A call under the circle is what counts, and all of the circle says so.
    let call = Seen::span("t", "leaf", 3).in_trace("t", "leaf", Some("d")).used(100, 10).attributed();
    let [c, d, e] = circle;
    let events = fold_of(&[c, d, e, call]);
    let live: Vec<_> = events.iter().filter(|e| e.counts()).collect();
    assert_eq!((live.len(), live[0].span_id.as_deref()), (1, Some("leaf")));
    assert_eq!(events.iter().filter(|e| e.superseded_by.as_ref() == Some(&live[0].event_id)).count(), 3);
}

/// Lying within an aggregate's time proves nothing for a call that is larger than it.
#[test]
fn an_unrelated_call_at_the_same_time_voids_no_agent() {
    let agent = Seen::span("t", "agent", 1).aggregate(9).used(20, 2).attributed();
    let chat =
        Seen::span("t", "leaf", 2).in_trace("t", "leaf", Some("never-seen")).used(100, 10).attributed();
    assert_eq!(fold_of(&[agent, chat]).iter().filter(|e| e.counts()).count(), 2);
}

/// A small world in which everything that can be tied together sometimes is.
fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = (0..4_usize, 0..4_usize, 0..4_i64, 0..4_usize, 0..3_u64, any::<bool>(), 0..5_usize).prop_map(
        |(request, call, second, response, tokens, foreign, kind)| {
            let ids = ["a", "b", "c", "d"];
            let mut seen = if foreign {
                Seen::span("t", ids[call], second).in_trace("t", ids[call], ids.get(request).copied())
            } else {
                Seen::record(ids[request], &format!("call-{request}-{call}"), second).in_trace(
                    "t",
                    &format!("own{call}"),
                    Some("a"),
                )
            };
            if kind == 0 {
                seen = seen.failed("500");
            } else if kind > 1 {
                seen = seen.used(100 + tokens, 10);
            }
            if response < 3 && kind != 0 {
                seen = seen.response(ids[response]);
                if response == 2 {
                    seen = seen.elsewhere();
                }
            }
            if foreign && kind == 4 {
                seen = seen.aggregate(second + 2);
            }
            seen.0
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

    #[test]
    fn every_charge_is_billed_at_most_once_and_every_id_has_one_event(observations in observations()) {
        let events = fold(&observations);
        let ids: BTreeSet<_> = observations.iter().map(|o| &o.event_id).collect();
        prop_assert_eq!(events.len(), ids.len());
        prop_assert!(events.iter().any(CostEvent::counts));

        // No more can be billed than the dearest sighting of each call states.
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
