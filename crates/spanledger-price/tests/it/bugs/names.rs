//! Names of models and unknown models.

use spanledger_event::{Bucket, Cost, UnpricedReason, Usage};
use spanledger_price::{Meter, PriceBook, PriceQuery, Tier};

use crate::support::{day, line, nested, price, question, total, unpriced, usd};

/// LiteLLM did not find names of Azure deployments and dated snapshots, or found another model.
/// <https://github.com/BerriAI/litellm/issues/1810>
/// <https://github.com/BerriAI/litellm/issues/9028>
/// <https://github.com/BerriAI/litellm/issues/33172>
#[test]
fn deployments_and_snapshots_lead_to_their_model() {
    let usage = nested(1_000_000, 0, 0, 0);
    let azure = |model, response_model| PriceQuery {
        provider: "azure.ai.openai",
        model,
        response_model,
        ..question("", &usage)
    };
    assert_eq!(total(&azure(Some("our-deployment"), Some("gpt-4.1-2025-04-14"))), usd("2"));
    assert_eq!(unpriced(&azure(Some("our-deployment"), None)).0, UnpricedReason::UnknownModel);
    let map = r#"
[provider]
name = "openai"
[deployments]
our-deployment = "gpt-4.1-mini"
"#;
    let book = PriceBook::builtin().layered([("prices.toml", map)]).unwrap();
    assert_eq!(book.price(&azure(Some("our-deployment"), None)).usd, Some(usd("0.4")));
    // The model in the response takes precedence over the model of the deployment.
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

/// LiteLLM charged nothing for a missing model, so no budget moved.
/// <https://github.com/BerriAI/litellm/pull/39426>
#[test]
fn an_unknown_model_is_not_free() {
    let usage = nested(1_000, 0, 100, 0);
    for model in ["gpt-9-unknown", "gpt-5.5x", "gpt-5.5-2026-4-23", "ft:gpt-5.5:acme::x", "ft:", ""] {
        let (reason, detail) = unpriced(&question(model, &usage));
        assert_eq!(reason, UnpricedReason::UnknownModel, "{model}");
        assert!(detail.contains(model), "{detail}");
    }
    // An all-zero usage is treated as missing, so that the call is not free either.
    assert_eq!(unpriced(&question("gpt-9-unknown", &Usage::default())).0, UnpricedReason::NoUsage);
}

/// LiteLLM priced calls through `OpenRouter` or Bedrock by another list, or not at all. Resellers have their
/// own prices, which the book does not have.
/// <https://github.com/BerriAI/litellm/issues/38507>
/// <https://github.com/BerriAI/litellm/issues/12313>
#[test]
fn resellers_are_not_the_provider() {
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

/// Some prices of Azure and Vertex AI differ from the list. If the book does not have such a price, the call
/// is unpriced and not billed by the list.
#[test]
fn a_channel_with_another_price_is_unpriced() {
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
    // A call that names a region there is unpriced too, because the surcharges differ.
    for (provider, model, region) in [
        ("azure.ai.openai", "gpt-4o", "eu"),
        ("gcp.vertex_ai", "gemini-3.6-flash", "europe-west4"),
        ("mistral", "mistral-large-latest", "eu"),
    ] {
        let query = PriceQuery { provider, region: Some(region), ..question(model, &usage) };
        assert_eq!(unpriced(&query).0, UnpricedReason::NoRateForTier, "{provider}");
        assert!(price(&PriceQuery { region: Some("global"), ..query }).usd.is_some(), "{provider}");
    }
}

/// LiteLLM charged nothing for models that are billed by the request.
/// <https://github.com/BerriAI/litellm/pull/37972>
#[test]
fn fees_per_call_are_billed() {
    let mut usage = nested(10, 0, 10, 0);
    usage.web_search_calls = 1;
    let cost = price(&question("gpt-5.5", &usage));
    assert_eq!(line(&cost, "web_search"), usd("0.01"));
    let mut searched = Usage::default();
    searched.units.insert("search_units".into(), 3.into());
    let rerank = PriceQuery { provider: "cohere", ..question("rerank-v3.5", &searched) };
    assert_eq!(total(&rerank), usd("0.006"));
}

/// `OpenLIT` used prices that had not been compared with a published list. The book's prices are compared with
/// the published table (`published.rs`), with vectors, and with another engine (`tests/e2e/price_oracle.rs`).
/// <https://github.com/openlit/openlit/issues/914>
/// <https://github.com/openlit/openlit/issues/1284>
#[test]
fn every_entry_has_sources_and_the_day_they_were_read() {
    for provider in PriceBook::builtin().providers() {
        for model in provider.models() {
            assert!(model.is_free() || !model.prices().is_empty());
            for price in model.prices() {
                assert!(!price.sources().is_empty() && price.checked().len() == 10, "{}", model.name());
            }
        }
    }
}

/// genai-prices 0.2.3 does not find fine-tuned models.
#[test]
fn fine_tuned_models_have_prices_of_their_own() {
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
    // A fine-tuned model never has the price of its base. If it is not listed, it is unknown.
    assert_ne!(total(&question("gpt-4.1-mini", &usage)), usd("0.68"));
    assert_eq!(unpriced(&question("ft:gpt-5.5-2026-04-23:org::id", &usage)).0, UnpricedReason::UnknownModel);
}

/// LiteLLM's price map has the cached rate of a fine-tuned model as its cache write rate.
#[test]
fn the_cached_rate_of_a_fine_tuned_model_is_not_its_write_rate() {
    let book = PriceBook::builtin();
    let model = book.provider("openai").unwrap().model("ft:gpt-4o-2024-11-20:org::id").unwrap();
    let rates = model.price(Tier::Standard, day("2026-11-15")).unwrap().rates();
    let get = |bucket| rates.get(Meter::Tokens(bucket)).map(|rate| rate.to_string());
    assert_eq!(get(Bucket::CachedInput).as_deref(), Some("1.875"));
    assert_eq!(get(Bucket::CacheWrite).as_deref(), Some("3.75"), "a write costs what input costs");
}

/// A gateway used a fallback model, and the requested model was billed.
#[test]
fn the_model_that_answered_is_billed() {
    let usage = nested(1_000_000, 0, 0, 0);
    let cost = |model, response_model| -> Cost {
        price(&PriceQuery { model, response_model, ..question("", &usage) })
    };
    assert_eq!(cost(Some("gpt-4.1"), Some("gpt-4.1-mini-2025-04-14")).usd, Some(usd("0.4")));
    assert_eq!(cost(Some("gpt-4.1"), None).usd, Some(usd("2")));
    assert_eq!(cost(Some("gpt-4.1"), Some("")).usd, Some(usd("2")));
    assert_eq!(cost(Some("gpt-4.1"), Some("another-model")).usd, None, "never a guess");
}
