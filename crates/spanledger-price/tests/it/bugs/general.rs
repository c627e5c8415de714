//! Missing and contradictory usages, and regions. A doc comment that begins with "Mistake" describes the
//! wrong result that the test guards against.

use spanledger_event::{Bucket, UnpricedReason, Usage};
use spanledger_price::{PriceQuery, usage};

use crate::support::{nested, price, question, rate, unpriced, usd};

/// Mistake: a call without a usage, or with a contradictory one, is priced as free.
#[test]
fn no_usage_and_bad_usage_are_unpriced() {
    let usage = nested(1, 0, 1, 0);
    let none = PriceQuery { usage: None, ..question("gpt-5.5", &usage) };
    assert_eq!(unpriced(&none).0, UnpricedReason::NoUsage);

    let problem = usage::parse(
        "openai",
        r#"{"input_tokens": 5, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 6}}"#,
    )
    .unwrap_err()
    .to_problem();
    let (reason, detail) = unpriced(&PriceQuery { usage_problem: Some(&problem), ..none });
    assert_eq!(reason, UnpricedReason::ContradictoryUsage);
    assert!(
        detail.ends_with("6 tokens of parts in 5 tokens of input: the parts must be contained in the whole"),
        "{detail}"
    );

    let absurd = Usage::default().with(Bucket::Input, u64::MAX);
    assert_eq!(unpriced(&question("gpt-5.5", &absurd)).0, UnpricedReason::OutOfRange);
}

/// Mistake: 90,000,000,000,000 images cost 1.8 trillion dollars.
///
/// Guarantees: a count or a cost that no call can have is not shown as a cost, and neither are its lines.
#[test]
fn a_count_or_a_cost_that_no_call_can_have_is_unpriced() {
    let images = |images| {
        let mut usage = Usage::default();
        usage.images = images;
        usage.variant = Some("standard 1024x1024".to_owned());
        usage
    };
    for (count, expected) in [
        (90_000_000_000_000, "`images` is 90000000000000: one call has at most 1000000000"),
        (1_000_000_000, "the cost is 20000000 USD: one call costs at most 1000000 USD"),
        (50_000_001, "the cost is 1000000.02 USD: one call costs at most 1000000 USD"),
    ] {
        let cost = price(&question("dall-e-2", &images(count)));
        assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::OutOfRange)));
        assert_eq!((cost.detail.as_deref(), cost.lines), (Some(expected), vec![]));
    }
    assert_eq!(price(&question("dall-e-2", &images(50_000_000))).usd, Some(usd("1000000")));

    let used = images(1);
    let problem = PriceQuery {
        usage: None,
        usage_problem: Some("x"),
        usage_out_of_range: true,
        ..question("gpt-5.5", &used)
    };
    assert_eq!(unpriced(&problem).0, UnpricedReason::OutOfRange);
}

/// Scenario: a gateway reports zeros because it does not know the counts, or a call fails before the model
/// runs.
/// Guarantees: zeros are read as a missing usage, also for a search model. Only a call that failed without a
/// usage and a call of a free model cost nothing.
#[test]
fn an_all_zero_usage_is_unpriced_and_a_failed_call_is_free() {
    let (zeros, used) = (Usage::default(), nested(1_000, 0, 0, 0));
    let mut zero_seconds = Usage::default();
    zero_seconds.audio_seconds = Some(0.into());
    for (model, usage, failed, expected) in [
        ("gpt-5.5", None, false, Err(UnpricedReason::NoUsage)),
        ("gpt-5.5", Some(&zeros), false, Err(UnpricedReason::NoUsage)),
        ("whisper-1", Some(&zero_seconds), false, Err(UnpricedReason::NoUsage)),
        ("gpt-4o-search-preview", Some(&zeros), false, Err(UnpricedReason::NoUsage)),
        ("gpt-9-unknown", Some(&zeros), false, Err(UnpricedReason::NoUsage)),
        ("omni-moderation-latest", Some(&zeros), false, Ok("0")),
        ("gpt-5.5", None, true, Ok("0")),
        ("gpt-5.5", Some(&zeros), true, Ok("0")),
        ("gpt-9-unknown", None, true, Ok("0")),
        ("gpt-5.5", Some(&used), true, Ok("0.005")),
    ] {
        let cost = price(&PriceQuery { usage, failed, ..question(model, &used) });
        let found = cost.usd.ok_or_else(|| cost.reason.unwrap());
        assert_eq!(found, expected.map(usd), "{model} {usage:?} {failed}");
    }
    let broken =
        PriceQuery { usage: None, usage_problem: Some("x"), failed: true, ..question("gpt-5.5", &used) };
    assert_eq!(unpriced(&broken).0, UnpricedReason::ContradictoryUsage);
}

/// Mistake: the data residency surcharge is not charged, or is charged for models that do not have it.
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
        "models released before the rule have no surcharge"
    );
    assert_eq!(cost("gpt-5.4-mini", "atlantis").reason, Some(UnpricedReason::NoRateForTier));
    assert_eq!(cost("gpt-5.2", "atlantis").reason, None);
}
