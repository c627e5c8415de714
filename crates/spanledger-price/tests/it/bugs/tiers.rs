//! Service tiers, batch and long prompts.

use spanledger_event::{Bucket, CostCertainty, Endpoint, UnpricedReason, Usage};
use spanledger_price::{PriceBook, PriceQuery};

use crate::support::{nested, price, question, rate, total, unpriced, usd};

/// LiteLLM priced long prompts of other providers by the wrong threshold.
/// <https://github.com/BerriAI/litellm/issues/9807>
#[test]
fn each_model_has_its_own_long_context_threshold() {
    let gemini = |input| {
        let usage = nested(input, 0, 0, 0);
        rate(&price(&PriceQuery { provider: "google", ..question("gemini-2.5-pro", &usage) }), "input")
    };
    assert_eq!((gemini(200_000).to_string(), gemini(200_001).to_string()), ("1.25".into(), "2.5".into()));
}

/// LiteLLM knew a fixed list of thresholds and compared their keys as texts.
/// <https://github.com/BerriAI/litellm/issues/29663>
/// <https://github.com/BerriAI/litellm/issues/30345>
#[test]
fn any_long_context_threshold_is_compared_as_a_number() {
    let book = |threshold: u64| {
        let text = format!(
            r#"
[provider]
name = "acme"
[sources]
page = "the price page"
[[model]]
name = "m"
long_context_over_tokens = {threshold}
[[price]]
model = "m"
sources = ["page"]
prices_checked = 2026-01-01
standard      = {{ input_per_1m = "1" }}
standard_long = {{ input_per_1m = "2" }}
"#
        );
        PriceBook::parse([("acme.toml", text.as_str())]).unwrap()
    };
    // Compared as texts, "1000000" is less than "512000" and "90000" is more than "128000".
    for threshold in [90_000, 128_000, 512_000, 1_000_000] {
        for (tokens, expected) in [(threshold, "1"), (threshold + 1, "2")] {
            let usage = Usage::default().with(Bucket::Input, tokens);
            let query = PriceQuery { provider: "acme", ..question("m", &usage) };
            assert_eq!(rate(&book(threshold).price(&query), "input").to_string(), expected, "{threshold}");
        }
    }
}

/// The usage of a batch is the sum of its requests, and each of them is billed alone.
#[test]
fn the_total_of_a_batch_is_no_long_prompt() {
    let sum = nested(1_000_000, 0, 1_000_000, 0);
    let total_of =
        |usage| PriceQuery { endpoint: Endpoint::Batch, is_sum: true, ..question("gpt-5.5", usage) };
    let cost = price(&total_of(&sum));
    assert_eq!((rate(&cost, "input").to_string(), cost.usd), ("2.5".into(), Some(usd("17.5"))));
    assert_eq!(cost.certainty, CostCertainty::Uncertain, "some of the requests may have been long");
    let small = nested(1_000, 0, 1_000, 0);
    assert_eq!(price(&total_of(&small)).certainty, CostCertainty::Exact);
}

/// ccusage repriced only the tokens above the threshold.
/// <https://github.com/ryoppippi/ccusage/issues/882>
#[test]
fn a_long_prompt_reprices_the_whole_request() {
    let over = nested(272_001, 100_000, 1_000, 400);
    // 172,001 × 10 + 100,000 × 1 + 1,000 × 45, per million.
    assert_eq!(total(&question("gpt-5.5", &over)), usd("1.86501"));
}

/// Dust treated a prompt of exactly the threshold as long.
/// <https://github.com/dust-tt/dust/issues/24852>
#[test]
fn a_prompt_of_exactly_the_threshold_is_not_long() {
    assert_eq!(total(&question("gpt-5.5", &nested(272_000, 0, 1_000, 0))), usd("1.39"));
    assert_eq!(total(&question("gpt-5.5", &nested(272_001, 0, 1_000, 0))), usd("2.76501"));
}

/// genai-prices confused rates for the tokens above a threshold with rates for the whole request. A long
/// prompt changes the rate of the output too.
/// <https://github.com/pydantic/genai-prices/issues/241>
#[test]
fn a_long_prompt_changes_the_output_rate_too() {
    let rate_of_output = |input| rate(&price(&question("gpt-5.5", &nested(input, 0, 10, 0))), "output");
    assert_eq!((rate_of_output(272_000), rate_of_output(272_001)), (30.into(), 45.into()));
    let long_answer = Usage::default().with(Bucket::Input, 1).with(Bucket::Output, 300_000);
    assert_eq!(
        rate(&price(&question("gpt-5.6-terra", &long_answer)), "input"),
        2.into(),
        "a long output does not make the prompt long"
    );
    for bucket in [Bucket::CachedInput, Bucket::CacheWrite, Bucket::CacheWrite12h] {
        let usage = Usage::default().with(Bucket::Input, 1).with(bucket, 272_000);
        assert_eq!(rate(&price(&question("gpt-5.6-terra", &usage)), "input"), 4.into(), "{bucket:?}");
    }
}

/// LiteLLM billed a long batch request at the short rates.
/// <https://github.com/BerriAI/litellm/pull/39861>
#[test]
fn long_batch_requests_have_the_long_rates() {
    let over = nested(272_001, 100_000, 1_000, 400);
    let batch = PriceQuery { endpoint: Endpoint::Batch, ..question("gpt-5.5", &over) };
    assert_eq!(total(&batch), usd("0.932505"));
}

/// LiteLLM and Langfuse billed flex as standard.
/// <https://github.com/BerriAI/litellm/issues/13810>
/// <https://github.com/BerriAI/litellm/issues/10091>
/// <https://github.com/langfuse/langfuse/issues/13780>
#[test]
fn flex_has_rates_of_its_own() {
    let cached = nested(200_000, 200_000, 0, 0);
    let flex = |model| total(&PriceQuery { service_tier: Some("flex"), ..question(model, &cached) });
    assert_eq!(flex("gpt-5.4"), usd("0.026"), "0.13 per million, not 0.125");
    assert_eq!(flex("o4-mini"), usd("0.0276"), "0.138 per million, not 0.1375");
}

/// LiteLLM and `PostHog` billed the requested priority tier of a call that was served as default.
/// <https://github.com/BerriAI/litellm/issues/31837>
/// <https://github.com/PostHog/posthog/issues/94200>
#[test]
fn the_served_tier_is_billed() {
    let usage = nested(1_000, 0, 0, 0);
    let cost = |tier| total(&PriceQuery { service_tier: tier, ..question("gpt-5.5", &usage) });
    for standard in [None, Some(""), Some("default"), Some("auto"), Some("standard")] {
        assert_eq!(cost(standard), usd("0.005"), "{standard:?}");
    }
    assert_eq!(cost(Some("priority")), usd("0.0125"));
    assert_eq!(cost(Some("fast")), usd("0.0125"));
}

/// LiteLLM did not find the batch discount under its key, or computed it as a half.
/// <https://github.com/BerriAI/litellm/pull/9077>
/// <https://github.com/BerriAI/litellm/pull/39568>
#[test]
fn batch_rates_are_the_published_ones() {
    let input = nested(1_000_000, 0, 0, 0);
    let batch = |model| PriceQuery { endpoint: Endpoint::Batch, ..question(model, &input) };
    assert_eq!(total(&batch("gpt-3.5-turbo-1106")), usd("1"), "no discount at all");
    assert_eq!(total(&batch("ft:gpt-4o-2024-08-06:acme::x")), usd("2.225"), "not 1.875");
    assert_eq!(
        total(&PriceQuery { endpoint: Endpoint::Chat, service_tier: Some("batch"), ..batch("gpt-4.1") }),
        usd("1")
    );
    assert_eq!(
        unpriced(&batch("gpt-5.3-codex")).0,
        UnpricedReason::NoRateForTier,
        "the book must not use half of the standard rate"
    );
}

/// `CodeBurn` ignored the tier when it looked up the price.
#[test]
fn every_tier_has_its_price() {
    let usage = nested(1_000, 0, 0, 0);
    let tiers = ["default", "batch", "flex", "priority", "ultrafast"];
    let costs = tiers.map(|tier| {
        total(&PriceQuery { service_tier: Some(tier), ..question("gpt-6-astra", &usage) }).to_string()
    });
    assert_eq!(costs, ["0.01", "0.005", "0.005", "0.02", "0.06"]);
    for tier in ["scale", "turbo"] {
        let query = PriceQuery { service_tier: Some(tier), ..question("gpt-5.5", &usage) };
        let (reason, detail) = unpriced(&query);
        assert_eq!(reason, UnpricedReason::NoRateForTier);
        assert!(detail.contains(tier), "{detail}");
    }
}

/// LiteLLM 1.109.1 bills a long flex request of gpt-5.5-pro, for which nothing is published, at the long
/// rates of standard: four times the flex rates.
#[test]
fn a_long_prompt_of_a_tier_without_long_rates_is_unpriced() {
    let usage = nested(272_001, 0, 500, 0);
    let cases = [
        ("gpt-5.5", "priority"),
        ("gpt-5.4", "priority"),
        ("gpt-5.5-pro", "batch"),
        ("gpt-5.5-pro", "flex"),
        ("gpt-5.6-cyber", "default"),
    ];
    for (model, tier) in cases {
        let (reason, detail) = unpriced(&PriceQuery { service_tier: Some(tier), ..question(model, &usage) });
        assert_eq!(reason, UnpricedReason::NoRateForTier, "{model} {tier}");
        assert!(detail.contains("272000") && detail.contains(model), "{detail}");
    }
}

/// Another engine gave a long-context threshold to models that have none.
#[test]
fn small_models_have_no_long_context_threshold() {
    let usage = nested(300_000, 0, 0, 0);
    for (model, cost) in [("gpt-5.4-mini", "0.225"), ("gpt-5.4-nano", "0.06"), ("gpt-5.2", "0.525")] {
        assert_eq!(total(&question(model, &usage)), usd(cost), "{model}");
    }
}
