//! Fees of tool calls.

use spanledger_event::{Bucket, Endpoint, UnpricedReason, Usage};
use spanledger_price::{PriceBook, PriceQuery};

use crate::support::{line, nested, price, question, rate, total, unpriced, usd};

fn used(set: impl FnOnce(&mut Usage)) -> Usage {
    let mut usage = Usage::default();
    set(&mut usage);
    usage
}

fn searches(web: u64, file: u64) -> Usage {
    used(|usage| (usage.web_search_calls, usage.file_search_calls) = (web, file))
}

/// Unit vectors tool-01 and tool-02: the fee is the same for reasoning models and others.
#[test]
fn web_searches_cost_a_cent() {
    assert_eq!(total(&question("gpt-5.5", &searches(3, 0))), usd("0.03"));
    assert_eq!(total(&question("gpt-4.1", &searches(1, 0))), usd("0.01"));
}

/// Scenario: only one kind of tool is billed, or file searches are not multiplied by their number.
#[test]
fn both_kinds_of_search_are_billed() {
    let cost = price(&question("gpt-5.5", &searches(2, 4)));
    assert_eq!((line(&cost, "web_search"), line(&cost, "file_search")), (usd("0.02"), usd("0.01")));
    assert_eq!((rate(&cost, "web_search"), cost.lines[0].unit.as_ref()), (10.into(), "1K calls"));
}

/// Scenario: the regional surcharge, which is on tokens only, is added to the fee.
#[test]
fn fees_have_no_regional_surcharge() {
    let usage = searches(1, 0).with(Bucket::Input, 1_000_000 / 4);
    let cost = price(&PriceQuery { region: Some("eu"), ..question("gpt-5.5", &usage) });
    assert_eq!((line(&cost, "input"), line(&cost, "web_search")), (usd("1.375"), usd("0.01")));
}

/// Scenario: a fee that the book does not know is left out of the cost.
#[test]
fn a_unit_without_a_fee_is_unpriced() {
    for model in ["gpt-4o-mini", "gpt-4.1-mini-2025-04-14"] {
        let (reason, detail) = unpriced(&question(model, &searches(1, 0)));
        assert_eq!(reason, UnpricedReason::NoRateForModality, "{model}");
        assert!(detail.contains("web_search (1)"), "{detail}");
    }
    for usage in [
        used(|usage| usage.images = 1),
        used(|usage| usage.characters = 1),
        used(|usage| usage.audio_seconds = Some(61.into())),
    ] {
        assert_eq!(unpriced(&question("gpt-5.5", &usage)).0, UnpricedReason::NoRateForModality, "{usage:?}");
    }
}

fn unit(name: &str, quantity: i64) -> Usage {
    used(|usage| _ = usage.units.insert(name.to_owned(), quantity.into()))
}

/// Scenario: 1,000 calls of the preview tool cost 25 dollars with models that do not reason, and 10 dollars
/// with models that do.
#[test]
fn preview_searches_depend_on_the_model() {
    let usage = unit("web_search_preview", 2);
    assert_eq!(total(&question("gpt-4.1", &usage)), usd("0.05"));
    assert_eq!(total(&question("gpt-5", &usage)), usd("0.02"));
    assert_eq!(total(&question("o4-mini", &usage)), usd("0.02"));
}

/// Scenario: the response of a search model does not count the search that each chat call makes.
#[test]
fn search_models_bill_a_search_at_each_chat_call() {
    let tokens = nested(1_000, 0, 100, 0);
    let counted = |searches| {
        let mut usage = tokens.clone();
        usage.web_search_calls = searches;
        usage
    };
    for (model, endpoint, usage, billed) in [
        ("gpt-4o-search-preview-2025-03-11", Endpoint::Chat, tokens.clone(), "0.025"),
        ("gpt-4o-mini-search-preview", Endpoint::Chat, tokens.clone(), "0.025"),
        ("gpt-5-search-api", Endpoint::Chat, tokens.clone(), "0.01"),
        ("gpt-5-search-api", Endpoint::Other, tokens.clone(), "0.01"),
        ("gpt-5-search-api", Endpoint::Chat, counted(1), "0.01"),
        ("gpt-5-search-api", Endpoint::Chat, counted(3), "0.03"),
        ("gpt-5-search-api", Endpoint::Responses, tokens.clone(), "0"),
        ("gpt-5", Endpoint::Chat, tokens.clone(), "0"),
    ] {
        let query = PriceQuery { endpoint, ..question(model, &usage) };
        assert_eq!(line(&price(&query), "web_search"), usd(billed), "{model} {endpoint}");
        let implied = PriceBook::builtin().implied_usage(&query);
        let is_added = usage.web_search_calls == 0 && billed != "0";
        assert_eq!(implied, is_added.then(|| counted(1)), "{model} {endpoint}");
    }
}

/// Unit vector tool-09: 3 GB are stored for 10 days, and the first gigabyte is free.
#[test]
fn storage_is_billed_by_gigabyte_and_day() {
    let (stored, free, days) = (3, 1, 10);
    assert_eq!(total(&question("gpt-5.5", &unit("storage_gb_days", (stored - free) * days))), usd("2"));
}

/// Unit vectors unit-01 and unit-03: audio has a price per minute and is billed by the second.
#[test]
fn audio_is_billed_by_the_second() {
    let heard = |seconds: i64| used(|usage| usage.audio_seconds = Some(seconds.into()));
    assert_eq!(total(&question("whisper-1", &heard(90))), usd("0.009"));
    assert_eq!(total(&question("gpt-live-1", &heard(61))), usd("0.050833333333"));
}

/// Unit vector unit-04.
#[test]
fn embeddings_have_a_batch_rate() {
    let usage = Usage::default().with(Bucket::Input, 1_000_000);
    let batch = PriceQuery { service_tier: Some("batch"), ..question("text-embedding-3-large", &usage) };
    assert_eq!(total(&batch), usd("0.065"));
}

/// Speech is billed by the character, video by the second and resolution, and code by the container.
#[test]
fn speech_video_and_containers_have_their_units() {
    assert_eq!(total(&question("tts-1", &used(|usage| usage.characters = 1_000))), usd("0.015"));
    assert_eq!(total(&question("tts-1-hd", &used(|usage| usage.characters = 1_000))), usd("0.03"));
    for (model, size, tier, cost) in [
        ("sora-2", "720p", "default", "1"),
        ("sora-2", "720p", "batch", "0.5"),
        ("sora-2-pro", "1080p", "default", "7"),
    ] {
        let mut usage = unit("video_seconds", 10);
        usage.variant = Some(size.to_owned());
        let asked = PriceQuery { service_tier: Some(tier), ..question(model, &usage) };
        assert_eq!(total(&asked), usd(cost), "{model} {size} {tier}");
    }
    for (container, cost) in
        [("container_4gb", "0.12"), ("container_16gb", "0.48"), ("container_64gb", "1.92")]
    {
        assert_eq!(total(&question("gpt-5.5", &unit(container, 1))), usd(cost), "{container}");
    }
}

/// Moderation is known to be free: its cost is zero, not unpriced.
#[test]
fn moderation_is_free() {
    let none = Usage::default();
    for (usage, usage_problem) in
        [(None, None), (Some(&none), None), (None, Some("an object without counts"))]
    {
        let asked = PriceQuery { usage, usage_problem, ..question("omni-moderation-latest", &none) };
        assert_eq!(total(&asked), spanledger_event::Usd::ZERO);
    }
}
