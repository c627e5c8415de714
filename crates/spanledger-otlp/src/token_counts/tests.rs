use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::*;
use crate::attributes::attribute;

/// A vendor with keys of its own for both totals.
static VENDOR: Quirks = Quirks { input: &["acme.tokens.in"], output: &["acme.tokens.out"], ..Quirks::NONE };

#[test]
fn a_vendors_own_totals_are_read_after_those_of_the_convention() {
    let quirks: &[&'static Quirks] = &[&VENDOR];
    let count = |key: &str, count: i64| attribute(key, Value::IntValue(count));
    let read = |list: &[_]| read(&Attributes::of(list), quirks, true, Unstated::NONE).unwrap().unwrap();

    let vendors = [count("acme.tokens.in", 100), count("acme.tokens.out", 20)];
    assert_eq!(read(&vendors), Usage::default().with(Bucket::Input, 100).with(Bucket::Output, 20));
    let both = [count("acme.tokens.in", 100), count(keys::INPUT_TOKENS, 90), count(keys::OUTPUT_TOKENS, 20)];
    assert_eq!(read(&both).prompt_tokens(), 90);
    assert!(is_total("acme.tokens.out", quirks) && !is_total("acme.tokens.out", &[]));
}

/// Scenario: the same totals come from instrumentations of which some leave out counts of zero.
#[test]
fn the_scope_and_the_endpoint_decide_what_a_missing_count_means() {
    let quirks = crate::dialect::quirks();
    let reasoning = Unstated { reasoning: true, ..Unstated::NONE };
    for (scope, endpoint, expected) in [
        ("opentelemetry.instrumentation.genai.openai", Endpoint::Chat, Unstated::NONE),
        ("pydantic-ai", Endpoint::Chat, reasoning),
        ("@opentelemetry/instrumentation-openai", Endpoint::Chat, Unstated::ALL),
        ("opentelemetry.instrumentation.openai_v2", Endpoint::Responses, Unstated::ALL),
        ("", Endpoint::Other, Unstated::ALL),
        ("", Endpoint::Embeddings, Unstated::NONE),
    ] {
        assert_eq!(unstated_if_absent(&quirks, Some(scope), endpoint), expected, "{scope} {endpoint}");
    }
    assert_eq!(unstated_if_absent(&quirks, None, Endpoint::Chat), Unstated::ALL);
}

#[test]
fn a_missing_count_is_unstated_unless_it_is_left_out_at_zero() {
    let count = |key: &str, count: i64| attribute(key, Value::IntValue(count));
    let mut list = vec![count(keys::INPUT_TOKENS, 10), count(keys::OUTPUT_TOKENS, 5)];
    let unstated = |list: &[_], if_absent| {
        read(&Attributes::of(list), &[&Quirks::NONE], true, if_absent).unwrap().unwrap().unstated()
    };
    assert_eq!(unstated(&list, Unstated::ALL), Unstated::ALL);
    assert_eq!(unstated(&list, Unstated::NONE), Unstated::NONE);
    for (key, expected) in [
        (keys::CACHE_READ_TOKENS, Unstated { cached: false, ..Unstated::ALL }),
        (keys::CACHE_WRITE_TOKENS, Unstated { reasoning: true, ..Unstated::NONE }),
        (keys::REASONING_TOKENS, Unstated::NONE),
    ] {
        list.push(count(key, 0));
        assert_eq!(unstated(&list, Unstated::ALL), expected, "{key}");
    }
}

/// Guarantees: no two rows say different things about one scope.
#[test]
fn every_scope_has_one_row() {
    let quirks = crate::dialect::quirks();
    let mut scopes: Vec<&str> =
        quirks.iter().flat_map(|quirks| quirks.absent_counts).flat_map(|row| row.scopes).copied().collect();
    let all = scopes.len();
    scopes.sort_unstable();
    scopes.dedup();
    assert_eq!(scopes.len(), all);
}
