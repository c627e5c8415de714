//! Details of a usage object that decide the price: tier and region, a missing side, and tokens whose
//! modality is not stated.

use spanledger_event::{Endpoint, UnpricedReason, Usage};
use spanledger_price::{
    PriceQuery,
    usage::{ParsedUsage, parse, parse_for},
};

use crate::{
    support::{price, question, total, usd},
    usage::show,
};

fn read(provider: &str, endpoint: Endpoint, json: &str) -> Usage {
    parse_for(provider, endpoint, json).unwrap_or_else(|error| panic!("{json}: {}", error.to_problem())).usage
}

fn problem(endpoint: Endpoint, json: &str) -> String {
    parse_for("openai", endpoint, json).expect_err(json).to_problem()
}

/// Scenario: fast mode, a paid region and Vertex AI's traffic types are billed at the ordinary price,
/// because only the usage states them.
#[test]
fn tier_and_region_inside_the_usage_are_read() {
    for (provider, words, tier, region) in [
        ("anthropic", r#""speed": "fast", "service_tier": "standard""#, Some("fast"), None),
        ("anthropic", r#""speed": "standard", "service_tier": "batch""#, Some("batch"), None),
        ("anthropic", r#""speed": "fast", "service_tier": "priority""#, Some("fast and priority"), None),
        ("anthropic", r#""service_tier": "standard", "inference_geo": "us""#, None, Some("us")),
        ("openai", r#""service_tier": "standard", "traffic_type": "on_demand""#, None, None),
        ("anthropic", r#""service_tier": null, "inference_geo": "not_available""#, None, None),
        ("anthropic", r#""service_tier": 3, "inference_geo": "global""#, None, None),
        ("anthropic", r#""inference_geo": "mars""#, None, Some("mars")),
        ("openai", r#""service_tier": "flex""#, Some("flex"), None),
        ("litellm", r#""traffic_type": "ON_DEMAND_PRIORITY""#, Some("ON_DEMAND_PRIORITY"), None),
    ] {
        let json = format!(r#"{{"input_tokens": 1, "output_tokens": 1, {words}}}"#);
        let parsed = parse(provider, &json).unwrap();
        assert_eq!((parsed.service_tier.as_deref(), parsed.region.as_deref()), (tier, region), "{words}");
        let is_understood = parsed.unrecognized_counts.is_empty() || words.contains('3');
        assert!(is_understood, "{words}");
    }
    for (words, tier) in [
        (r#""trafficType": "ON_DEMAND_PRIORITY""#, Some("ON_DEMAND_PRIORITY")),
        (r#""traffic_type": "TrafficType.ON_DEMAND_FLEX", "serviceTier": "flex""#, Some("ON_DEMAND_FLEX")),
        (r#""trafficType": "ON_DEMAND", "serviceTier": "priority""#, Some("priority")),
        (r#""trafficType": "PROVISIONED_THROUGHPUT""#, Some("PROVISIONED_THROUGHPUT")),
        (r#""trafficType": "TRAFFIC_TYPE_UNSPECIFIED", "serviceTier": "unspecified""#, None),
    ] {
        let json = format!(r#"{{"promptTokenCount": 1, "candidatesTokenCount": 1, {words}}}"#);
        assert_eq!(parse("gcp.gemini", &json).unwrap().service_tier.as_deref(), tier, "{words}");
    }
}

/// Guarantees: fast mode has its own rate, and a region its factor. A word that the book does not have makes
/// the call unpriced.
#[test]
fn tier_and_region_inside_the_usage_are_priced() {
    let cost = |words: &str| {
        let json = format!(r#"{{"input_tokens": 1000000, "output_tokens": 0, {words}}}"#);
        let ParsedUsage { usage, service_tier, region, .. } = parse("anthropic", &json).unwrap();
        price(&PriceQuery {
            provider: "anthropic",
            service_tier: service_tier.as_deref(),
            region: region.as_deref(),
            ..question("claude-opus-4-6", &usage)
        })
    };
    let plain = cost(r#""service_tier": "standard""#).usd.unwrap();
    assert_eq!(plain, usd("5"));
    assert_eq!(cost(r#""inference_geo": "us""#).usd, Some(usd("5.5")));
    let fast = cost(r#""speed": "fast", "service_tier": "standard""#);
    assert!(fast.usd.is_none_or(|fast| fast > plain), "{fast:?}");
    for words in [r#""speed": "warp""#, r#""service_tier": "priority""#, r#""inference_geo": "mars""#] {
        assert_eq!(cost(words).reason, Some(UnpricedReason::NoRateForTier), "{words}");
    }
}

/// Scenario: an object lacks its input or output, and the missing side would cost nothing.
#[test]
fn a_usage_without_input_or_output_is_refused() {
    for endpoint in Endpoint::ALL {
        let words = problem(endpoint, r#"{"completion_tokens": 5}"#);
        assert!(words.contains("lacks the input tokens"), "{words}");
        let only_input = parse_for("openai", endpoint, r#"{"prompt_tokens": 5}"#);
        let has_output = matches!(
            endpoint,
            Endpoint::Chat
                | Endpoint::Responses
                | Endpoint::Completions
                | Endpoint::Images
                | Endpoint::Realtime
        );
        assert_eq!(only_input.is_err(), has_output, "{endpoint}");
        // If there is a total, the missing side is zero, or the usage contradicts itself.
        for json in [
            r#"{"prompt_tokens": 5, "total_tokens": 5}"#,
            r#"{"output_tokens": 5, "generated_images": 1, "total_tokens": 5}"#,
        ] {
            let usage = read("openai", endpoint, json);
            assert_eq!(usage.prompt_tokens() + usage.output_tokens(), 5, "{endpoint} {json}");
        }
        for json in
            [r#"{"prompt_tokens": 5, "total_tokens": 9}"#, r#"{"completion_tokens": 5, "total_tokens": 9}"#]
        {
            assert!(problem(endpoint, json).contains("stated total is 9"), "{endpoint} {json}");
        }
    }
    for (provider, json) in [
        ("gcp.gemini", r#"{"candidatesTokenCount": 8}"#),
        ("aws.bedrock", r#"{"outputTokens": 5}"#),
        ("cohere", r#"{"billed_units": {"output_tokens": 5}}"#),
    ] {
        assert!(parse_for(provider, Endpoint::Chat, json).is_err(), "{provider} {json}");
    }
    // An empty object is read as absent.
    let empty =
        r#"{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_audio_seconds": {}}"#;
    assert_eq!(parse_for("mistral", Endpoint::Chat, empty).unwrap().usage.prompt_tokens(), 10);
    let audio = r#"{"prompt_tokens": 4, "prompt_audio_seconds": 10, "total_tokens": 400}"#;
    assert!(parse_for("mistral", Endpoint::Chat, audio).is_err(), "the total has more than the audio");
}

/// Scenario: LiteLLM puts searches, images and video that are billed separately among the prompt's parts.
#[test]
fn units_among_the_parts_of_the_prompt_are_billed() {
    let usage = |details: &str| {
        let json = format!(
            r#"{{"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6, "prompt_tokens_details": {{{details}}}}}"#
        );
        read("openai", Endpoint::Chat, &json)
    };
    let searched = usage(r#""cached_tokens": null, "web_search_requests": 2"#);
    assert_eq!(show(&searched), "input 5, output 1, web_search 2");
    let shown = usage(r#""character_count": 9, "image_count": 2, "video_length_seconds": 1.5"#);
    assert_eq!(show(&shown), "input 5, output 1, characters 9, input_images 2, input_video_seconds 1.5");
    assert_eq!(
        price(&question("gpt-5.5", &shown)).reason,
        Some(UnpricedReason::NoRateForModality),
        "the book has no rate for them"
    );
    // Two fields may count the same searches.
    let both = r#"{"prompt_tokens": 5, "completion_tokens": 1, "server_tool_use": {"web_search_requests": 2},
        "prompt_tokens_details": {"web_search_requests": 2}}"#;
    assert_eq!(read("openai", Endpoint::Chat, both).web_search_calls, 2);
}

/// Scenario: cache writes for an hour are billed as writes for five minutes, or as plain input.
#[test]
fn cache_writes_are_split_by_lifetime_in_every_form() {
    let expected = "input 3, cached_input 50, cache_write 15, cache_write_1h 100, output 5";
    for json in [
        r#"{"prompt_tokens": 168, "completion_tokens": 5, "cache_read_input_tokens": 50,
            "cache_creation_input_tokens": 115,
            "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 100}}"#,
        r#"{"prompt_tokens": 168, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 50},
            "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 100}}"#,
        // LangChain.
        r#"{"input_tokens": 168, "output_tokens": 5, "total_tokens": 173, "input_token_details":
            {"cache_read": 50, "cache_creation": 0, "ephemeral_5m_input_tokens": 15,
             "ephemeral_1h_input_tokens": 100}}"#,
    ] {
        for provider in ["openai", "anthropic", "acme"] {
            assert_eq!(show(&read(provider, Endpoint::Chat, json)), expected, "{provider} {json}");
        }
    }
    let langchain = r#"{"input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
        "input_token_details": {"cache_read": 60, "cache_creation": 30, "audio": 4},
        "output_token_details": {"reasoning": 20, "audio": 2}}"#;
    let parsed = parse("langchain", langchain).unwrap();
    assert_eq!(
        show(&parsed.usage),
        "input 6, cached_input 60, cache_write 30, audio_input 4, output 28, reasoning 20, audio_output 2"
    );
    assert_eq!(parsed.unrecognized_counts, Vec::<String>::new());
}

/// Scenario: a breakdown has only zeros, and images or audio would be billed as text.
#[test]
fn a_breakdown_of_zeros_is_treated_as_missing() {
    let zeros = r#"{"input_tokens": 10, "output_tokens": 1000, "total_tokens": 1010,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 0, "reasoning_tokens": 200}}"#;
    assert_eq!(show(&read("openai", Endpoint::Images, zeros)), "input 10, image_output 1000");
    let stated = r#"{"input_tokens": 10, "output_tokens": 1000, "total_tokens": 1010,
        "output_tokens_details": {"text_tokens": 300, "image_tokens": 700, "reasoning_tokens": 200}}"#;
    let more = r#"{"input_tokens": 1, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 6}}"#;
    assert!(problem(Endpoint::Images, more).contains("6 tokens of parts in 5 tokens of output"));
    let expected = "input 10, output 100, reasoning 200, image_output 700";
    assert_eq!(show(&read("openai", Endpoint::Images, stated)), expected);

    for details in ["", r#""input_token_details": {"text_tokens": 0, "audio_tokens": 0},"#] {
        let json = format!(r#"{{"type": "tokens", {details} "input_tokens": 14, "output_tokens": 5}}"#);
        for endpoint in [Endpoint::AudioTranscription, Endpoint::AudioTranslation] {
            assert_eq!(show(&read("openai", endpoint, &json)), "audio_input 14, output 5", "{details}");
        }
    }
    let heard = read(
        "openai",
        Endpoint::AudioTranscription,
        r#"{"input_tokens": 1000000, "output_tokens": 0, "total_tokens": 1000000}"#,
    );
    assert_eq!(total(&question("gpt-4o-transcribe", &heard)), usd("6"), "not 2.5, the price of text");
    let by_time = r#"{"prompt_audio_seconds": 10, "prompt_tokens": 4, "completion_tokens": 9,
        "total_tokens": 400}"#;
    let usage = read("mistral", Endpoint::AudioTranscription, by_time);
    assert_eq!(show(&usage), "input 4, output 9, audio_seconds 10");
}
