//! What belongs to no group.

use spanledger_event::{Bucket, UnpricedReason, Usage};
use spanledger_price::{PriceQuery, usage};

use crate::support::{nested, price, question, rate, unpriced, usd};

/// Scenario: the provider sent no usage, or one that cannot be true, and the call costs nothing.
#[test]
fn no_usage_and_bad_usage_are_unpriced() {
    let usage = Usage::default();
    let none = PriceQuery { usage: None, ..question("gpt-5.5", &usage) };
    assert_eq!(unpriced(&none).0, UnpricedReason::NoUsage);

    let problem = usage::openai::parse(
        r#"{"input_tokens": 5, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 6}}"#,
    )
    .unwrap_err()
    .to_problem();
    let (reason, detail) = unpriced(&PriceQuery { usage_problem: Some(&problem), ..none });
    assert_eq!(reason, UnpricedReason::ContradictoryUsage);
    assert!(detail.contains('6') && detail.contains('5'), "{detail}");

    let absurd = Usage::default().with(Bucket::Input, u64::MAX);
    assert_eq!(unpriced(&question("gpt-5.5", &absurd)).0, UnpricedReason::ContradictoryUsage);
}

/// Scenario: the data residency surcharge is forgotten, or charged on models that do not have it.
#[test]
fn regions_cost_more_where_published() {
    let usage = nested(1_000, 200, 1_000, 0);
    let cost = |model, region| price(&PriceQuery { region: Some(region), ..question(model, &usage) });
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
