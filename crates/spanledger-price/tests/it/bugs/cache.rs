//! A. Cached tokens and cache writes.

use spanledger_event::{Bucket, NestedUsage, UnpricedReason, Usage};
use spanledger_price::{Meter, PriceBook, PriceQuery, Tier, usage};

use crate::support::{day, line, million, nested, price, question, rate, total, unpriced, usd};

/// litellm: cached tokens were charged at the full rate and at the cached one.
#[test]
fn bug_01_cached_tokens_at_both_rates() {
    let usage = nested(10_000, 8_000, 0, 0);
    let cost = price(&question("gpt-5.5", &usage));
    assert_eq!((line(&cost, "input"), line(&cost, "cached_input")), (usd("0.01"), usd("0.004")));
    assert_eq!(cost.usd, Some(usd("0.014")));
}

/// litellm: tokens that made the cache were counted as input and as writes.
#[test]
fn bug_02_cache_writes_twice() {
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

/// litellm: a Gemini call with a large cache cost four times too much.
#[test]
fn bug_03_gemini_cached_input() {
    let usage = nested(100_000, 90_000, 0, 0);
    let gemini = PriceQuery { provider: "google", ..question("gemini-2.5-pro", &usage) };
    let cost = price(&gemini);
    // 10,000 × 1.25 and 90,000 × 0.125 per million.
    assert_eq!((line(&cost, "input"), line(&cost, "cached_input")), (usd("0.0125"), usd("0.01125")));
}

/// litellm: the text tokens that xAI reports contain the cached ones.
#[test]
fn bug_04_xai_cached_input() {
    let usage = nested(10_000, 9_000, 0, 0);
    let full = Usage::default().with(Bucket::Input, 10_000);
    let ask =
        |usage| total(&PriceQuery { provider: "xai", at: day("2026-01-15"), ..question("grok-4", usage) });
    assert!(ask(&usage) < ask(&full));
    // 1,000 × 3 and 9,000 × 0.75 per million.
    assert_eq!(ask(&usage), usd("0.00975"));
}

/// litellm: with prices of one's own, cached tokens cost the full rate though a cached one was given.
#[test]
fn bug_06_own_prices_know_cached_rates() {
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

    // And bug 07: one that is not given is the list's, and where that has none it is not free.
    let ours = ours.replace("cached_input_per_1m = \"0.4\", ", "");
    let book = PriceBook::builtin().layered([("ours.toml", ours.as_str())]).unwrap();
    assert_eq!(line(&book.price(&question("gpt-5.5", &usage)), "cached_input"), usd("0.004"));
    let ours = ours.replace("gpt-5.5", "gpt-5.5-pro");
    let book = PriceBook::builtin().layered([("ours.toml", ours.as_str())]).unwrap();
    assert_eq!(line(&book.price(&question("gpt-5.5-pro", &usage)), "cached_input"), usd("0.032"));
}

/// litellm: a model from the database lost its cached rate, and the cache was free.
#[test]
fn bug_07_no_cached_rate_is_not_free() {
    let usage = million(Bucket::CachedInput);
    let short = nested(200_000, 200_000, 0, 0);
    assert_eq!(total(&question("gpt-5.5-pro", &short)), usd("6"));
    assert_eq!(total(&question("gpt-5.5-pro", &usage)), usd("60"), "over the cliff");
    for (tier, cost) in [("standard", "0.5"), ("batch", "1"), ("priority", "0.875")] {
        let question = PriceQuery { service_tier: Some(tier), ..question("gpt-4.1", &usage) };
        assert_eq!(total(&question), usd(cost), "{tier}: never another tier's cached rate");
    }
}

/// litellm: OpenAI's `cache_write_tokens` were not read at all.
#[test]
fn bug_08_openai_cache_writes_are_read() {
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

/// litellm: a write of a lifetime whose rate is not published was billed at another one's.
#[test]
fn bug_08_a_write_without_a_rate_is_unpriced() {
    let usage = Usage::default().with(Bucket::Input, 1_000).with(Bucket::CacheWrite12h, 5);
    for model in ["gpt-5.6-cyber", "gpt-6-astra-law"] {
        let cost = price(&question(model, &usage));
        assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::NoRateForModality)), "{model}");
        assert_eq!(cost.lines.len(), 1, "the known line is shown");
    }
}

/// langfuse, phoenix, openinference: cached tokens were added to an input that contains them.
#[test]
fn bug_09_11_input_contains_the_cached_tokens() {
    let json = r#"{"prompt_tokens": 2000, "completion_tokens": 0, "total_tokens": 2000,
        "prompt_tokens_details": {"cached_tokens": 1500}}"#;
    let usage = usage::parse("openai", json).unwrap().usage;
    let cost = price(&question("gpt-4o", &usage));
    assert_eq!(cost.lines.iter().map(|line| line.quantity).sum::<rust_decimal::Decimal>(), 2_000.into());
    // 500 × 2.5 and 1,500 × 1.25 per million.
    assert_eq!(cost.usd, Some(usd("0.003125")));
}

/// codex-observability-plugin: the same, for sums over a session.
#[test]
fn bug_10_session_sums_contain_the_cached_tokens() {
    let usage = nested(50_000, 45_000, 100, 0);
    // 5,000 × 5, 45,000 × 0.5 and 100 × 30 per million.
    assert_eq!(total(&question("gpt-5.5", &usage)), usd("0.0505"));
}

/// catwalk: the read price stood where the write price belongs. In no entry is a write cheaper than
/// a read.
#[test]
fn bug_12_reads_and_writes_are_not_mixed_up() {
    let mut compared = 0;
    for provider in PriceBook::builtin().providers() {
        for price in provider.models().iter().flat_map(|model| model.prices()) {
            for rates in std::iter::once(price.rates()).chain(price.long()) {
                let get = |bucket| rates.get(Meter::Tokens(bucket));
                let Some(read) = get(Bucket::CachedInput) else { continue };
                for write in [Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::CacheWrite12h] {
                    if let Some(write) = get(write) {
                        assert!(read <= write, "{} line {price:?}", provider.name());
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

/// opencode: cached tokens of a provider cost nothing.
#[test]
fn bug_13_cached_tokens_cost_something() {
    let usage = million(Bucket::CachedInput);
    for provider in PriceBook::builtin().providers() {
        for model in provider.models().iter().filter(|model| !model.is_free()) {
            let cost = price(&PriceQuery { provider: provider.name(), ..question(model.name(), &usage) });
            let name = format!("{} {}", provider.name(), model.name());
            assert!(cost.usd.is_none_or(|usd| usd > spanledger_event::Usd::ZERO), "{name}");
        }
    }
}

/// `ruby_llm`: an exclusive count was taken for an inclusive one, and the difference clamped to zero.
#[test]
fn bug_14_nothing_is_clamped() {
    let json = r#"{"input_tokens": 5, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 6}}"#;
    let problem = usage::parse("openai", json).unwrap_err().to_problem();
    let none = Usage::default();
    let asked = PriceQuery { usage: None, usage_problem: Some(&problem), ..question("gpt-5.5", &none) };
    let (reason, detail) = unpriced(&asked);
    assert_eq!(reason, UnpricedReason::ContradictoryUsage);
    assert!(detail.contains('6') && detail.contains('5'), "{detail}");
}

/// models.dev: cached prices were rounded to two places.
#[test]
fn bug_15_cached_rates_are_not_rounded() {
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
