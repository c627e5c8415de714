//! Every form of a usage object, the objects that are refused, and the names of the providers.

use spanledger_event::{
    Bucket, Endpoint, UnpricedReason, Usage,
    limits::{USAGE_DEPTH_MAX, USAGE_READ_BYTES_MAX},
};
use spanledger_price::usage::{ParsedUsage, UsageReadError, parse, parse_for};

use crate::{
    support::{price, question},
    usage_fixtures::{FIXTURES, Fixture},
};

/// The counts that are not zero, buckets first.
pub(crate) fn show(usage: &Usage) -> String {
    let tokens = Bucket::ALL.into_iter().map(|bucket| (bucket.name(), usage.tokens(bucket).into()));
    let units = [
        ("images", usage.images.into()),
        ("audio_seconds", usage.audio_seconds.unwrap_or_default()),
        ("characters", usage.characters.into()),
        ("web_search", usage.web_search_calls.into()),
        ("file_search", usage.file_search_calls.into()),
        ("code_interpreter", usage.code_interpreter_calls.into()),
    ];
    let named = usage.units.iter().map(|(name, amount)| (name.as_str(), *amount));
    let all = tokens.chain(units).chain(named).filter(|(_, amount)| !amount.is_zero());
    all.map(|(name, amount)| format!("{name} {amount}")).collect::<Vec<_>>().join(", ")
}

/// The input and output tokens of a usage that are in units, because no bucket exists for their modality.
pub(crate) fn without_bucket(usage: &Usage) -> (u64, u64) {
    let sum = |names: &[&str]| {
        names.iter().filter_map(|name| usage.units.get(*name)).map(|n| u64::try_from(*n).unwrap()).sum()
    };
    let input =
        ["video_tokens", "cached_video_tokens", "other_modality_tokens", "cached_other_modality_tokens"];
    (sum(&input), sum(&["video_output_tokens", "other_modality_output_tokens"]))
}

/// Asserts that every token is in exactly one bucket or unit.
pub(crate) fn assert_complete(parsed: &ParsedUsage, what: &str) {
    let ParsedUsage { nested, usage, .. } = parsed;
    let (input, output) = without_bucket(usage);
    assert_eq!(usage.prompt_tokens() + input, nested.input, "{what}");
    assert_eq!(usage.output_tokens() + output, nested.output, "{what}");
    if let Some(total) = nested.total {
        assert_eq!(nested.input + nested.output, total, "{what}");
    }
}

/// Guarantees: each fixture has its buckets, all its counts are recognized, and every token is counted once.
#[test]
fn every_form_has_its_buckets() {
    for Fixture { provider, endpoint, json, buckets } in FIXTURES {
        let parsed = parse_for(provider, endpoint, json).unwrap_or_else(|error| {
            panic!("{provider} {json}: {}", error.to_problem());
        });
        assert_eq!(show(&parsed.usage), buckets, "{provider} {json}");
        assert_eq!(parsed.unrecognized_counts, Vec::<String>::new(), "{provider} {json}");
        assert_complete(&parsed, json);
    }
}

/// Guarantees: a unit without a rate makes the call unpriced, also if its name is the name of a meter that
/// has a field of its own in `Usage`.
#[test]
fn a_unit_without_a_rate_makes_the_call_unpriced() {
    let mut seen = 0;
    for Fixture { provider, endpoint, json, .. } in FIXTURES {
        let usage = parse_for(provider, endpoint, json).unwrap().usage;
        for (name, amount) in &usage.units {
            let mut alone = Usage::default();
            let _ = alone.units.insert(name.clone(), *amount);
            let cost = price(&question("gpt-5.4-mini", &alone));
            assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::NoRateForModality)), "{name}");
            assert!(cost.detail.is_some_and(|detail| detail.contains(name.as_str())), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} units were checked");
}

/// Guarantees: the endpoint decides the modality of tokens only where the object does not state it.
#[test]
fn the_endpoint_decides_an_unstated_modality() {
    let json = r#"{"input_tokens": 1, "output_tokens": 9}"#;
    for endpoint in Endpoint::ALL {
        let expected = match endpoint {
            Endpoint::Images => "input 1, image_output 9",
            Endpoint::AudioSpeech => "input 1, audio_output 9",
            Endpoint::AudioTranscription | Endpoint::AudioTranslation => "audio_input 1, output 9",
            _ => "input 1, output 9",
        };
        assert_eq!(show(&parse_for("openai", endpoint, json).unwrap().usage), expected, "{endpoint:?}");
    }
}

/// Guarantees: an object that cannot be a usage is refused with the name of the wrong field.
#[test]
fn a_refusal_names_the_wrong_field() {
    let cases = [
        ("openai", r#"{"prompt_tokens": -1}"#, "`prompt_tokens` is -1"),
        ("openai", r#"{"prompt_tokens": 4294967297}"#, "`prompt_tokens` is 4294967297"),
        (
            "openai",
            r#"{"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1.5}}"#,
            "`prompt_tokens_details.cached_tokens` is 1.5",
        ),
        (
            "openai",
            r#"{"prompt_tokens": 5, "prompt_tokens_details": "cached"}"#,
            "`prompt_tokens_details` is \"cached\": the counts in it cannot be read",
        ),
        ("openai", r#"{"prompt_tokens": 5, "prompt_tokens_details": [7]}"#, "`prompt_tokens_details` is [7]"),
        ("openai", r#"{"input_tokens": 5, "output_tokens": 1, "total_tokens": 7}"#, "stated total is 7"),
        ("openai", r#"{"seconds": -0.5}"#, "`seconds` is -0.5"),
        ("openai", r#"{"seconds": 1e300}"#, "`seconds` is 1e"),
        ("openai", r#"{"total_tokens": 5}"#, "neither token counts"),
        ("openai", r#"{"num_sources_used": 0}"#, "neither token counts"),
        (
            "openai",
            r#"{"input_tokens": 1, "tool_usage": {"web_search": {"num_requests": 1.5}}}"#,
            "`tool_usage.web_search.num_requests` is 1.5",
        ),
        (
            "acme",
            r#"{"input_tokens": 1, "tool_usage": {"web_search": {"num_requests": 1}},
            "server_tool_use": {"web_search_requests": 2}}"#,
            "though both are the same count",
        ),
        ("anthropic", r#"{"input_tokens": "many", "output_tokens": 1}"#, "`input_tokens` is \"many\""),
        ("anthropic", r#"{"output_tokens": 15}"#, "message_start"),
        ("anthropic", r#"{"input_tokens": 15}"#, "message_start"),
        (
            "anthropic",
            r#"{"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 9,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 3}}"#,
            "ephemeral_5m_input_tokens` is 3",
        ),
        (
            "anthropic",
            r#"{"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 1,
            "cache_creation": {"ephemeral_1h_input_tokens": 3}}"#,
            "3 tokens of parts in 1 tokens of cache writes",
        ),
        (
            "anthropic",
            r#"{"input_tokens": 1, "output_tokens": 1,
            "output_tokens_details": {"thinking_tokens": 2}}"#,
            "2 tokens of parts in 1 tokens of output",
        ),
        (
            "anthropic",
            r#"{"input_tokens": 4000000000, "cache_read_input_tokens": 4000000000, "output_tokens": 1}"#,
            "`input` is 8000000000: one call has at most 4294967296",
        ),
        (
            "anthropic",
            r#"{"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 5, "total_tokens": 2}"#,
            "stated total is 2 tokens, input and output add up to 7",
        ),
        (
            "anthropic",
            r#"{"input_tokens": 1, "output_tokens": 1, "iterations": [{"type": "compaction",
            "cache_creation": {"ephemeral_1h_input_tokens": -3}}]}"#,
            "`iterations.cache_creation.ephemeral_1h_input_tokens` is -3",
        ),
        ("anthropic", r#"{"input_tokens": 1, "output_tokens": 1, "iterations": 3}"#, "`iterations` is 3"),
        (
            "bedrock",
            r#"{"inputTokens": 1, "outputTokens": 1, "cacheReadInputTokens": 5, "totalTokens": 2}"#,
            "stated total is 2",
        ),
        (
            "bedrock",
            r#"{"inputTokens": 1, "cacheWriteInputTokens": 5, "cacheDetails": [{"inputTokens": 5, "ttl": "9d"}]}"#,
            "`cacheDetails of 5m` is 0",
        ),
        (
            "google",
            r#"{"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 9}"#,
            "stated total is 9",
        ),
        (
            "google",
            r#"{"promptTokenCount": 4, "cachedContentTokenCount": 5}"#,
            "5 tokens of parts in 4 tokens of input",
        ),
        (
            "google",
            r#"{"promptTokenCount": 4, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}]}"#,
            "5 tokens of parts in 4 tokens of prompt",
        ),
        (
            "google",
            r#"{"promptTokenCount": 4, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": -1}]}"#,
            "`promptTokensDetails.tokenCount` is -1",
        ),
        (
            "google",
            r#"{"promptTokenCount": 4, "promptTokensDetails": {"TEXT": 4}}"#,
            "`promptTokensDetails` is",
        ),
        (
            "google",
            r#"{"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}"#,
            "stated total is 109",
        ),
        (
            "deepseek",
            r#"{"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4,
            "prompt_cache_miss_tokens": 4}"#,
            "is 8 and `prompt_tokens` is 9",
        ),
        (
            "mistral",
            r#"{"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 12}"#,
            "stated total is 12",
        ),
        (
            "mistral",
            r#"{"prompt_tokens": 9, "prompt_audio_seconds": "long"}"#,
            "`prompt_audio_seconds` is \"long\"",
        ),
        (
            "xai",
            r#"{"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 13,
            "completion_tokens_details": {"reasoning_tokens": 2}}"#,
            "stated total is 13",
        ),
        (
            "xai",
            r#"{"prompt_tokens": 9, "completion_tokens": 1, "reasoning_tokens": 2,
            "completion_tokens_details": {"reasoning_tokens": 3}}"#,
            "though both are the same count",
        ),
        ("groq", r#"{"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 9}"#, "stated total is 9"),
        ("cohere", r#"{"billed_units": {"input_tokens": 1.5}}"#, "`billed_units.input_tokens` is 1.5"),
        ("cohere", r#"{"billed_units": {"search_units": -1}}"#, "`billed_units.search_units` is -1"),
        ("cohere", r#"{"billed_units": {}}"#, "neither token counts"),
        (
            "acme",
            r#"{"prompt_tokens": 9, "prompt_tokens_details": {"audio_tokens": 5, "video_tokens": 5}}"#,
            "10 tokens of parts in 9 tokens of input",
        ),
    ];
    for (provider, json, expected) in cases {
        let problem = parse(provider, json).expect_err(json).to_problem();
        assert!(problem.contains(expected), "{provider} {json}: {problem}");
    }
}

/// Guarantees: a very deep or very wide document is refused or cut.
#[test]
fn documents_are_bounded() {
    let deep = format!(r#"{{"prompt_tokens": {}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    assert!(matches!(parse("openai", &deep), Err(UsageReadError::NotJson(_))));
    let wide = (0..400).map(|n| format!(r#""{}{n}": 1"#, "k".repeat(500))).collect::<Vec<_>>().join(",");
    let parsed = parse("openai", &format!(r#"{{"prompt_tokens": 1, {wide}}}"#)).unwrap();
    assert_eq!(parsed.unrecognized_counts.len(), 65);
    assert_eq!(parsed.unrecognized_counts.last().map(String::as_str), Some("and 336 more"));
    assert!(parsed.unrecognized_counts.iter().all(|line| line.len() < 210));
    assert!(parsed.unrecognized_counts[0].ends_with("k…=1"), "{}", parsed.unrecognized_counts[0]);

    let levels = |count: usize| {
        format!(r#"{{"prompt_tokens": 1, "x": {}1{}}}"#, "[".repeat(count - 1), "]".repeat(count - 1))
    };
    assert_eq!(parse("openai", &levels(USAGE_DEPTH_MAX)).unwrap().unrecognized_counts, ["x=1"]);
    assert!(matches!(parse("openai", &levels(USAGE_DEPTH_MAX + 1)), Err(UsageReadError::NotJson(_))));
    let sized = |bytes: usize| format!(r#"{{"prompt_tokens": 1{}}}"#, " ".repeat(bytes - 20));
    assert!(parse("openai", &sized(USAGE_READ_BYTES_MAX)).is_ok());
    let error = parse("openai", &sized(USAGE_READ_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(error, UsageReadError::TooLarge(USAGE_READ_BYTES_MAX + 1));
}

/// Guarantees: each name that emitters have for a provider leads to its family of usage objects.
#[test]
fn every_name_of_a_provider_leads_to_its_family() {
    let beside = r#"{"input_tokens": 3, "output_tokens": 1, "cache_creation": {}, "total_tokens": 4}"#;
    for name in ["anthropic", "Anthropic", "anthropic.chat", "aws.bedrock", "gcp.vertex_ai", "openai", ""] {
        assert_eq!(show(&parse(name, beside).unwrap().usage), "input 3, output 1", "{name}");
    }
    let hidden = r#"{"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 5}}"#;
    for name in
        ["xai", "x_ai", "x-ai", "x.ai", "XAI", " grok ", "grok.chat", "google", "gcp.gen_ai", "vertexai"]
    {
        assert_eq!(show(&parse(name, hidden).unwrap().usage), "input 3, output 1, reasoning 5", "{name}");
    }
    for name in
        ["openai", "az.ai.openai", "groq", "acme", "deepseek", "mistral_ai", "mistralai", "cohere", "é"]
    {
        assert!(parse(name, hidden).is_err(), "{name}");
    }
}
