//! Fees of tool calls.

use spanledger_event::{Bucket, UnpricedReason, Usage};
use spanledger_price::Question;

use crate::support::{line, price, question, rate, total, unpriced, usd};

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

/// Scenario: a regional surcharge, which is on tokens, is put on the fee.
#[test]
fn fees_know_no_region() {
    let usage = searches(1, 0).with(Bucket::Input, 1_000_000 / 4);
    let cost = price(&Question { region: Some("eu"), ..question("gpt-5.5", &usage) });
    assert_eq!((line(&cost, "input"), line(&cost, "web_search")), (usd("1.375"), usd("0.01")));
}

/// Scenario: a fee that is not settled is left out.
#[test]
fn unsettled_fees_are_unpriced() {
    for model in ["gpt-4o-mini", "gpt-4.1-mini-2025-04-14", "gpt-4o-search-preview"] {
        let (reason, detail) = unpriced(&question(model, &searches(1, 0)));
        assert_eq!(reason, UnpricedReason::NoRateForModality, "{model}");
        assert!(detail.contains("web_search (1)"), "{detail}");
    }
    for usage in [
        used(|usage| usage.code_interpreter_calls = 1),
        used(|usage| usage.images = 1),
        used(|usage| usage.characters = 1),
        used(|usage| usage.audio_seconds = Some(61.into())),
    ] {
        assert_eq!(unpriced(&question("gpt-5.5", &usage)).0, UnpricedReason::NoRateForModality, "{usage:?}");
    }
}
