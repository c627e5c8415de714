//! E. Names and unknown models.

use spanledger_event::{Bucket, Cost, UnpricedReason, Usage};
use spanledger_price::{Meter, PriceBook, PriceQuery, Tier};

use crate::support::{day, line, nested, price, question, total, unpriced, usd};

/// litellm: names of Azure deployments and dated snapshots were not found, or found as another model.
#[test]
fn bug_51_deployments_and_snapshots() {
    let usage = nested(1_000_000, 0, 0, 0);
    let azure = |model, response_model| PriceQuery {
        provider: "azure.ai.openai",
        model,
        response_model,
        ..question("", &usage)
    };
    assert_eq!(total(&azure(Some("our-deployment"), Some("gpt-4.1-2025-04-14"))), usd("2"));
    assert_eq!(unpriced(&azure(Some("our-deployment"), None)).0, UnpricedReason::UnknownModel);
    let map = "[provider]\nname = \"openai\"\n[deployments]\nour-deployment = \"gpt-4.1-mini\"\n";
    let book = PriceBook::builtin().layered([("prices.toml", map)]).unwrap();
    assert_eq!(book.price(&azure(Some("our-deployment"), None)).usd, Some(usd("0.4")));
    // What the answer says goes before what the deployment is said to be.
    assert_eq!(book.price(&azure(Some("our-deployment"), Some("gpt-4.1"))).usd, Some(usd("2")));

    let short = nested(200_000, 0, 0, 0);
    let gpt_5_5 = [
        "gpt-5.5",
        "gpt-5.5-2026-04-23",
        "openai/gpt-5.5",
        "openai::gpt-5.5-2026-04-23",
        "gpt-5.5-2027-01-01",
    ];
    for name in gpt_5_5 {
        assert_eq!(total(&question(name, &short)), usd("1"), "{name}");
    }
    assert_eq!(total(&question("gpt-5.6", &short)), usd("0.8"), "an alias of gpt-5.6-sol");
    assert_eq!(total(&question("gpt-4o-2024-11-20", &short)), usd("0.5"));
    assert_eq!(total(&question("gpt-4o-2024-05-13", &short)), usd("1"), "a snapshot with a price of its own");
}

/// litellm: a missing model cost nothing, and no budget ever moved.
#[test]
fn bug_52_an_unknown_model_is_not_free() {
    let usage = nested(1_000, 0, 100, 0);
    for model in ["gpt-9-unknown", "gpt-5.5x", "gpt-5.5-2026-4-23", "ft:gpt-5.5:acme::x", "ft:", ""] {
        let (reason, detail) = unpriced(&question(model, &usage));
        assert_eq!(reason, UnpricedReason::UnknownModel, "{model}");
        assert!(detail.contains(model), "{detail}");
    }
    // An all-zero usage is no usage, so that the call is not free either.
    assert_eq!(unpriced(&question("gpt-9-unknown", &Usage::default())).0, UnpricedReason::NoUsage);
}

/// litellm: what came through `OpenRouter` or Bedrock was found under the wrong price, or free. They
/// bill by lists of their own, which the book does not have.
#[test]
fn bug_53_55_resellers_are_not_the_provider() {
    let usage = nested(1_000, 0, 100, 0);
    for (provider, model) in [
        ("openrouter", "openai/gpt-5.5"),
        ("aws.bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("acme", "gpt-5.5"),
    ] {
        let (reason, detail) = unpriced(&PriceQuery { provider, ..question(model, &usage) });
        assert_eq!(reason, UnpricedReason::UnknownModel);
        assert!(detail.contains(provider), "{detail}");
    }
}

/// Azure and Vertex AI have some prices of their own. Where the book knows of one and not its number,
/// the list price is not taken for it.
#[test]
fn another_price_elsewhere_is_unpriced_there() {
    let usage = nested(1_000, 0, 0, 0);
    for (provider, model) in [
        ("azure.ai.openai", "gpt-4-turbo"),
        ("az.ai.openai", "text-embedding-ada-002"),
        ("gcp.vertex_ai", "gemini-2.0-flash-001"),
    ] {
        let (reason, detail) = unpriced(&PriceQuery { provider, ..question(model, &usage) });
        assert_eq!(reason, UnpricedReason::UnknownModel);
        assert!(detail.contains(provider), "{detail}");
    }
    assert_eq!(total(&question("gpt-4-turbo", &usage)), usd("0.01"));
    assert_eq!(
        total(&PriceQuery { provider: "azure.ai.openai", ..question("gpt-5.5", &usage) }),
        usd("0.005")
    );
    // Regions there, too: their surcharges are others.
    for (provider, model, region) in [
        ("azure.ai.openai", "gpt-4o", "eu"),
        ("gcp.vertex_ai", "gemini-3.6-flash", "europe-west4"),
        ("mistral", "mistral-large-latest", "eu"),
    ] {
        let asked = PriceQuery { provider, region: Some(region), ..question(model, &usage) };
        assert_eq!(unpriced(&asked).0, UnpricedReason::NoRateForTier, "{provider}");
        assert!(price(&PriceQuery { region: Some("global"), ..asked }).usd.is_some(), "{provider}");
    }
}

/// litellm: models that are billed by the request cost nothing.
#[test]
fn bug_54_fees_by_the_call_are_billed() {
    let mut usage = nested(10, 0, 10, 0);
    usage.web_search_calls = 1;
    let cost = price(&question("gpt-5.5", &usage));
    assert_eq!(line(&cost, "web_search"), usd("0.01"));
    let mut searched = Usage::default();
    searched.units.insert("search_units".into(), 3.into());
    let rerank = PriceQuery { provider: "cohere", ..question("rerank-v3.5", &searched) };
    assert_eq!(total(&rerank), usd("0.006"));
}

/// `OpenLIT`: prices of a community list that nobody compared. Ours are compared with the published
/// table (`published.rs`), with vectors, and with another engine (`tests/e2e/price_oracle.rs`).
#[test]
fn bug_56_every_entry_says_where_it_is_from() {
    for provider in PriceBook::builtin().providers() {
        for model in provider.models() {
            assert!(model.is_free() || !model.prices().is_empty());
            for price in model.prices() {
                assert!(!price.sources().is_empty() && price.checked().len() == 10, "{}", model.name());
            }
        }
    }
}

/// genai-prices: a fine-tuned model was not found.
#[test]
fn bug_57_fine_tuned_models_have_prices_of_their_own() {
    let usage = nested(1_000_000, 200_000, 0, 0);
    for (name, cost) in [
        // 800,000 × 0.8 and 200,000 × 0.2 per million.
        ("ft:gpt-4.1-mini-2025-04-14:org:suffix:id", "0.68"),
        ("ft:gpt-4.1-mini-2025-04-14:org::id", "0.68"),
        ("ft:gpt-4.1-mini-2025-04-14", "0.68"),
        ("openai/ft:gpt-4o-2024-08-06:org:suffix:id", "3.375"),
        ("ft:o4-mini-2025-04-16:org:suffix:id", "3.4"),
    ] {
        assert_eq!(total(&question(name, &usage)), usd(cost), "{name}");
    }
    // Never the price of the base, and a base that is not listed is unknown.
    assert_ne!(total(&question("gpt-4.1-mini", &usage)), usd("0.68"));
    assert_eq!(unpriced(&question("ft:gpt-5.5-2026-04-23:org::id", &usage)).0, UnpricedReason::UnknownModel);
}

/// litellm: the cached rate of a fine-tuned model stood where the write rate belongs.
#[test]
fn bug_58_the_cached_rate_of_a_fine_tuned_model() {
    let book = PriceBook::builtin();
    let model = book.provider("openai").unwrap().model("ft:gpt-4o-2024-11-20:org::id").unwrap();
    let rates = model.price(Tier::Standard, day("2026-11-15")).unwrap().rates();
    let get = |bucket| rates.get(Meter::Tokens(bucket)).map(|rate| rate.to_string());
    assert_eq!(get(Bucket::CachedInput).as_deref(), Some("1.875"));
    assert_eq!(get(Bucket::CacheWrite).as_deref(), Some("3.75"), "a write costs what input costs");
}

/// A gateway fell back to another model, and the one that was asked for was billed.
#[test]
fn the_model_that_answered_is_billed() {
    let usage = nested(1_000_000, 0, 0, 0);
    let cost = |model, response_model| -> Cost {
        price(&PriceQuery { model, response_model, ..question("", &usage) })
    };
    assert_eq!(cost(Some("gpt-4.1"), Some("gpt-4.1-mini-2025-04-14")).usd, Some(usd("0.4")));
    assert_eq!(cost(Some("gpt-4.1"), None).usd, Some(usd("2")));
    assert_eq!(cost(Some("gpt-4.1"), Some("")).usd, Some(usd("2")));
    assert_eq!(cost(Some("gpt-4.1"), Some("somebody-else's")).usd, None, "never a guess");
}
