//! Counts that a usage object does not state: which they are, and whether they make a cost inexact.

use spanledger_event::{Bucket, CostCertainty, Endpoint, Unstated, Usage};
use spanledger_price::{PriceQuery, usage::parse_for};

use crate::support::{day, price, question, usd};

const NONE: Unstated = Unstated::NONE;
const ALL: Unstated = Unstated::ALL;
const REASONING: Unstated = Unstated { reasoning: true, ..NONE };
const CACHE: Unstated = Unstated { reasoning: false, ..ALL };

/// Guarantees: a count that an object lacks is unstated, unless the form leaves it out where nothing was used.
#[test]
fn each_form_says_which_counts_it_states() {
    use Endpoint::{Chat, Embeddings, Images, Other, Responses};
    for (provider, endpoint, json, expected) in [
        // OpenAI's form, from OpenAI or from a server that drops the details.
        ("openai", Chat, r#"{"prompt_tokens": 7, "completion_tokens": 5}"#, ALL),
        (
            "openai",
            Chat,
            r#"{"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": null,
                "completion_tokens_details": {"reasoning_tokens": null}}"#,
            ALL,
        ),
        (
            "openai",
            Chat,
            r#"{"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0}}"#,
            NONE,
        ),
        (
            "openai",
            Responses,
            r#"{"input_tokens": 7, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}}"#,
            CACHE,
        ),
        (
            "openai",
            Responses,
            r#"{"input_tokens": 7, "output_tokens": 5, "input_tokens_details": {"cache_write_tokens": 0}}"#,
            Unstated { cache_write: false, ..ALL },
        ),
        ("openai", Chat, r#"{"prompt_tokens": 7, "completion_tokens": 5, "cached_tokens": 3}"#, REASONING),
        // These endpoints have neither a cache nor hidden output.
        ("openai", Embeddings, r#"{"prompt_tokens": 8, "total_tokens": 8}"#, NONE),
        ("openai", Images, r#"{"input_tokens": 8, "output_tokens": 100, "total_tokens": 108}"#, NONE),
        // DeepSeek's tokens that missed the cache are all others.
        (
            "deepseek",
            Chat,
            r#"{"prompt_tokens": 8, "completion_tokens": 1, "prompt_cache_miss_tokens": 8}"#,
            REASONING,
        ),
        ("x_ai", Chat, r#"{"prompt_tokens": 8, "completion_tokens": 1, "reasoning_tokens": 0}"#, CACHE),
        // Anthropic's and Bedrock's counts of the cache are absent if the call did not use one.
        ("anthropic", Chat, r#"{"input_tokens": 8, "output_tokens": 1}"#, REASONING),
        (
            "anthropic",
            Chat,
            r#"{"input_tokens": 8, "output_tokens": 1, "output_tokens_details": {"thinking_tokens": 0}}"#,
            NONE,
        ),
        ("aws.bedrock", Chat, r#"{"inputTokens": 8, "outputTokens": 1, "totalTokens": 9}"#, REASONING),
        // Anthropic's usage in OpenAI's form went through a gateway.
        ("anthropic", Chat, r#"{"prompt_tokens": 8, "completion_tokens": 1}"#, ALL),
        // Google omits counts of zero.
        ("gcp.gemini", Chat, r#"{"promptTokenCount": 8, "candidatesTokenCount": 1}"#, NONE),
        ("cohere", Chat, r#"{"billed_units": {"input_tokens": 8, "output_tokens": 1}}"#, REASONING),
        ("cohere", Embeddings, r#"{"billed_units": {"input_tokens": 8}}"#, NONE),
        // Without tokens there is nothing to state.
        ("openai", Other, r#"{"seconds": 61}"#, NONE),
    ] {
        let parsed = parse_for(provider, endpoint, json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(parsed.usage.unstated(), expected, "{provider} {endpoint} {json}");
        assert_eq!(parsed.nested.unstated, expected, "{provider} {endpoint} {json}");
    }
}

fn totals(unstated: Unstated) -> Usage {
    Usage::default().with(Bucket::Input, 1_000).with(Bucket::Output, 200).with_unstated(unstated)
}

/// The certainty of a cost, which must exist.
fn certainty(question: &PriceQuery<'_>) -> CostCertainty {
    let cost = price(question);
    assert!(cost.usd.is_some(), "{cost:?}");
    cost.certainty
}

/// Scenario: an instrumentation states 1,000 tokens in and 200 out, and leaves out 400 cached ones.
#[test]
fn a_cost_without_cached_tokens_is_an_upper_bound() {
    let (all, none) = (totals(ALL), totals(NONE));
    let bound = price(&question("gpt-5.5", &all));
    assert_eq!((bound.usd, bound.certainty), (Some(usd("0.011")), CostCertainty::UpperBound));
    let exact = price(&question("gpt-5.5", &none));
    assert_eq!((exact.usd, exact.certainty), (Some(usd("0.011")), CostCertainty::Exact));
    let real = totals(NONE).with(Bucket::Input, 600).with(Bucket::CachedInput, 400);
    assert_eq!(price(&question("gpt-5.5", &real)).usd, Some(usd("0.0092")));
    assert_eq!(certainty(&question("gpt-5.5", &totals(REASONING))), CostCertainty::Exact);
}

#[test]
fn a_model_that_bills_cached_input_like_input_has_an_exact_cost() {
    let usage = totals(ALL);
    for model in ["gpt-5.5-pro", "text-embedding-3-small", "gpt-4", "omni-moderation-latest"] {
        let usage =
            if model.starts_with("text") { totals(ALL).with(Bucket::Output, 0) } else { usage.clone() };
        assert_eq!(certainty(&question(model, &usage)), CostCertainty::Exact, "{model}");
    }
    let without_input = usage.with(Bucket::Input, 0);
    assert_eq!(certainty(&question("gpt-5.5", &without_input)), CostCertainty::Exact);
}

/// Guarantees: where a model bills cache writes above its input, a usage that does not state them may be too
/// low as well, so that its cost is not called an upper bound.
#[test]
fn a_cost_without_cache_writes_is_uncertain_where_they_are_dearer() {
    let writes = Unstated { cache_write: true, ..NONE };
    let cached = Unstated { cached: true, ..NONE };
    for (unstated, expected) in [
        (ALL, CostCertainty::Uncertain),
        (writes, CostCertainty::Uncertain),
        (cached, CostCertainty::UpperBound),
        (REASONING, CostCertainty::Exact),
    ] {
        let usage = totals(unstated);
        assert_eq!(certainty(&question("gpt-6.1-sol", &usage)), expected, "{unstated:?}");
        let claude = PriceQuery { provider: "anthropic", ..question("claude-sonnet-4-5", &usage) };
        assert_eq!(certainty(&claude), expected, "{unstated:?}");
    }
    // The model's writes cost as much as its input.
    assert_eq!(certainty(&question("gpt-5.5", &totals(writes))), CostCertainty::Exact);
}

/// Guarantees: the rates of the call's own time and tier decide.
#[test]
fn the_rates_of_the_tier_and_the_time_decide() {
    let usage = totals(ALL);
    let at_tier = |tier| certainty(&PriceQuery { service_tier: Some(tier), ..question("gpt-5.5", &usage) });
    assert_eq!((at_tier("default"), at_tier("flex")), (CostCertainty::UpperBound, CostCertainty::UpperBound));
    // OpenAI publishes no cached rate for batches of this model.
    let of_41 = |tier| certainty(&PriceQuery { service_tier: Some(tier), ..question("gpt-4.1", &usage) });
    assert_eq!((of_41("default"), of_41("batch")), (CostCertainty::UpperBound, CostCertainty::Exact));
    let unpriced = price(&PriceQuery { at: day("2020-01-01"), ..question("gpt-5.5", &usage) });
    assert_eq!((unpriced.usd, unpriced.certainty), (None, CostCertainty::Exact));
    let regional = PriceQuery { region: Some("eu"), ..question("gpt-5.5", &usage) };
    assert_eq!(certainty(&regional), CostCertainty::UpperBound);
}

#[test]
fn unstated_cached_audio_makes_an_upper_bound_too() {
    let usage = Usage::default().with(Bucket::AudioInput, 1_000).with(Bucket::Output, 1);
    let usage = usage.with_unstated(Unstated { cached: true, ..NONE });
    assert_eq!(certainty(&question("gpt-realtime-2.1", &usage)), CostCertainty::UpperBound);
}
