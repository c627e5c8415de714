use rust_decimal::Decimal;
use spanledger_event::{Bucket, UsageError};

use crate::usage::{ParsedUsage, UsageReadError};

fn parse(json: &str) -> Result<ParsedUsage, UsageReadError> {
    crate::usage::parse("openai", json)
}

fn buckets(json: &str) -> Vec<(&'static str, u64)> {
    let usage = parse(json).unwrap().usage;
    Bucket::ALL.into_iter().map(|b| (b.name(), usage.tokens(b))).filter(|(_, n)| *n > 0).collect()
}

fn problem(json: &str) -> String {
    parse(json).unwrap_err().to_problem()
}

#[test]
fn chat_usage_is_split_into_buckets() {
    let json = r#"{
        "prompt_tokens": 1500, "completion_tokens": 500, "total_tokens": 2000,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0, "cache_write_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 0,
            "accepted_prediction_tokens": 20, "rejected_prediction_tokens": 30}
    }"#;
    let expected =
        [("input", 376), ("cached_input", 1024), ("cache_write", 100), ("output", 200), ("reasoning", 300)];
    assert_eq!(buckets(json), expected);
    assert_eq!(parse(json).unwrap().unrecognized_counts, Vec::<String>::new());
}

#[test]
fn responses_with_both_lifetimes_of_cache_writes() {
    let json = r#"{
        "input_tokens": 20000, "output_tokens": 500, "total_tokens": 20500,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 10000,
            "cache_write_tokens_details": {"ttl_30m_tokens": 4000, "ttl_12h_tokens": 6000}},
        "output_tokens_details": {"reasoning_tokens": 0}
    }"#;
    let expected = [("input", 10_000), ("cache_write", 4_000), ("cache_write_12h", 6_000), ("output", 500)];
    assert_eq!(buckets(json), expected);
}

#[test]
fn cache_writes_may_be_stated_in_part() {
    let json = |details: &str| format!(r#"{{"input_tokens": 10, "input_tokens_details": {{{details}}}}}"#);
    let split = json(r#""cache_write_tokens_details": {"ttl_30m_tokens": 1, "ttl_12h_tokens": 2}"#);
    assert_eq!(buckets(&split), [("input", 7), ("cache_write", 1), ("cache_write_12h", 2)]);
    let long = json(r#""cache_write_tokens": 3, "cache_write_tokens_details": {"ttl_12h_tokens": 2}"#);
    assert_eq!(buckets(&long), [("input", 7), ("cache_write", 1), ("cache_write_12h", 2)]);
    let more = json(r#""cache_write_tokens": 3, "cache_write_tokens_details": {"ttl_12h_tokens": 4}"#);
    assert!(problem(&more).contains("4 tokens of parts in 3 tokens of cache writes"));
    // An unknown third lifetime must not be billed as one of the two.
    let third = json(
        r#""cache_write_tokens": 9, "cache_write_tokens_details": {"ttl_30m_tokens": 1, "ttl_1h_tokens": 8}"#,
    );
    assert!(problem(&third).contains("ttl_30m_tokens` is 1"));
}

#[test]
fn an_embedding_has_only_input() {
    assert_eq!(buckets(r#"{"prompt_tokens": 8, "total_tokens": 8}"#), [("input", 8)]);
}

#[test]
fn audio_in_chat() {
    let json = r#"{
        "prompt_tokens": 81, "completion_tokens": 9, "total_tokens": 90,
        "prompt_tokens_details": {"audio_tokens": 69, "cached_tokens": 0, "image_tokens": 0, "text_tokens": 12},
        "completion_tokens_details": {"audio_tokens": 5, "text_tokens": 4}
    }"#;
    assert_eq!(buckets(json), [("input", 12), ("audio_input", 69), ("output", 4), ("audio_output", 5)]);
}

#[test]
fn realtime_with_cached_modalities() {
    let json = r#"{
        "input_tokens": 1000, "output_tokens": 500,
        "input_token_details": {"text_tokens": 600, "audio_tokens": 250, "image_tokens": 150, "cached_tokens": 400,
            "cached_tokens_details": {"text_tokens": 250, "audio_tokens": 100, "image_tokens": 50}},
        "output_token_details": {"text_tokens": 200, "audio_tokens": 300}
    }"#;
    let expected = [
        ("input", 350),
        ("cached_input", 250),
        ("audio_input", 150),
        ("cached_audio_input", 100),
        ("image_input", 100),
        ("cached_image_input", 50),
        ("output", 200),
        ("audio_output", 300),
    ];
    assert_eq!(buckets(json), expected);
}

#[test]
fn a_transcription_may_be_billed_by_time() {
    let parsed = parse(r#"{"type": "duration", "seconds": 61}"#).unwrap();
    assert_eq!(parsed.usage.audio_seconds, Some(Decimal::from(61)));
    assert_eq!(parse(r#"{"seconds": 1.5}"#).unwrap().usage.audio_seconds, "1.5".parse().ok());
    assert!(problem(r#"{"seconds": -1}"#).contains("`seconds` is -1"));
}

#[test]
fn nulls_strings_and_whole_floats_are_read() {
    let json = r#"{
        "prompt_tokens": "12", "completion_tokens": 3.0, "total_tokens": null,
        "prompt_tokens_details": null, "completion_tokens_details": {"reasoning_tokens": null}
    }"#;
    assert_eq!(buckets(json), [("input", 12), ("output", 3)]);
}

#[test]
fn an_object_with_the_keys_of_two_forms_is_read_once() {
    let same = r#"{"prompt_tokens": 5, "input_tokens": 5, "completion_tokens": 2, "output_tokens": 2}"#;
    assert_eq!(buckets(same), [("input", 5), ("output", 2)]);
    let one_form_left_at_zero = r#"{"prompt_tokens": 5, "input_tokens": 0, "completion_tokens": 0, "output_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 0}, "input_tokens_details": {"cached_tokens": 4}}"#;
    assert_eq!(buckets(one_form_left_at_zero), [("input", 1), ("cached_input", 4), ("output", 2)]);
    let differ = r#"{"prompt_tokens": 5, "input_tokens": 6}"#;
    assert_eq!(
        problem(differ),
        "`prompt_tokens` is 5 and `input_tokens` is 6, though both are the same count"
    );
}

#[test]
fn values_that_are_not_counts_are_refused() {
    for (value, shown) in [
        ("-1", "-1"),
        ("1.5", "1.5"),
        (r#""many""#, r#""many""#),
        (r#""""#, r#""""#),
        ("true", "true"),
        ("[1]", "[1]"),
        ("1e400", ""),
        ("18446744073709551616", "1.84467"),
        (r#"" -3""#, "-3"),
    ] {
        let problem = problem(&format!(r#"{{"prompt_tokens": {value}}}"#));
        assert!(problem.contains(shown), "{value}: {problem}");
    }
    let huge = problem(r#"{"prompt_tokens": 18446744073709551615}"#);
    assert!(huge.contains("`prompt_tokens` is 18446744073709551615"), "{huge}");
}

#[test]
fn contradictory_usages_are_refused() {
    for json in [
        r#"{"input_tokens": 5, "input_tokens_details": {"cached_tokens": 6}}"#,
        r#"{"input_tokens": 0, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 6}}"#,
        r#"{"input_tokens": 5, "output_tokens": 5, "total_tokens": 11}"#,
        r#"{"input_tokens": 5, "input_tokens_details": {"text_tokens": 4, "image_tokens": 2}}"#,
        r#"{"input_tokens": 5, "total_tokens": 9}"#,
    ] {
        let error = parse(json).unwrap_err();
        assert!(matches!(error, UsageReadError::Contradictory(_)), "{json}: {error}");
    }
    let error = parse(r#"{"input_tokens": 5, "total_tokens": 9}"#).unwrap_err();
    assert_eq!(error, UsageReadError::Contradictory(UsageError::TotalMismatch { stated: 9, sum: 5 }));
}

#[test]
fn an_object_without_billable_counts_is_refused() {
    for json in
        ["", "{", "null", "[]", "7", r#""usage""#, "{}", r#"{"id": "x"}"#, r#"{"prompt_tokens": null}"#]
    {
        let error = parse(json).unwrap_err();
        assert!(
            matches!(error, UsageReadError::NotJson(_) | UsageReadError::NotAUsage(_)),
            "{json}: {error}"
        );
    }
}

#[test]
fn unrecognized_counts_are_reported() {
    let json = r#"{
        "prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6, "num_sources_used": 3, "cost_in_ticks": 0,
        "prompt_tokens_details": {"cached_tokens": 1, "video_tokens": 2},
        "gateway": {"estimate": 0.5, "tags": [0, 9]}, "note": "seven"
    }"#;
    let ParsedUsage { unrecognized_counts: unknown, usage, nested, .. } = parse(json).unwrap();
    assert_eq!(unknown, ["gateway.estimate=0.5", "gateway.tags=9"]);
    // Billable counts without a bucket are units, so that the call is unpriced.
    let units = [("search_sources", Decimal::from(3)), ("video_tokens", Decimal::from(2))];
    assert!(usage.units.iter().map(|(name, count)| (name.as_str(), *count)).eq(units), "{usage:?}");
    assert_eq!((usage.prompt_tokens(), nested.input), (3, 5), "in one place, never in two");
}
