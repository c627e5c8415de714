//! Functions that several tests use.

use rust_decimal::Decimal;
use spanledger_event::{Bucket, Cost, Endpoint, NestedUsage, Timestamp, UnpricedReason, Usage, Usd};
use spanledger_price::{PriceBook, PriceQuery};

/// The start of a day in UTC.
pub(crate) fn day(day: &str) -> Timestamp {
    Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap()
}

pub(crate) fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

/// A usage from the provider's totals: input, cached, output, reasoning.
pub(crate) fn nested(input: u64, cached: u64, output: u64, reasoning: u64) -> Usage {
    NestedUsage { input, cached, output, reasoning, ..NestedUsage::default() }.exclusive().unwrap()
}

/// A call to a model on a day on which all tests expect current prices.
pub(crate) fn question<'a>(model: &'a str, usage: &'a Usage) -> PriceQuery<'a> {
    PriceQuery {
        provider: "openai",
        response_model: Some(model),
        endpoint: Endpoint::Responses,
        at: day("2026-11-15"),
        usage: Some(usage),
        ..PriceQuery::default()
    }
}

pub(crate) fn price(question: &PriceQuery<'_>) -> Cost {
    let cost = PriceBook::builtin().price(question);
    assert_eq!(&*cost.price_version, PriceBook::builtin().version());
    assert_eq!(cost.priced_at, question.at);
    assert_eq!(cost.usd.is_some(), cost.reason.is_none(), "{cost:?}");
    assert_eq!(cost.reason.is_some(), cost.detail.is_some(), "{cost:?}");
    if let Some(total) = cost.usd {
        assert_eq!(total, cost.lines.iter().map(|line| line.usd).sum(), "the lines add up");
    }
    cost
}

/// The total of a call. Panics if it is unpriced.
pub(crate) fn total(question: &PriceQuery<'_>) -> Usd {
    let cost = price(question);
    cost.usd.unwrap_or_else(|| panic!("unpriced: {:?} {:?}", cost.reason, cost.detail))
}

/// The reason and the detail of an unpriced call. Panics if it has a price.
pub(crate) fn unpriced(question: &PriceQuery<'_>) -> (UnpricedReason, String) {
    let cost = price(question);
    assert_eq!(cost.usd, None, "{cost:?}");
    (cost.reason.unwrap(), cost.detail.unwrap())
}

/// The amount of the line of one kind.
pub(crate) fn line(cost: &Cost, kind: &str) -> Usd {
    cost.lines.iter().filter(|line| line.kind == kind).map(|line| line.usd).sum()
}

/// The rate of the line of one kind.
pub(crate) fn rate(cost: &Cost, kind: &str) -> Decimal {
    cost.lines
        .iter()
        .find(|line| line.kind == kind)
        .unwrap_or_else(|| panic!("no line {kind}: {cost:?}"))
        .rate
}

/// One million tokens of one kind, so that the cost is the rate.
pub(crate) fn million(bucket: Bucket) -> Usage {
    Usage::default().with(bucket, 1_000_000)
}
