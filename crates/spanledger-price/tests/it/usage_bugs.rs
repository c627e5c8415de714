//! Bugs of other engines in reading usage objects. There is one test for each bug or group of bugs.

use spanledger_event::{Endpoint, Usage};
use spanledger_price::usage::{parse, parse_for};

use crate::{
    support::{price, question, total, usd},
    usage::show,
};

fn read(provider: &str, json: &str) -> Usage {
    parse(provider, json).unwrap_or_else(|error| panic!("{json}: {}", error.to_problem())).usage
}

/// Scenario: cached tokens of an OpenAI usage cost the full rate and the cached one.
#[test]
fn bug_01_cached_is_not_charged_at_two_rates() {
    let usage = read(
        "openai",
        r#"{"prompt_tokens": 10000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 8000}}"#,
    );
    assert_eq!(total(&question("gpt-5.5", &usage)), usd("0.014"));
}

/// Scenario: the total of the writes and their split by lifetime are both counted.
#[test]
fn bug_02_cache_creation_is_counted_once() {
    let usage = read(
        "anthropic",
        r#"{"input_tokens": 3, "cache_creation_input_tokens": 100, "output_tokens": 1,
            "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}}"#,
    );
    assert_eq!(show(&usage), "input 3, cache_write 60, cache_write_1h 40, output 1");
    assert_eq!(usage.prompt_tokens(), 103);
}

/// Scenario: Gemini's text tokens include the cached ones, which would be billed twice.
#[test]
fn bug_03_gemini_text_tokens_contain_the_cached() {
    let usage = read(
        "gcp.gemini",
        r#"{"promptTokenCount": 600000, "cachedContentTokenCount": 590000, "candidatesTokenCount": 10,
            "totalTokenCount": 600010,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 600000}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 590000}]}"#,
    );
    assert_eq!(show(&usage), "input 10000, cached_input 590000, output 10");
}

/// Scenario: xAI's text tokens include the cached ones, which would be billed twice.
#[test]
fn bug_04_xai_text_tokens_contain_the_cached() {
    let usage = read(
        "xai",
        r#"{"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010,
            "prompt_tokens_details": {"text_tokens": 1000, "cached_tokens": 900, "image_tokens": 0}}"#,
    );
    assert_eq!(show(&usage), "input 100, cached_input 900, output 10");
}

/// Scenario: the last chunk of a stream has only the output, so that the prompt would be lost.
#[test]
fn bug_05_the_last_chunk_of_an_anthropic_stream_alone_is_refused() {
    assert!(parse("anthropic", r#"{"output_tokens": 15}"#).is_err());
    let whole = r#"{"input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 9511,
        "output_tokens": 15}"#;
    assert_eq!(show(&read("anthropic", whole)), "input 3, cached_input 9511, output 15");
}

/// Scenario: `cache_write_tokens` are ignored and billed as input.
#[test]
fn bug_08_cache_writes_have_their_rate() {
    let usage = read(
        "openai",
        r#"{"prompt_tokens": 4020, "completion_tokens": 0, "prompt_tokens_details": {"cache_write_tokens": 4000}}"#,
    );
    // 20 × 2 + 4,000 × 2.5, per million.
    assert_eq!(total(&question("gpt-6.1-sol", &usage)), usd("0.01004"));
}

/// Scenario: input that contains the cached tokens is added to them.
#[test]
fn bug_09_10_11_12_cached_input_is_part_of_the_input() {
    for (provider, json) in [
        (
            "openai",
            r#"{"input_tokens": 100, "input_tokens_details": {"cached_tokens": 80}, "output_tokens": 0}"#,
        ),
        (
            "deepseek",
            r#"{"prompt_tokens": 100, "prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20}"#,
        ),
        ("mistral", r#"{"prompt_tokens": 100, "num_cached_tokens": 80}"#),
        ("groq", r#"{"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 80}}"#),
        ("gemini", r#"{"promptTokenCount": 100, "cachedContentTokenCount": 80}"#),
        (
            "litellm",
            r#"{"prompt_tokens": 100, "cache_read_input_tokens": 80, "prompt_tokens_details": {"cached_tokens": 80}}"#,
        ),
        // Anthropic's count of the same prompt does not include the cached tokens.
        ("anthropic", r#"{"input_tokens": 20, "cache_read_input_tokens": 80, "output_tokens": 0}"#),
    ] {
        let usage = read(provider, json);
        assert_eq!(show(&usage), "input 20, cached_input 80", "{provider}");
        assert_eq!(usage.prompt_tokens(), 100, "{provider}");
    }
}

/// Scenario: cache reads are billed as cache writes.
#[test]
fn bug_12_cache_reads_are_not_cache_writes() {
    let usage = read(
        "anthropic",
        r#"{"input_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7, "output_tokens": 0}"#,
    );
    assert_eq!(show(&usage), "input 1, cached_input 5, cache_write 7");
}

/// Scenario: an exclusive usage is read as an inclusive one; the input would be negative, and is
/// clamped to 0.
#[test]
fn bug_14_nothing_is_clamped_to_zero() {
    let exclusive = r#"{"input_tokens": 3, "cache_read_input_tokens": 9511, "output_tokens": 44}"#;
    // The keys are those of Anthropic, so the provider's name does not matter.
    for provider in ["anthropic", "aws.bedrock", "gcp.vertex_ai", "openai", "acme"] {
        assert_eq!(show(&read(provider, exclusive)), "input 3, cached_input 9511, output 44", "{provider}");
    }
    // The same mixture in OpenAI's words cannot be true.
    let mixed =
        r#"{"input_tokens": 3, "input_tokens_details": {"cached_tokens": 9511}, "output_tokens": 44}"#;
    for provider in ["openai", "anthropic", "xai", "acme"] {
        let problem = parse(provider, mixed).unwrap_err().to_problem();
        assert!(problem.contains("9511 tokens of parts in 3 tokens of input"), "{problem}");
    }
}

/// Scenario: only the hidden output is counted, or only the visible one, or the hidden one twice.
#[test]
fn bug_16_17_18_19_hidden_and_visible_output_are_counted_once() {
    let chat = r#"{"prompt_tokens": 10, "completion_tokens": 1000, "total_tokens": 1010,
        "completion_tokens_details": {"reasoning_tokens": 900}}"#;
    for provider in ["openai", "deepseek", "mistral", "groq", "xai", "google", "acme"] {
        assert_eq!(show(&read(provider, chat)), "input 10, output 100, reasoning 900", "{provider}");
    }
    let gemini = r#"{"promptTokenCount": 10, "candidatesTokenCount": 100, "thoughtsTokenCount": 900,
        "totalTokenCount": 1010}"#;
    assert_eq!(show(&read("gemini", gemini)), "input 10, output 100, reasoning 900");
    let claude =
        r#"{"input_tokens": 10, "output_tokens": 1000, "output_tokens_details": {"thinking_tokens": 900}}"#;
    assert_eq!(show(&read("anthropic", claude)), "input 10, output 100, reasoning 900");
    let all_hidden = r#"{"promptTokenCount": 10, "thoughtsTokenCount": 900, "totalTokenCount": 910}"#;
    assert_eq!(show(&read("gemini", all_hidden)), "input 10, reasoning 900");
}

/// Scenario: a realtime call has hidden output and output of several modalities.
#[test]
fn bug_18_realtime_reasoning_is_part_of_the_output() {
    let json = r#"{"input_tokens": 10, "output_tokens": 500, "total_tokens": 510,
        "output_token_details": {"text_tokens": 200, "audio_tokens": 300, "reasoning_tokens": 150}}"#;
    let usage = parse_for("openai", Endpoint::Realtime, json).unwrap().usage;
    assert_eq!(show(&usage), "input 10, output 50, reasoning 150, audio_output 300");
    assert_eq!(usage.output_tokens(), 500);
}

/// Scenario: xAI's completion does not include the hidden output, which would be lost or subtracted.
#[test]
fn bug_20_xai_reasoning_is_beside_the_completion() {
    let json = |total: &str| {
        format!(
            r#"{{"prompt_tokens": 10, "completion_tokens": 100, {total}
                "completion_tokens_details": {{"reasoning_tokens": 60}}}}"#
        )
    };
    let read = |total| show(&read("xai", &json(total)));
    assert_eq!(read(r#""total_tokens": 170,"#), "input 10, output 100, reasoning 60");
    assert_eq!(read(r#""total_tokens": 110,"#), "input 10, output 40, reasoning 60");
    assert_eq!(read(""), "input 10, output 100, reasoning 60", "what xAI documents");
    assert!(parse("xai", &json(r#""total_tokens": 140,"#)).is_err(), "neither sum");
    assert!(
        parse("openai", &json(r#""total_tokens": 170,"#)).is_err(),
        "only xAI counts it beside the completion"
    );
}

/// Scenario: the images of the images endpoint cost nothing, or what text costs.
#[test]
fn bug_21_images_are_image_tokens() {
    let json = r#"{"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens": 1000, "total_tokens": 1050}"#;
    let usage = parse_for("openai", Endpoint::Images, json).unwrap().usage;
    assert_eq!(show(&usage), "input 10, image_input 40, image_output 1000");
}

/// Scenario: searches that the provider ran and counts are left out.
#[test]
fn bug_66_searches_are_counted() {
    let anthropic =
        r#"{"input_tokens": 0, "output_tokens": 0, "server_tool_use": {"web_search_requests": 3}}"#;
    let openai =
        r#"{"input_tokens": 0, "output_tokens": 0, "tool_usage": {"web_search": {"num_requests": 3}}}"#;
    for (provider, json) in [("anthropic", anthropic), ("openai", openai)] {
        let cost = price(&question("gpt-5.5", &read(provider, json)));
        assert_eq!(cost.usd, Some(usd("0.03")), "{provider}");
    }
}
