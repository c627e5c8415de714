use proptest::prelude::*;

use super::*;

#[test]
fn a_nested_usage_is_split_into_exclusive_buckets() {
    // The example of OpenAI's API reference, chat completion, has 1,116 tokens; 832 of them are hidden.
    let nested = NestedUsage {
        input: 81,
        output: 1_035,
        reasoning: 832,
        total: Some(1_116),
        ..NestedUsage::default()
    };
    let usage = nested.exclusive().unwrap();
    assert_eq!(usage.completion_tokens(), 203);
    assert_eq!(usage.prompt_tokens() + usage.completion_tokens() + usage.reasoning_tokens(), 1_116);
}

#[test]
fn a_contradiction_is_an_error_and_never_clamped() {
    let cases = [
        (NestedUsage { input: 10, cached: 11, ..NestedUsage::default() }, "input"),
        (NestedUsage { input: 10, cached: 6, cache_write: 5, ..NestedUsage::default() }, "input"),
        (NestedUsage { output: 10, reasoning: 11, ..NestedUsage::default() }, "output"),
        (
            NestedUsage { input: 10, audio_input: 2, cached: 3, cached_audio: 3, ..NestedUsage::default() },
            "audio input",
        ),
        (
            NestedUsage { input: 10, cached: 1, image_input: 3, cached_image: 3, ..NestedUsage::default() },
            "cached input",
        ),
    ];
    for (nested, expected) in cases {
        match nested.exclusive() {
            Err(UsageError::PartsExceedWhole { side, .. }) => assert_eq!(side, expected),
            other => panic!("{nested:?} gave {other:?}"),
        }
    }
    let total = NestedUsage { input: 1, output: 1, total: Some(3), ..NestedUsage::default() };
    assert_eq!(total.exclusive(), Err(UsageError::TotalMismatch { stated: 3, sum: 2 }));
    let absurd = NestedUsage { input: u64::MAX, cached: u64::MAX, ..NestedUsage::default() };
    assert!(matches!(absurd.exclusive(), Err(UsageError::OutOfRange { .. })));
}

/// Scenario: an emitter states only the totals of a call.
#[test]
fn an_unstated_count_is_zero_in_the_buckets_and_known_to_be_unstated() {
    let nested = NestedUsage { input: 10, output: 5, unstated: Unstated::ALL, ..NestedUsage::default() };
    let usage = nested.exclusive().unwrap();
    assert_eq!((usage.unstated(), usage.cached_tokens()), (Unstated::ALL, 0));
    assert_eq!(usage.nested(), nested);
    assert_ne!(usage, usage.clone().with_unstated(Unstated::NONE));
}

#[test]
fn a_count_above_zero_is_stated() {
    let cached = Unstated { cached: false, ..Unstated::ALL };
    let before = Usage::default().with_unstated(Unstated::ALL).with(Bucket::CachedAudioInput, 1);
    let after = Usage::default().with(Bucket::CachedAudioInput, 1).with_unstated(Unstated::ALL);
    assert_eq!((before.unstated(), after.unstated()), (cached, cached));
    let zero = Usage::default().with_unstated(Unstated::ALL).with(Bucket::CachedInput, 0);
    assert_eq!(zero.unstated(), Unstated::ALL);
}

#[test]
fn the_unstated_parts_are_stored_by_name_and_only_where_there_are_some() {
    let usage = Usage::default().with(Bucket::Input, 3);
    let json = |usage: &Usage| serde_json::to_string(usage).unwrap();
    assert_eq!(json(&usage), r#"{"tokens":{"input":3}}"#);
    let totals = usage.with_unstated(Unstated { cache_write: false, ..Unstated::ALL });
    assert_eq!(json(&totals), r#"{"tokens":{"input":3},"unstated":["cached","reasoning"]}"#);
    assert_eq!(serde_json::from_str::<Usage>(&json(&totals)).unwrap(), totals);
    let unknown = serde_json::from_str::<Usage>(r#"{"tokens":{},"unstated":["thoughts"]}"#);
    assert!(unknown.unwrap_err().to_string().contains("`thoughts` is not a part of a usage"));
}

proptest! {
    #[test]
    fn a_usage_survives_the_conversion_to_nested_and_back(tokens in proptest::array::uniform12(0_u64..1 << 28)) {
        let usage = Bucket::ALL.into_iter().zip(tokens).fold(Usage::default(), |u, (b, n)| u.with(b, n));
        let mut nested = usage.nested();
        nested.total = Some(tokens.iter().sum());
        prop_assert_eq!(nested.exclusive(), Ok(usage.clone()));
        prop_assert_eq!(
            usage.prompt_tokens() + usage.completion_tokens() + usage.reasoning_tokens(),
            tokens.iter().sum::<u64>()
        );
    }
}
