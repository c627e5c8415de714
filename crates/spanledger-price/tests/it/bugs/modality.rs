//! Reasoning, images and audio.

use spanledger_event::{Bucket, Endpoint, UnpricedReason, Usage};
use spanledger_price::{PriceBook, PriceQuery, usage};

use crate::support::{day, line, million, nested, price, question, total, unpriced, usd};

/// LiteLLM counted only the reasoning of an output, or everything except the reasoning.
/// <https://github.com/BerriAI/litellm/issues/18599>
/// <https://github.com/BerriAI/litellm/issues/10691>
/// <https://github.com/BerriAI/litellm/issues/10567>
#[test]
fn visible_and_hidden_output_are_both_billed() {
    let usage = nested(0, 0, 1_000, 900);
    let cost = price(&question("gpt-5", &usage));
    assert_eq!((line(&cost, "output"), line(&cost, "reasoning")), (usd("0.001"), usd("0.009")));
}

/// LiteLLM added the reasoning of a realtime call to an output that contains it.
/// <https://github.com/BerriAI/litellm/pull/39850>
#[test]
fn reasoning_of_a_realtime_call_is_part_of_the_output() {
    let json = r#"{"input_tokens": 100, "output_tokens": 60, "total_tokens": 160,
        "input_token_details": {"text_tokens": 100},
        "output_token_details": {"text_tokens": 60, "reasoning_tokens": 40}}"#;
    let usage = usage::parse("openai", json).unwrap().usage;
    let call = PriceQuery { endpoint: Endpoint::Realtime, ..question("gpt-realtime-2.1", &usage) };
    // 100 × 4 and 60 × 24 per million.
    assert_eq!(total(&call), usd("0.00184"));
}

/// `OpenCode` billed reasoning twice.
/// <https://github.com/anomalyco/opencode/issues/17566>
#[test]
fn reasoning_is_billed_once() {
    let (with, without) = (nested(0, 0, 5_000, 4_000), nested(0, 0, 5_000, 0));
    assert_eq!(total(&question("gpt-5.5", &with)), total(&question("gpt-5.5", &without)));
}

/// xAI's completion does not include the reasoning; OpenAI's does.
/// <https://github.com/LiveBench/LiveBench/issues/503>
#[test]
fn reasoning_of_xai_is_beside_the_completion() {
    let json = r#"{"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 350,
        "completion_tokens_details": {"reasoning_tokens": 200}}"#;
    let usage = usage::parse("xai", json).unwrap().usage;
    assert_eq!((usage.tokens(Bucket::Output), usage.tokens(Bucket::Reasoning)), (50, 200));
    let cost = price(&PriceQuery { provider: "xai", at: day("2026-01-15"), ..question("grok-4", &usage) });
    assert_eq!((line(&cost, "output"), line(&cost, "reasoning")), (usd("0.00075"), usd("0.003")));
}

/// LiteLLM charged nothing for an image.
/// <https://github.com/BerriAI/litellm/issues/9522>
#[test]
fn images_are_not_free() {
    let tokens = million(Bucket::ImageOutput);
    assert_eq!(total(&question("gpt-image-1.5", &tokens)), usd("32"));
    let mut made = Usage::default();
    (made.images, made.variant) = (2, Some("hd 1024x1792".to_owned()));
    assert_eq!(total(&question("dall-e-3", &made)), usd("0.24"));
    made.variant = None;
    assert_eq!(unpriced(&question("dall-e-3", &made)).0, UnpricedReason::NoRateForModality);
    // A model that makes no images has no rate for them. The call is unpriced, not free.
    assert_eq!(unpriced(&question("gpt-5.5", &made)).0, UnpricedReason::NoRateForModality);
}

/// Langfuse charged nothing for reasoning if a model had no price for it.
#[test]
fn reasoning_without_a_rate_costs_what_output_costs() {
    for (model, output) in [("gpt-5.4-mini", "4.5"), ("gpt-5.4-nano", "1.25")] {
        assert_eq!(total(&question(model, &million(Bucket::Reasoning))), usd(output), "{model}");
    }
    for provider in PriceBook::builtin().providers() {
        for model in provider.models() {
            let one = |bucket| {
                let usage = million(bucket);
                price(&PriceQuery { provider: provider.name(), ..question(model.name(), &usage) }).usd
            };
            if let (Some(output), Some(reasoning)) = (one(Bucket::Output), one(Bucket::Reasoning)) {
                assert_eq!(output, reasoning, "{} {}", provider.name(), model.name());
            }
        }
    }
}

/// A usage without a breakdown, from a model that makes images: the tokens may be images, which cost
/// many times as much as text.
#[test]
fn output_that_may_be_images_is_not_billed_as_text() {
    let usage = nested(100, 0, 1_290, 0);
    for (provider, model) in [("google", "gemini-2.5-flash-image"), ("openai", "gpt-image-1.5")] {
        let (reason, detail) = unpriced(&PriceQuery { provider, ..question(model, &usage) });
        assert_eq!(reason, UnpricedReason::NoRateForModality);
        assert!(
            detail.contains("output (1290) of which the usage does not say how much is images"),
            "{detail}"
        );
        let reported = usage.clone().with(Bucket::Output, 0).with(Bucket::ImageOutput, 1_290);
        assert!(total(&PriceQuery { provider, ..question(model, &reported) }) > usd("0.03"));
    }
    // If text and images cost the same, the cost is known.
    assert_eq!(total(&question("gpt-image-1", &nested(0, 0, 1_000, 0))), usd("0.04"));
}

/// Tokens of a kind that the model has no rate for were left out of the cost.
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
