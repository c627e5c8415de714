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
