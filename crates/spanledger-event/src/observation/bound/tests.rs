use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::{
    Bucket, CARRIED, Cell, ColumnKind, EventId, Flag, JsonText, Usage, fold,
    limits::{COUNT_MAX, ID_BYTES_MAX, TOKENS_MAX, UNITS_MAX, USAGE_DEPTH_MAX},
    test_support::ObservationBuilder,
};

fn call() -> ObservationBuilder {
    ObservationBuilder::record("order-7", "call-1", 1_700_000_000).tokens(100, 10).cost_picos(110)
}

/// Sets every text of an observation to this one.
fn set_texts(o: &mut Observation, text: &str) {
    let own = || Some(text.to_owned());
    o.event_id = EventId::from_text(text);
    o.call_id = text.to_owned();
    o.response = Some(ResponseRef { namespace: text.to_owned(), id: text.to_owned(), unique: true });
    (o.emitter, o.provider, o.server_address) = (text.to_owned(), text.to_owned(), own());
    for field in CARRIED.iter().filter(|field| field.column.kind == ColumnKind::Text) {
        (field.set)(o, Cell::Text(text.to_owned().into())).unwrap();
    }
    o.outcome = CallOutcome::Incomplete(text.to_owned());
    (o.usage_problem, o.usage_unknown) = (own(), vec![text.to_owned(); 3]);
    o.usage_raw = JsonText::new(serde_json::to_string(text).unwrap());
    (o.trace_id, o.span_id, o.parent_span_id, o.service_name) = (own(), own(), own(), own());
    o.attribution = PartialAttribution {
        feature: own(),
        route: own(),
        customer_id: own(),
        environment: own(),
        request_id: own(),
        batch_job_id: own(),
        dims: [("team".to_owned(), text.to_owned()), (text.to_owned(), "growth".to_owned())].into(),
    };
    if let Some(usage) = &mut o.usage {
        usage.variant = own();
    }
    if let Some(cost) = &mut o.cost {
        cost.detail = own();
    }
}

#[test]
fn an_observation_within_the_limits_is_not_changed() {
    for length in [1, 128] {
        let mut o = call().build();
        set_texts(&mut o, &"x".repeat(length));
        assert_eq!(o.clone().bound(), o);
    }
}

/// Scenario: every text has a megabyte.
#[test]
fn every_text_has_a_limit() {
    let mut o = call().build();
    set_texts(&mut o, &"x".repeat(1_000_000));
    let o = o.bound();
    assert!(o.truncated);
    let journal = serde_json::to_string(&o).unwrap();
    assert!(journal.len() < 10_000, "{} bytes", journal.len());
    assert_eq!(o.event_id.as_str(), o.call_id);
    assert!(o.call_id.starts_with("xxh3:"), "{}", o.call_id);
    assert_eq!(o.attribution.request_id.as_ref(), Some(&o.call_id));
    assert!(o.model.unwrap().ends_with("x…"));
    assert_eq!((o.usage_raw, o.attribution.customer_id, o.attribution.dims.len()), (None, None, 0));
    assert!(o.cost.unwrap().detail.unwrap().len() <= DETAIL_BYTES_MAX);
    assert!(o.usage_problem.unwrap().ends_with('…') && o.outcome.error().unwrap().len() <= ERROR_BYTES_MAX);
}

#[test]
fn an_event_of_a_truncated_sighting_is_flagged() {
    let flags = |o: Observation| fold([&o.bound()])[0].flags.clone();
    assert_eq!(flags(call().build()), []);
    let long = call().with(|o| o.model = Some("m".repeat(257))).build();
    assert_eq!(flags(long), [Flag::Truncated]);
}

/// Scenario: each sighting of a request has other dimensions.
#[test]
fn the_dimensions_of_an_event_are_bounded_and_it_is_flagged() {
    let sighting = |number: usize| {
        let dims = |o: &mut Observation| {
            let name = |dim: usize| (format!("d{number}.{dim}"), "x".to_owned());
            o.attribution.dims = (0..DIMS_MAX).map(name).collect();
        };
        ObservationBuilder::record("order-7", &format!("call-{number}"), 0).with(dims).build().bound()
    };
    let sightings: Vec<Observation> = (0..3).map(sighting).collect();
    assert!(sightings.iter().all(|o| !o.truncated));
    let event = fold(&sightings).remove(0);
    assert_eq!((event.dims.len(), event.flags), (DIMS_MAX, vec![Flag::RetryUnpriced, Flag::Truncated]));
}

#[test]
fn too_many_dimensions_and_unknown_counts_are_left_out() {
    let o = call().with(|o| {
        o.attribution.dims = (0..20_000).map(|n| (format!("d{n:05}"), "x".to_owned())).collect();
        o.usage_unknown = (0..1_000).map(|n| format!("count_{n}=1")).collect();
    });
    let o = o.build().bound();
    assert!(o.truncated);
    let names: Vec<&String> = o.attribution.dims.keys().collect();
    assert_eq!((names.len(), names[0].as_str(), names[63].as_str()), (DIMS_MAX, "d00000", "d00063"));
    assert_eq!((o.usage_unknown.len(), o.usage_unknown[64].as_str()), (65, "and 936 more"));
}

/// Scenario: a request is sent again and again, and each response has counts of unknown meaning.
#[test]
fn the_detail_of_an_event_does_not_grow_with_its_charges() {
    let charge = |number: usize| {
        let unknown = |o: &mut Observation| o.usage_unknown = vec![format!("count_{number}=1")];
        ObservationBuilder::record("order-7", &format!("call-{number}"), 0).tokens(1, 1).with(unknown).build()
    };
    let charges: Vec<Observation> = (0..80).map(charge).collect();
    let detail = fold(&charges).remove(0).cost_detail.unwrap();
    assert_eq!(detail.matches("count_").count(), USAGE_UNKNOWN_MAX + 1, "{detail}");
    assert!(detail.ends_with("=1, and more, which is not understood"), "{detail}");
}

#[test]
fn a_count_that_no_call_can_have_is_a_problem_of_the_usage() {
    let units = |count: usize| (0..count).map(|n| (format!("unit_{n}"), Decimal::ONE)).collect();
    let usage = |change: &dyn Fn(&mut Usage)| {
        let mut usage = Usage::default();
        change(&mut usage);
        usage
    };
    for (usage, expected) in [
        (usage(&|u| u.images = 90_000_000_000_000), "`images` is 90000000000000"),
        (usage(&|u| u.characters = COUNT_MAX + 1), "`characters` is 1000000001"),
        (usage(&|_| {}).with(Bucket::Input, TOKENS_MAX + 1), "`input` is 4294967297"),
        (usage(&|u| u.audio_seconds = Some(Decimal::MAX)), "`audio_seconds` is 7922816"),
        (usage(&|u| u.units = [("pages".to_owned(), Decimal::MIN)].into()), "`pages` is -7922816"),
        (usage(&|u| u.units = units(UNITS_MAX + 1)), "33 kinds of units"),
        (usage(&|u| u.units = [("u".repeat(257), Decimal::ONE)].into()), "257 bytes"),
    ] {
        let o = call().usage(usage).build().bound();
        let problem = o.usage_problem.unwrap();
        assert!(problem.contains(expected), "{problem}");
        assert_eq!((o.usage, o.usage_out_of_range, o.truncated), (None, true, false));
    }
    let most = usage(&|u| (u.images, u.units) = (COUNT_MAX, units(UNITS_MAX)));
    let most = call().usage(most.with(Bucket::Input, TOKENS_MAX)).build();
    assert_eq!(most.clone().bound(), most);
}

/// A nesting that databases and readers of JSON refuse would make the rows beside it unreadable for them.
#[test]
fn a_usage_object_that_is_too_large_or_too_deep_is_not_kept() {
    let list = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let text = |bytes: usize| format!("\"{}\"", "[".repeat(bytes - 2));
    for (json, is_kept) in [
        (list(USAGE_DEPTH_MAX), true),
        (list(USAGE_DEPTH_MAX + 1), false),
        (text(USAGE_RAW_BYTES_MAX), true),
        (text(USAGE_RAW_BYTES_MAX + 1), false),
        (format!(r#"["\"{}", "]"]"#, "[".repeat(200)), true),
    ] {
        let o = call().with(|o| o.usage_raw = JsonText::new(&json)).build();
        assert!(o.usage_raw.is_some(), "{json}");
        let o = o.bound();
        assert_eq!((o.usage_raw.is_some(), o.truncated), (is_kept, !is_kept), "{json}");
    }
}

#[test]
fn a_cost_that_no_call_can_have_is_unknown() {
    let dollars = |usd: i128| Usd::from_picos(usd * 1_000_000_000_000);
    let greatest =
        call().cost_picos(dollars(1_000_000).picos()).with(|o| o.emitter_cost = Some(dollars(-1_000_000)));
    let greatest = greatest.build();
    assert_eq!(greatest.clone().bound(), greatest);
    for usd in [dollars(1_000_000).picos() + 1, dollars(1_800_000_000_000).picos(), i128::MIN, i128::MAX] {
        let o = call().cost_picos(usd).with(|o| o.emitter_cost = Some(Usd::from_picos(usd))).build().bound();
        let cost = o.cost.unwrap();
        assert_eq!((cost.usd, cost.reason, cost.lines.len()), (None, Some(UnpricedReason::OutOfRange), 0));
        assert_eq!((o.emitter_cost, o.truncated), (None, true));
    }
}

/// Guarantees: the sum of a million charges of the greatest cost is exact in every form of an amount.
#[test]
fn the_sum_of_a_million_charges_is_exact() {
    let charge: Usd = "999999.999999999999".parse().unwrap();
    let sum: Usd = (0..1_000_000).map(|_| charge).sum();
    assert_eq!(sum.picos(), charge.picos() * 1_000_000);
    let (micros, picos) = sum.to_parts().unwrap();
    assert_eq!(Usd::from_parts(micros, picos), sum);
    assert_eq!(sum.to_string().parse(), Ok(sum));
    assert_eq!(serde_json::from_str::<Usd>(&serde_json::to_string(&sum).unwrap()).unwrap(), sum);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,8}",
        (".", 0..3_000_usize).prop_map(|(unit, times)| unit.repeat(times)),
        Just("\0\u{1b}[2J\u{202e}".repeat(100)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_observation_is_bounded_once(
        texts in proptest::collection::vec(text(), 4),
        dims in proptest::collection::btree_map(text(), text(), 0..100),
        unknown in proptest::collection::vec(text(), 0..100),
        attempts in any::<u32>(), ms in proptest::option::of(any::<i64>()), images in any::<u64>(),
        usd in any::<i128>(),
    ) {
        let mut o = call().build();
        set_texts(&mut o, &texts[0]);
        o.event_id = EventId::from_text(texts[1].clone());
        o.outcome = CallOutcome::Failed(texts[2].clone());
        o.model = Some(texts[3].clone());
        (o.attribution.dims, o.usage_unknown, o.attempts, o.time_to_first_token_ms) = (dims, unknown, attempts, ms);
        o.usage.as_mut().unwrap().images = images;
        o.emitter_cost = Some(Usd::from_picos(usd));
        let bound = o.clone().bound();
        prop_assert_eq!(&bound.clone().bound(), &bound);
        prop_assert!(bound.event_id.as_str().len() <= ID_BYTES_MAX);
        prop_assert!(bound.attribution.dims.len() <= DIMS_MAX);
        prop_assert!(bound.usage_unknown.len() <= USAGE_UNKNOWN_MAX + 1);
        // A byte takes at most six in JSON: `\u0000`.
        let journal = serde_json::to_string(&bound).unwrap();
        prop_assert!(journal.len() < 400_000, "{} bytes", journal.len());
        prop_assert!(bound.usage.is_some() || bound.usage_problem.is_some());
        let changed = Observation { truncated: false, ..bound.clone() } != o;
        prop_assert_eq!(bound.truncated || bound.usage_out_of_range, changed);
    }
}
