use std::{cell::Cell, collections::BTreeMap};

use proptest::prelude::*;
use spanledger_event::limits::DIMS_MAX;
use spanledger_testkit::otlp::{integer, resource, scope, text, traces_of};

use super::*;
use crate::{
    ObservationReader,
    test_support::{chat, read_one, span},
};

thread_local! {
    /// How many keys this thread has looked at.
    pub(super) static VISITED: Cell<usize> = const { Cell::new(0) };
}

fn visits(read: impl FnOnce()) -> usize {
    VISITED.set(0);
    read();
    VISITED.get()
}

/// Scenario: a span has as many attributes as are looked at: counts of unknown meaning, dimensions, or texts.
///
/// Guarantees: each attribute is looked at a few times, and not once for each key that is searched.
#[test]
fn the_attributes_of_a_span_are_read_in_one_pass() {
    for namespace in ["gen_ai.usage.", "spanledger.dim.", "gen_ai.prompt."] {
        let many = || (0..ATTRIBUTES_MAX - 10).map(|n| integer(format!("{namespace}{n}"), 7));
        for span in [chat(many()), span([text("spanledger.event_id", "e")].into_iter().chain(many()))] {
            let visits = visits(|| drop(read_one(span)));
            assert!((ATTRIBUTES_MAX..ATTRIBUTES_MAX * 4).contains(&visits), "{namespace}: {visits}");
        }
    }
}

/// Scenario: a resource with very many attributes has very many spans.
#[test]
fn the_attributes_of_a_resource_are_read_once_for_all_its_spans() {
    for namespace in ["spanledger.dim.", "other."] {
        let of_resource = resource((0..10_000).map(|n| text(format!("{namespace}{n}"), "x")));
        let spans = (0..500).map(|_| chat([]));
        let traces = traces_of(of_resource, scope("scope", "1"), spans).into();
        let visits = visits(|| drop(ObservationReader::default().traces(&traces)));
        assert!((10_000..500_000).contains(&visits), "{namespace}: {visits}");
    }
}

#[test]
fn attributes_beyond_the_limit_are_not_read_and_the_call_is_flagged() {
    let filler = |count: usize| (0..count).map(|n| text(format!("filler.{n}"), "x"));
    // The span of a chat has three attributes of its own.
    for (before, is_read) in [(ATTRIBUTES_MAX - 4, true), (ATTRIBUTES_MAX - 3, false)] {
        let o = read_one(chat(filler(before).chain([text("spanledger.feature", "search")])));
        assert_eq!((o.attribution.feature.is_some(), o.truncated), (is_read, !is_read));
    }
    // Whether a span is a call is decided by the same attributes.
    let late = span(filler(ATTRIBUTES_MAX).chain([text("gen_ai.operation.name", "chat")]));
    assert_eq!(crate::test_support::read([late]), []);
}

/// Scenario: a gateway states a cost that no call can have.
#[test]
fn a_cost_that_no_call_can_have_is_left_out() {
    for (cost, expected, is_beyond) in [
        ("0.5", Some("0.5"), false),
        ("1000000", Some("1000000"), false),
        ("1000000.000001", None, true),
        ("5000000000000", None, true),
        ("-99999999999999999999999999", None, true),
        ("a lot", None, false),
    ] {
        let o = read_one(chat([text("gen_ai.usage.cost", cost)]));
        assert_eq!(
            (o.emitter_cost, o.truncated),
            (expected.map(|usd| usd.parse().unwrap()), is_beyond),
            "{cost}"
        );
    }
}

#[test]
fn the_dimensions_of_a_span_go_before_those_of_its_resource() {
    let dims =
        |name: char, count: usize| (0..count).map(move |n| text(format!("spanledger.dim.{name}{n:02}"), "x"));
    let (of_span, of_resource): (Vec<_>, Vec<_>) = (dims('s', 60).collect(), dims('r', 60).collect());
    let keys = crate::AttributionKeys::default();
    let read = keys.read(&Attributes::of(&of_span), &keys.stated(&Attributes::of(&of_resource)), false);
    let count = |name: char| read.fields.dims.keys().filter(|key| key.starts_with(name)).count();
    assert_eq!((count('s'), count('r'), read.is_truncated), (60, DIMS_MAX - 60, true));
}

fn list() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = "(a|ab|b|d\\.(|x|y|xy)|\\PC{0,3})";
    let attribute = (key, proptest::option::of("[a-z]{0,2}")).prop_map(|(key, value)| match value {
        Some(value) => text(key, &value),
        None => KeyValue { key, ..KeyValue::default() },
    });
    proptest::collection::vec(attribute, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn looking_up_finds_the_last_value_of_a_key(list in list()) {
        let attributes = Attributes::of(&list);
        for key in ["a", "ab", "b", "d.", "d.x", "", "z"] {
            prop_assert_eq!(attributes.value(key), last_value(&list, key));
        }
        let mut last = BTreeMap::new();
        for kv in &list {
            if let Some(name) = kv.key.strip_prefix("d.") {
                last.insert(name, value_of(kv));
            }
        }
        let expected: Vec<_> = last.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        prop_assert_eq!(attributes.with_prefix("d.").collect::<Vec<_>>(), expected);
    }
}
