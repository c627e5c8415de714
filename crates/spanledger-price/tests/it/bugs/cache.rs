//! Cached tokens and cache writes.

use spanledger_event::{Bucket, NestedUsage, UnpricedReason, Usage};
use spanledger_price::{Meter, PriceBook, PriceQuery, Tier, usage};

use crate::support::{day, line, million, nested, price, question, rate, total, unpriced, usd};

/// LiteLLM charged cached tokens at the full rate and at the cached rate.
/// <https://github.com/BerriAI/litellm/issues/6215>
#[test]
fn cached_tokens_are_charged_at_the_cached_rate_alone() {
    let usage = nested(10_000, 8_000, 0, 0);
    let cost = price(&question("gpt-5.5", &usage));
    assert_eq!((line(&cost, "input"), line(&cost, "cached_input")), (usd("0.01"), usd("0.004")));
    assert_eq!(cost.usd, Some(usd("0.014")));
}

/// LiteLLM counted cache writes as input and as writes.
/// <https://github.com/BerriAI/litellm/issues/6575>
/// <https://github.com/BerriAI/litellm/issues/6576>
#[test]
fn cache_writes_are_counted_once() {
    let usage =
        NestedUsage { input: 20_000, cache_write: 4_000, cache_write_12h: 6_000, ..NestedUsage::default() }
            .exclusive()
            .unwrap();
    let cost = price(&question("gpt-6.1-sol", &usage));
    assert_eq!(line(&cost, "input"), usd("0.02"));
    assert_eq!(line(&cost, "cache_write"), usd("0.01"));
    assert_eq!(line(&cost, "cache_write_12h"), usd("0.03"));
    // Before gpt-5.6 a write costs what input costs.
    assert_eq!(total(&question("gpt-5.5", &usage)), usd("0.1"));
}

/// With a large cache, LiteLLM charged four times too much for a Gemini call.
/// <https://github.com/BerriAI/litellm/issues/14849>
#[test]
fn cached_input_of_gemini_is_part_of_the_input() {
    let usage = nested(100_000, 90_000, 0, 0);
    let gemini = PriceQuery { provider: "google", ..question("gemini-2.5-pro", &usage) };
    let cost = price(&gemini);
    // 10,000 × 1.25 and 90,000 × 0.125 per million.
    assert_eq!((line(&cost, "input"), line(&cost, "cached_input")), (usd("0.0125"), usd("0.01125")));
}

/// The text tokens that xAI reports contain the cached ones; LiteLLM charged both.
/// <https://github.com/BerriAI/litellm/issues/19680>
/// <https://github.com/BerriAI/litellm/issues/14874>
/// <https://github.com/BerriAI/litellm/issues/14875>
#[test]
fn cached_input_of_xai_is_part_of_the_input() {
    let usage = nested(10_000, 9_000, 0, 0);
    let full = Usage::default().with(Bucket::Input, 10_000);
    let ask =
        |usage| total(&PriceQuery { provider: "xai", at: day("2026-01-15"), ..question("grok-4", usage) });
    assert!(ask(&usage) < ask(&full));
    // 1,000 × 3 and 9,000 × 0.75 per million.
    assert_eq!(ask(&usage), usd("0.00975"));
}

/// With custom prices, LiteLLM charged cached tokens at the full rate although a cached rate was given.
/// <https://github.com/BerriAI/litellm/pull/28009>
#[test]
fn a_users_own_cached_rate_is_used() {
    let usage = nested(10_000, 8_000, 0, 0);
    let ours = r#"
[provider]
name = "openai"
[sources]
ours = "a contract"
[[price]]
model = "gpt-5.5"
from = 2026-01-01
sources = ["ours"]
prices_checked = 2026-01-01
standard = { input_per_1m = "4", cached_input_per_1m = "0.4", output_per_1m = "20" }
"#;
    let book = PriceBook::builtin().layered([("ours.toml", ours)]).unwrap();
    let cost = book.price(&question("gpt-5.5", &usage));
    assert_eq!((line(&cost, "input"), line(&cost, "cached_input")), (usd("0.008"), usd("0.0032")));

    // A rate that is not given is taken from the list. If the list has none, cached tokens cost the input rate.
    let ours = ours.replace("cached_input_per_1m = \"0.4\", ", "");
    let book = PriceBook::builtin().layered([("ours.toml", ours.as_str())]).unwrap();
    assert_eq!(line(&book.price(&question("gpt-5.5", &usage)), "cached_input"), usd("0.004"));
    let ours = ours.replace("gpt-5.5", "gpt-5.5-pro");
    let book = PriceBook::builtin().layered([("ours.toml", ours.as_str())]).unwrap();
    assert_eq!(line(&book.price(&question("gpt-5.5-pro", &usage)), "cached_input"), usd("0.032"));
}

/// LiteLLM lost the cached rate of models from its database, so the cache was free.
/// <https://github.com/BerriAI/litellm/issues/26806>
/// <https://github.com/BerriAI/litellm/issues/25839>
/// <https://github.com/BerriAI/litellm/issues/24774>
#[test]
fn cached_tokens_without_a_rate_are_not_free() {
    let usage = million(Bucket::CachedInput);
    let short = nested(200_000, 200_000, 0, 0);
    assert_eq!(total(&question("gpt-5.5-pro", &short)), usd("6"));
    assert_eq!(total(&question("gpt-5.5-pro", &usage)), usd("60"), "over the cliff");
    for (tier, cost) in [("standard", "0.5"), ("batch", "1"), ("priority", "0.875")] {
        let question = PriceQuery { service_tier: Some(tier), ..question("gpt-4.1", &usage) };
        assert_eq!(total(&question), usd(cost), "{tier}: never another tier's cached rate");
    }
}

/// LiteLLM did not read OpenAI's `cache_write_tokens`.
/// <https://github.com/BerriAI/litellm/issues/33772>
#[test]
fn openai_cache_writes_are_read() {
    let parsed = usage::parse(
        "openai",
        r#"{"input_tokens": 4020, "output_tokens": 10, "total_tokens": 4030,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 4012}}"#,
    );
    let usage = parsed.unwrap().usage;
    let cost = price(&question("gpt-5.6-sol", &usage));
    // 8 × 4 and 4,012 × 5 per million.
    assert_eq!((line(&cost, "input"), line(&cost, "cache_write")), (usd("0.000032"), usd("0.02006")));
}

/// A cache write of a lifetime without a published rate was billed at the rate of another lifetime.
#[test]
fn a_cache_write_without_a_rate_of_its_lifetime_is_unpriced() {
    let usage = Usage::default().with(Bucket::Input, 1_000).with(Bucket::CacheWrite12h, 5);
    for model in ["gpt-5.6-cyber", "gpt-6-astra-law"] {
        let cost = price(&question(model, &usage));
        assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::NoRateForModality)), "{model}");
        assert_eq!(cost.lines.len(), 1, "the known line is shown");
    }
}

/// Langfuse, Phoenix and `OpenInference` added cached tokens to an input that contains them.
/// <https://github.com/langfuse/langfuse/issues/10592>
/// <https://github.com/langfuse/langfuse/issues/9034>
/// <https://github.com/Arize-ai/phoenix/issues/10036>
/// <https://github.com/Arize-ai/openinference/issues/2381>
#[test]
fn the_input_contains_the_cached_tokens() {
    let json = r#"{"prompt_tokens": 2000, "completion_tokens": 0, "total_tokens": 2000,
        "prompt_tokens_details": {"cached_tokens": 1500}}"#;
    let usage = usage::parse("openai", json).unwrap().usage;
    let cost = price(&question("gpt-4o", &usage));
    assert_eq!(cost.lines.iter().map(|line| line.quantity).sum::<rust_decimal::Decimal>(), 2_000.into());
    // 500 × 2.5 and 1,500 × 1.25 per million.
    assert_eq!(cost.usd, Some(usd("0.003125")));
}

/// The same for sums over a session.
/// <https://github.com/langfuse/codex-observability-plugin/issues/22>
#[test]
fn sums_of_a_session_contain_the_cached_tokens() {
    let usage = nested(50_000, 45_000, 100, 0);
    // 5,000 × 5, 45,000 × 0.5 and 100 × 30 per million.
    assert_eq!(total(&question("gpt-5.5", &usage)), usd("0.0505"));
}

/// Catwalk stored the price of a cache read as that of a write.
/// <https://github.com/charmbracelet/catwalk/issues/538>
#[test]
fn no_cache_write_is_cheaper_than_a_read() {
    for provider in PriceBook::builtin().providers() {
        for price in provider.models().iter().flat_map(|model| model.prices()) {
            for rates in std::iter::once(price.rates()).chain(price.long()) {
                let get = |bucket| rates.get(Meter::Tokens(bucket));
                let Some(read) = get(Bucket::CachedInput) else { continue };
                for write in [Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::CacheWrite12h] {
                    if let Some(write) = get(write) {
                        assert!(read <= write, "{} line {price:?}", provider.name());
                    }
                }
            }
        }
    }
}

/// `OpenCode` charged nothing for cached tokens of a provider.
/// <https://github.com/anomalyco/opencode/issues/17121>
#[test]
fn cached_tokens_cost_something() {
    let usage = million(Bucket::CachedInput);
    for provider in PriceBook::builtin().providers() {
        for model in provider.models().iter().filter(|model| !model.is_free()) {
            let cost = price(&PriceQuery { provider: provider.name(), ..question(model.name(), &usage) });
            let name = format!("{} {}", provider.name(), model.name());
            assert!(cost.usd.is_none_or(|usd| usd > spanledger_event::Usd::ZERO), "{name}");
        }
    }
}

/// `ruby_llm` read an exclusive count as an inclusive one and clamped the difference to zero.
/// <https://github.com/crmne/ruby_llm/pull/38>
#[test]
fn a_contradictory_usage_is_not_clamped() {
    let json = r#"{"input_tokens": 5, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 6}}"#;
    let problem = usage::parse("openai", json).unwrap_err().to_problem();
    let none = Usage::default();
    let query = PriceQuery { usage: None, usage_problem: Some(&problem), ..question("gpt-5.5", &none) };
    let (reason, detail) = unpriced(&query);
    assert_eq!(reason, UnpricedReason::ContradictoryUsage);
    assert!(
        detail.ends_with("6 tokens of parts in 5 tokens of input: the parts must be contained in the whole"),
        "{detail}"
    );
}

/// models.dev rounded cached prices to two places.
/// <https://github.com/anomalyco/models.dev/issues/683>
/// <https://github.com/anomalyco/models.dev/issues/1864>
#[test]
fn cached_rates_are_not_rounded() {
    let usage = million(Bucket::CachedInput);
    for (model, tier, cached) in [
        ("gpt-5.4-mini", "default", "0.075"),
        ("gpt-5.4-mini", "batch", "0.0375"),
        ("gpt-5-nano", "default", "0.005"),
        ("gpt-5-nano", "batch", "0.0025"),
        ("gpt-4.1-nano", "default", "0.025"),
        ("o4-mini", "flex", "0.138"),
    ] {
        let cost = price(&PriceQuery { service_tier: Some(tier), ..question(model, &usage) });
        assert_eq!(rate(&cost, "cached_input").to_string(), cached, "{model} {tier}");
    }
    let deepseek = PriceBook::builtin().provider("deepseek").unwrap().model("deepseek-v4-pro").unwrap();
    let may = deepseek.price(Tier::Standard, day("2026-05-15")).unwrap();
    assert_eq!(may.rates().get(Meter::Tokens(Bucket::CachedInput)).unwrap().to_string(), "0.003625");
}
