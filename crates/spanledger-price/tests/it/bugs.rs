//! What other engines got wrong, one class a test.

use spanledger_event::{Bucket, Endpoint, NestedUsage, UnpricedReason, Usage, Usd};
use spanledger_price::{PriceBook, Question, usage};

use crate::support::{day, line, million, nested, price, question, rate, total, unpriced, usd};

/// Scenario: cached tokens are part of the input, and are billed a second time with it.
#[test]
fn cached_tokens_are_billed_once() {
    let usage = nested(10_000, 8_000, 0, 0);
    let cost = price(&question("gpt-5.5", &usage));
    assert_eq!((line(&cost, "input"), line(&cost, "cached_input")), (usd("0.01"), usd("0.004")));
    assert_eq!(cost.usd, Some(usd("0.014")));
}

/// Scenario: a price list without a cached rate makes cached tokens free.
#[test]
fn cached_tokens_are_never_free() {
    let usage = million(Bucket::CachedInput);
    let short = nested(200_000, 200_000, 0, 0);
    assert_eq!(total(&question("gpt-5.5-pro", &short)), usd("6"));
    assert_eq!(total(&question("gpt-5.5-pro", &usage)), usd("60"), "over the cliff");
    for (tier, cost) in [("standard", "0.5"), ("batch", "1"), ("priority", "0.875")] {
        let question = Question { service_tier: Some(tier), ..question("gpt-4.1", &usage) };
        assert_eq!(total(&question), usd(cost), "{tier}: never another tier's cached rate");
    }
}

/// Scenario: cache writes are part of the input; they cost 1.25 × the input, or 2.5 × for 12 hours.
#[test]
fn cache_writes_are_billed_once_and_by_lifetime() {
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

/// Scenario: a write rate is published, but not for the lifetime that was used.
#[test]
fn a_write_without_a_rate_is_unpriced() {
    let usage = Usage::default().with(Bucket::Input, 1_000).with(Bucket::CacheWrite12h, 5);
    for model in ["gpt-5.6-cyber", "gpt-6-astra-law"] {
        let cost = price(&question(model, &usage));
        assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::NoRateForModality)), "{model}");
        assert_eq!(cost.lines.len(), 1, "the known line is shown");
    }
}

/// Scenario: reasoning is part of the provider's output, and is billed a second time, or never.
#[test]
fn reasoning_tokens_are_billed_once() {
    let usage = nested(0, 0, 1_000, 900);
    let cost = price(&question("gpt-5", &usage));
    assert_eq!((line(&cost, "output"), line(&cost, "reasoning")), (usd("0.001"), usd("0.009")));
    assert_eq!(cost.usd, Some(usd("0.01")));
    for (model, output) in [("gpt-5.4-mini", "4.5"), ("gpt-5.4-nano", "1.25")] {
        assert_eq!(total(&question(model, &million(Bucket::Reasoning))), usd(output), "{model}");
    }
}

/// Scenario: the cliff is taken at 272,000 instead of above, or only for the tokens above it.
#[test]
fn the_cliff_is_strict_and_reprices_the_whole_request() {
    let at = nested(272_000, 0, 1_000, 0);
    let over = nested(272_001, 100_000, 1_000, 400);
    assert_eq!(total(&question("gpt-5.5", &at)), usd("1.39"));
    // 172,001 × 10 + 100,000 × 1 + 1,000 × 45, per million.
    assert_eq!(total(&question("gpt-5.5", &over)), usd("1.86501"));
    let batch = Question { endpoint: Endpoint::Batch, ..question("gpt-5.5", &over) };
    assert_eq!(total(&batch), usd("0.932505"));
}

/// Scenario: cached and written tokens are left out when the prompt is measured.
#[test]
fn the_cliff_looks_at_the_whole_prompt() {
    for bucket in [Bucket::CachedInput, Bucket::CacheWrite, Bucket::CacheWrite12h] {
        let usage = Usage::default().with(Bucket::Input, 1).with(bucket, 272_000);
        assert_eq!(rate(&price(&question("gpt-5.6-terra", &usage)), "input"), 4.into(), "{bucket:?}");
    }
    let usage = Usage::default().with(Bucket::Input, 1).with(Bucket::Output, 300_000);
    assert_eq!(rate(&price(&question("gpt-5.6-terra", &usage)), "input"), 2.into(), "output is no prompt");
}

/// Scenario: a model without a cliff gets one.
#[test]
fn small_models_have_no_cliff() {
    let usage = nested(300_000, 0, 0, 0);
    for (model, cost) in [("gpt-5.4-mini", "0.225"), ("gpt-5.4-nano", "0.06"), ("gpt-5.2", "0.525")] {
        assert_eq!(total(&question(model, &usage)), usd(cost), "{model}");
    }
}

/// Scenario: a tier publishes nothing above the cliff, and another tier's or side's rates are used.
#[test]
fn a_tier_without_a_long_side_is_unpriced_there() {
    let usage = nested(272_001, 0, 500, 0);
    let cases = [
        ("gpt-5.5", "priority"),
        ("gpt-5.4", "priority"),
        ("gpt-5.5-pro", "batch"),
        ("gpt-5.5-pro", "flex"),
        ("gpt-5.6-cyber", "default"),
    ];
    for (model, tier) in cases {
        let (reason, detail) = unpriced(&Question { service_tier: Some(tier), ..question(model, &usage) });
        assert_eq!(reason, UnpricedReason::NoRateForTier, "{model} {tier}");
        assert!(detail.contains("272000") && detail.contains(model), "{detail}");
    }
}

/// Scenario: a priority request was served at the default tier, and is billed as asked.
#[test]
fn the_served_tier_is_billed() {
    let usage = nested(1_000, 0, 0, 0);
    let cost = |tier| total(&Question { service_tier: tier, ..question("gpt-5.5", &usage) });
    for standard in [None, Some(""), Some("default"), Some("auto"), Some("standard")] {
        assert_eq!(cost(standard), usd("0.005"), "{standard:?}");
    }
    assert_eq!(cost(Some("priority")), usd("0.0125"));
    assert_eq!(cost(Some("fast")), usd("0.0125"));
    assert_eq!(cost(Some("flex")), usd("0.0025"));
    assert_eq!(cost(Some("batch")), usd("0.0025"));
}

/// Scenario: an unheard-of tier, or one that the model does not have, is billed as standard.
#[test]
fn a_tier_without_rates_is_unpriced() {
    let usage = nested(1_000, 0, 0, 0);
    let reason = |model, tier| unpriced(&Question { service_tier: Some(tier), ..question(model, &usage) });
    for tier in ["scale", "turbo", "ultrafast"] {
        let (reason, detail) = reason("gpt-5.5", tier);
        assert_eq!(reason, UnpricedReason::NoRateForTier);
        assert!(detail.contains(tier), "{detail}");
    }
    let batch = Question { endpoint: Endpoint::Batch, ..question("gpt-5.3-codex", &usage) };
    assert_eq!(unpriced(&batch).0, UnpricedReason::NoRateForTier, "never half of standard");
}

/// Scenario: batch and flex are computed as half of standard.
#[test]
fn published_discounts_are_not_halves() {
    let cached = nested(200_000, 200_000, 0, 0);
    let flex = |model| total(&Question { service_tier: Some("flex"), ..question(model, &cached) });
    assert_eq!(flex("gpt-5.4"), usd("0.026"), "0.13 per million, not 0.125");
    assert_eq!(flex("o4-mini"), usd("0.0276"), "0.138 per million, not 0.1375");
    let input = nested(1_000_000, 0, 0, 0);
    let batch = Question { endpoint: Endpoint::Batch, ..question("gpt-3.5-turbo-1106", &input) };
    assert_eq!(total(&batch), usd("1"), "no discount at all");
}

/// Scenario: a model that nobody knows costs nothing, so that no budget ever moves.
#[test]
fn an_unknown_model_is_not_free() {
    let usage = nested(1_000, 0, 100, 0);
    for model in ["gpt-9-unknown", "ft:gpt-4o-2024-08-06:acme::abc123", "gpt-5.5x", "gpt-5.5-2026-4-23", ""] {
        let (reason, detail) = unpriced(&question(model, &usage));
        assert_eq!(reason, UnpricedReason::UnknownModel, "{model}");
        assert!(detail.contains(model), "{detail}");
    }
    let (reason, _) = unpriced(&Question { provider: "acme", ..question("gpt-5.5", &usage) });
    assert_eq!(reason, UnpricedReason::UnknownModel);
    // Nor is a call that used nothing: what it would have cost is not known either.
    assert_eq!(unpriced(&question("gpt-9-unknown", &Usage::default())).0, UnpricedReason::UnknownModel);
}

/// Scenario: a gateway fell back to another model, and the one that was asked for is billed.
#[test]
fn the_model_that_answered_is_billed() {
    let usage = nested(1_000_000, 0, 0, 0);
    let cost = |model, response_model| price(&Question { model, response_model, ..question("", &usage) }).usd;
    assert_eq!(cost(Some("gpt-4.1"), Some("gpt-4.1-mini-2025-04-14")), Some(usd("0.4")));
    assert_eq!(cost(Some("gpt-4.1"), None), Some(usd("2")));
    assert_eq!(cost(Some("gpt-4.1"), Some("")), Some(usd("2")));
    assert_eq!(cost(Some("gpt-4.1"), Some("somebody-else's")), None, "never a guess");
    let azure = Question {
        provider: "azure.ai.openai",
        model: Some("our-deployment"),
        ..question("gpt-4.1", &usage)
    };
    assert_eq!(total(&azure), usd("2"));
}

/// Scenario: the same model under its many names.
#[test]
fn names_lead_to_one_price() {
    let usage = nested(200_000, 0, 0, 0);
    let gpt_5_5 = [
        "gpt-5.5",
        "gpt-5.5-2026-04-23",
        "openai/gpt-5.5",
        "openai::gpt-5.5-2026-04-23",
        "gpt-5.5-2027-01-01",
    ];
    for name in gpt_5_5 {
        assert_eq!(total(&question(name, &usage)), usd("1"), "{name}");
    }
    assert_eq!(total(&question("gpt-5.6", &usage)), usd("0.8"), "an alias of gpt-5.6-sol");
    assert_eq!(total(&question("gpt-4o", &usage)), usd("0.5"));
    assert_eq!(total(&question("gpt-4o-2024-11-20", &usage)), usd("0.5"));
    assert_eq!(total(&question("gpt-4o-2024-05-13", &usage)), usd("1"), "a snapshot with a price of its own");
}

/// Scenario: history is priced with today's numbers.
#[test]
fn history_keeps_its_price() {
    let usage = nested(10_000, 2_000, 1_000, 0);
    let cost = |model, on| price(&Question { at: day(on), ..question(model, &usage) });
    assert_eq!(cost("gpt-5.6-sol", "2026-08-20").usd, Some(usd("0.071")));
    assert_eq!(cost("gpt-5.6-sol", "2026-08-21").usd, Some(usd("0.0528")));
    assert_eq!(cost("o3", "2025-06-09").usd, Some(usd("0.125")));
    assert_eq!(cost("o3", "2025-06-10").usd, Some(usd("0.025")));
    assert_eq!(cost("o3", "2025-04-15").reason, Some(UnpricedReason::NoPriceAtThatTime));
    let last = spanledger_event::Timestamp::from_nanos(day("2025-06-10").nanos() - 1);
    let before = Question { at: last, ..question("o3", &usage) };
    assert_eq!(total(&before), usd("0.125"), "to the nanosecond");
}

/// Scenario: the provider sent no usage, or one that cannot be true, and the call costs nothing.
#[test]
fn no_usage_and_bad_usage_are_unpriced() {
    let usage = Usage::default();
    let none = Question { usage: None, ..question("gpt-5.5", &usage) };
    assert_eq!(unpriced(&none).0, UnpricedReason::NoUsage);

    let problem = usage::openai::parse(
        r#"{"input_tokens": 5, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 6}}"#,
    )
    .unwrap_err()
    .to_problem();
    let (reason, detail) = unpriced(&Question { usage_problem: Some(&problem), ..none });
    assert_eq!(reason, UnpricedReason::ContradictoryUsage);
    assert!(detail.contains('6') && detail.contains('5'), "{detail}");

    let absurd = Usage::default().with(Bucket::Input, u64::MAX);
    assert_eq!(unpriced(&question("gpt-5.5", &absurd)).0, UnpricedReason::ContradictoryUsage);
}

/// Scenario: small amounts are rounded away, or grow a tail of digits.
#[test]
fn no_digit_is_lost_or_made() {
    let embedding = question("text-embedding-3-small", &Usage::default()).at;
    let usage = nested(1, 0, 0, 0);
    let one = Question {
        endpoint: Endpoint::Embeddings,
        at: embedding,
        ..question("text-embedding-3-small", &usage)
    };
    assert_eq!(total(&one), usd("0.00000002"));
    let cost =
        price(&Question { service_tier: Some("batch"), ..question("gpt-5-nano", &nested(1, 1, 1, 0)) });
    assert_eq!(cost.usd.map(Usd::picos), Some(2_500 + 200_000));
}

/// Scenario: the data residency surcharge is forgotten, or charged on models that do not have it.
#[test]
fn regions_cost_more_where_published() {
    let usage = nested(1_000, 200, 1_000, 0);
    let cost = |model, region| price(&Question { region: Some(region), ..question(model, &usage) });
    let eu = cost("gpt-5.4-mini", "eu");
    assert_eq!(eu.usd, Some(usd("0.0056265")));
    assert_eq!(
        (rate(&eu, "input").to_string().as_str(), eu.lines[0].unit.as_ref()),
        ("0.825", "1M tokens, eu ×1.1")
    );
    assert_eq!(cost("gpt-5.4-mini", "US").usd, eu.usd);
    assert_eq!(cost("gpt-5.4-mini", "global").usd, Some(usd("0.005115")));
    assert_eq!(
        cost("gpt-5.2", "eu").usd,
        price(&question("gpt-5.2", &usage)).usd,
        "released before the rule"
    );
    assert_eq!(cost("gpt-5.4-mini", "atlantis").reason, Some(UnpricedReason::NoRateForTier));
    assert_eq!(cost("gpt-5.2", "atlantis").reason, None);
}

/// Scenario: tokens of a kind that the model has no rate for are left out of the cost.
#[test]
fn a_kind_without_a_rate_is_unpriced() {
    let usage = Usage::default().with(Bucket::Input, 1_000).with(Bucket::AudioInput, 44);
    let cost = PriceBook::builtin().price(&question("gpt-4o", &usage));
    assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::NoRateForModality)));
    assert!(cost.detail.as_deref().is_some_and(|detail| detail.contains("audio_input (44)")), "{cost:?}");
    assert_eq!(cost.lines.len(), 1);
    let embedding = Usage::default().with(Bucket::Output, 1);
    assert_eq!(
        unpriced(&question("text-embedding-3-large", &embedding)).0,
        UnpricedReason::NoRateForModality
    );
}
