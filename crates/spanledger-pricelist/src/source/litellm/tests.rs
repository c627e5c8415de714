use super::litellm;
use crate::ImportError;
use spanledger_price::{Meter, Tier};

/// Every rate of every line as text, and every skipped part as text.
fn read(json: &str) -> (Vec<String>, Vec<String>) {
    let map = litellm(json).unwrap();
    let mut rates = Vec::new();
    for model in &map.models {
        for line in &model.lines {
            for (key, side) in
                [(line.tier.as_str(), Some(&line.rates)), (line.tier.long_key(), line.long.as_ref())]
            {
                for rate in side.into_iter().flat_map(|rates| rates.iter()) {
                    let variant = rate.variant.as_deref().map(|v| format!(" {v}")).unwrap_or_default();
                    let place = format!("{}/{} {key}", model.provider, model.name);
                    rates.push(format!("{place} {}{variant} {}", rate.meter.name(), rate.usd));
                }
            }
        }
    }
    let skipped = map
        .skipped
        .iter()
        .map(|skipped| format!("{} {}: {}", skipped.provider, skipped.name, skipped.reason));
    (rates, skipped.collect())
}

/// One model of OpenAI with these fields.
fn fields(fields: &str) -> (Vec<String>, Vec<String>) {
    read(&format!("{{\"m\": {{\"litellm_provider\": \"openai\", {fields}}}}}"))
}

fn check(json: &str, rates: &[&str], skipped: &[&str]) {
    let (found, left) = fields(json);
    let rates: Vec<String> = rates.iter().map(|rate| format!("openai/m {rate}")).collect();
    assert_eq!(found, rates, "{json}");
    let skipped: Vec<String> = skipped.iter().map(|reason| format!("openai m: {reason}")).collect();
    assert_eq!(left, skipped, "{json}");
}

#[test]
fn tokens_are_per_million_in_every_tier_and_on_both_sides() {
    check(
        r#""mode": "chat", "max_tokens": 100, "supports_cost": true, "input_cost_per_token": 2.5e-06,
           "output_cost_per_token": 1e-05, "output_cost_per_reasoning_token": 0.00002,
           "cache_read_input_token_cost": 2.5E-7, "input_cost_per_token_batches": 1.25e-6,
           "input_cost_per_token_above_272k_tokens": 5e-06, "input_cost_per_token_above_272k_tokens_flex": 3e-06,
           "input_cost_per_token_flex": 2e-06, "input_cost_per_token_priority": 4e-06,
           "input_cost_per_token_priority_above_272k_tokens": 8e-06, "output_cost_per_token_ultrafast": 6e-05,
           "cache_creation_input_token_cost": 3e-06, "cache_creation_input_token_cost_above_1hr": 4e-06,
           "cache_creation_input_token_cost_above_12hr": 5e-06,
           "cache_creation_input_token_cost_above_12hr_above_272k_tokens": 6e-06"#,
        &[
            "standard input 2.5",
            "standard cached_input 0.25",
            "standard cache_write 3",
            "standard cache_write_1h 4",
            "standard cache_write_12h 5",
            "standard output 10",
            "standard reasoning 20",
            "standard_long input 5",
            "standard_long cache_write_12h 6",
            "batch input 1.25",
            "flex input 2",
            "flex_long input 3",
            "priority input 4",
            "priority_long input 8",
            "ultrafast output 60",
        ],
        &[],
    );
    let map = litellm(
        r#"{"m": {"litellm_provider": "xai", "input_cost_per_token": 1e-6,
        "input_cost_per_token_above_128k_tokens": 2e-6}}"#,
    );
    assert_eq!(map.unwrap().models[0].long_context_over, Some(128_000));
}

#[test]
fn other_modalities_have_their_meters() {
    check(
        r#""input_cost_per_token": 1e-6, "input_cost_per_audio_token": 3e-6, "output_cost_per_audio_token": 4e-6,
           "cache_read_input_audio_token_cost": 5e-7, "input_cost_per_image_token": 6e-6,
           "output_cost_per_image_token": 7e-6, "cache_read_input_image_token_cost": 8e-7"#,
        &[
            "standard input 1",
            "standard audio_input 3",
            "standard cached_audio_input 0.5",
            "standard image_input 6",
            "standard cached_image_input 0.8",
            "standard audio_output 4",
            "standard image_output 7",
        ],
        &[],
    );
    check(
        r#""mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0"#,
        &["standard audio_seconds 0.006"],
        &[],
    );
    check(r#""mode": "audio_speech", "input_cost_per_character": 1.5e-05"#, &["standard characters 15"], &[]);
    check(r#""mode": "rerank", "input_cost_per_query": 0.002"#, &["standard search_units 2"], &[]);
    check(r#""mode": "image_generation", "output_cost_per_image": 0.04"#, &["standard images 0.04"], &[]);
    check(
        r#""mode": "video_generation", "output_cost_per_second": 0.1, "output_cost_per_second_1080p": 0.2"#,
        &["standard video_seconds 1080p 0.2"],
        &["the rate of video_seconds without a resolution, beside rates by resolution"],
    );
    check(
        r#""mode": "embedding", "input_cost_per_token": 1e-7, "output_cost_per_token": 0.0"#,
        &["standard input 0.1"],
        &[],
    );
}

#[test]
fn tool_calls_cost_the_same_in_every_tier() {
    check(
        r#""input_cost_per_token": 1e-6, "input_cost_per_token_batches": 5e-7, "file_search_cost_per_1k_calls": 2.5,
           "code_interpreter_cost_per_session": 0.03, "file_search_cost_per_gb_per_day": 0.1,
           "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.010}"#,
        &[
            "standard input 1",
            "standard web_search 10",
            "standard file_search 2.5",
            "standard code_interpreter 0.03",
            "standard storage_gb_days 0.1",
            "batch input 0.5",
            "batch web_search 10",
            "batch file_search 2.5",
            "batch code_interpreter 0.03",
            "batch storage_gb_days 0.1",
        ],
        &[],
    );
    check(
        r#""code_interpreter_cost_per_session": 0.03"#,
        &[],
        &["has only a price of tool calls: add it as a [[fee]] of the provider"],
    );
}

/// Guarantees: no price disappears without a reason.
#[test]
fn unsupported_prices_are_skipped_with_a_reason() {
    let input = "\"input_cost_per_token\": 1e-6";
    let skip =
        |more: &str, reason: &str| check(&format!("{input}, {more}"), &["standard input 1"], &[reason]);
    skip("\"ocr_cost_per_page\": 0.1", "`ocr_cost_per_page`: the book has no meter for this price");
    skip(
        "\"input_cost_per_token_decisions\": 1e-7",
        "`input_cost_per_token_decisions`: the book does not have this tier",
    );
    skip(
        "\"output_cost_per_token\": 2.9999999999999997e-05",
        "`output_cost_per_token`: 2.9999999999999997e-05 has more than 9 places in the book's unit",
    );
    skip("\"output_cost_per_token\": -1", "`output_cost_per_token`: -1 is below zero");
    skip("\"output_cost_per_token\": \"free\"", "`output_cost_per_token`: \"free\" is not a number");
    skip("\"off_peak_pricing\": {}", "`off_peak_pricing`: the hours depend on the day of the week");
    skip("\"input_cost_per_second\": 0.0001", "a standard rate of audio_seconds beside rates of tokens");
    skip(
        "\"input_cost_per_image\": 0.1",
        "`input_cost_per_image`: the book has no price per image in the prompt",
    );
    skip(
        "\"search_context_cost_per_query\": {\"search_context_size_low\": 0.01, \"search_context_size_high\": 0.02}",
        "`search_context_cost_per_query`: the price depends on the size of the context, which is not reported",
    );
    skip(
        "\"input_cost_per_token_above_9k_tokens_flex\": 1e-6",
        "flex rates of long prompts without those of short ones",
    );
    check("\"mode\": \"chat\"", &[], &["has no rate that the book can represent"]);
    check(
        &format!(
            "{input}, \"input_cost_per_token_above_128k_tokens\": 2e-6, \"input_cost_per_token_above_256k_tokens\": 3e-6"
        ),
        &[],
        &["has thresholds at 128000 and 256000 tokens, but the book has one for each model"],
    );
    let (_, skipped) = read(
        r#"{"azure/m": {"litellm_provider": "azure"}, "b": {"litellm_provider": "bedrock"}, "c": 1, "d": {},
            "s": {"litellm_provider": "deepseek", "mode": "search"}}"#,
    );
    let expected = [
        "azure azure/m: azure has the list prices of openai: map each deployment to its model in [deployments]",
        "bedrock b: prices of this provider are not imported",
        " c: not an object",
        " d: has no `litellm_provider`",
        "deepseek s: a search engine, not a model",
    ];
    assert_eq!(skipped, expected);
}

#[test]
fn the_provider_prefix_is_removed_from_names() {
    let (rates, skipped) = read(
        r#"{"sample_spec": {"litellm_provider": "one of …", "input_cost_per_token": 0.0},
            "gemini/a": {"litellm_provider": "gemini", "input_cost_per_token": 1e-6},
            "groq/openai/b": {"litellm_provider": "groq", "input_cost_per_token": 1e-6},
            "c": {"litellm_provider": "text-completion-openai", "input_cost_per_token": 1e-6},
            "openai/c": {"litellm_provider": "openai", "input_cost_per_token": 1e-6},
            "d": {"litellm_provider": "cohere_chat", "input_cost_per_token": 1e-6},
            "cohere/d": {"litellm_provider": "cohere", "input_cost_per_token": 2e-6}}"#,
    );
    let expected = [
        "cohere/d standard input 2",
        "gemini/a standard input 1",
        "groq/openai/b standard input 1",
        "openai/c standard input 1",
    ];
    assert_eq!(rates, expected);
    assert_eq!(skipped, ["cohere d: listed twice with different prices; the first ones are used"]);
}

#[test]
fn image_sizes_are_variants() {
    let map = litellm(
        r#"{"hd/1024-x-1792/dall-e-3": {"litellm_provider": "openai", "output_cost_per_image": 0.12},
            "standard/1024-x-1024/dall-e-3": {"litellm_provider": "openai", "input_cost_per_image": 0.04},
            "high/1024-x-1024/gpt-image-1": {"litellm_provider": "openai", "input_cost_per_pixel": 1.59e-07},
            "low/1024-x-1024/gpt-image-2": {"litellm_provider": "openai", "output_cost_per_image": 0.01},
            "gpt-image-2": {"litellm_provider": "openai", "output_cost_per_image_token": 3e-5}}"#,
    )
    .unwrap();
    let dalle = map.models.iter().find(|model| model.name == "dall-e-3").unwrap();
    let rates = &dalle.lines[0].rates;
    assert_eq!(rates.of(Meter::Images, Some("hd 1024x1792")), "0.12".parse().ok());
    assert_eq!(rates.variants(Meter::Images).collect::<Vec<_>>(), ["hd 1024x1792", "standard 1024x1024"]);
    assert_eq!(dalle.lines[0].tier, Tier::Standard);
    let reasons: Vec<&str> = map.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "an image size without a price per image (a price per pixel is not exact)",
            "1 prices by image size: the model is already billed by tokens"
        ]
    );
}

/// Guarantees: base rates are not imported without their steps; they would be wrong for most calls.
#[test]
fn a_model_with_tiered_pricing_is_skipped() {
    let map = litellm(
        r#"{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-6,
            "tiered_pricing": [{"range": [0, 32000], "input_cost_per_token": 1e-6}]}}"#,
    )
    .unwrap();
    assert!(map.models.is_empty());
    assert_eq!(map.skipped[0].reason, "`tiered_pricing`: the book cannot represent rates by steps");
    assert_eq!(map.skipped.len(), 1);
}

#[test]
fn another_file_is_refused_with_a_remedy() {
    let error = |json: &str| litellm(json).unwrap_err().to_string();
    assert_eq!(
        litellm("{\n  \"a\": ").unwrap_err(),
        ImportError::NotJson { line: 2, column: 7, cause: "EOF while parsing a value".to_owned() }
    );
    assert!(error("").starts_with("not JSON in line 1"));
    assert!(error("[{\"id\": \"openai\", \"models\": []}]").ends_with("read it as genai-prices"));
    assert!(error("{\"providers\": []}").ends_with("read it as genai-prices"));
    assert!(error("{\"a\": {\"price\": 1}}").contains("no `litellm_provider`"));
    assert!(error("5").contains("a single value"));
    assert!(error("{}").contains("has no model"));
}
