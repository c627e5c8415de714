//! Shows the cost of one call and its explanation, as a table or as JSON.

use rust_decimal::Decimal;
use serde::Serialize;
use spanledger_event::{Bucket, Cost, CostCertainty, CostLine, Usage, Usd};
use spanledger_price::{Basis, Discount, Fee, Meter, Price, PriceQuery};

use crate::{
    prices::Provenance,
    render::parts::{self, aligned, clean, day, field, grid, list, period, quantity},
};

/// The cost of a call and the data that explains it.
pub(super) struct Explanation<'a> {
    pub(super) query: &'a PriceQuery<'a>,
    pub(super) cost: &'a Cost,
    pub(super) basis: Option<&'a Basis<'a>>,
    /// The usage that was billed.
    pub(super) usage: Option<&'a Usage>,
    /// Counts in the usage for which the price book has no meter.
    pub(super) unrecognized_counts: &'a [String],
}

impl<'a> Explanation<'a> {
    fn model(&self) -> &'a str {
        self.query.response_model.unwrap_or_default()
    }

    /// The fees that bill the cost lines.
    fn fees(&self) -> Vec<&'a Fee> {
        let Some(basis) = self.basis else { return Vec::new() };
        self.cost.lines.iter().filter_map(|line| basis.fee(&line.kind, self.query)).collect()
    }

    /// The discount, if it was applied to a line. It is not applied to negotiated rates.
    fn discount(&self) -> Option<&'a Discount> {
        let discount = self.basis?.discount?;
        let label = format!("−{} %", discount.percent().normalize());
        self.cost.lines.iter().any(|line| line.unit.ends_with(&label)).then_some(discount)
    }

    /// The kinds of the lines whose rate comes from another meter by a fallback rule. Reasoning is left out:
    /// every provider bills reasoning as output.
    fn with_fallback_rate(&self) -> Vec<&'a str> {
        let Some((basis, price)) = self.basis.and_then(|basis| Some((basis, basis.price?))) else {
            return Vec::new();
        };
        let rates = if basis.is_long { price.long() } else { Some(price.rates()) };
        let has_fallback_rate = |line: &&CostLine| {
            let meter = Meter::from_name(&line.kind);
            meter != Some(Meter::Tokens(Bucket::Reasoning))
                && rates
                    .is_some_and(|rates| rates.iter().any(|r| Some(r.meter) == meter && !r.is_published()))
        };
        self.cost.lines.iter().filter(has_fallback_rate).map(|line| &*line.kind).collect()
    }
}

pub(super) fn table(explanation: &Explanation<'_>) -> String {
    let Explanation { query, cost, .. } = explanation;
    let mut text = String::new();
    if !cost.lines.is_empty() {
        text.push_str(&lines(cost));
    } else if cost.usd.is_some() {
        text.push_str("0 USD: this call has nothing to bill\n");
    }
    if let Some(reason) = cost.reason {
        text.push_str(&field("unpriced", reason.as_str()));
        text.push_str(&field("", &clean(cost.detail.as_deref().unwrap_or_default())));
    }
    match cost.certainty {
        CostCertainty::Exact => {}
        CostCertainty::UpperBound => text.push_str(&field(
            "upper bound",
            "the usage does not state its cached tokens, which are cheaper than other input: the real cost may \
             be lower",
        )),
        CostCertainty::Uncertain => text.push_str(&field(
            "uncertain",
            "the usage does not state its cache writes, which are dearer than other input: the real cost may be \
             higher, or lower if cached tokens are not stated either",
        )),
    }
    let called = clean(explanation.model());
    match explanation.basis {
        Some(basis) if basis.model.name() == called => text.push_str(&field("model", &called)),
        Some(basis) => {
            text.push_str(&field("model", &format!("{called}, billed as {}", basis.model.name())));
        }
        None => text.push_str(&field("model", &called)),
    }
    let provider = explanation.basis.map_or(query.provider, |basis| basis.provider.name());
    text.push_str(&field("provider", &clean(provider)));
    text.push_str(&field("priced at", &day(query.at)));
    if let Some(basis) = explanation.basis {
        let side = match (basis.is_long, basis.model.long_context_over()) {
            (true, Some(over)) => {
                format!(", long prompt: over {} tokens", quantity(over.into()))
            }
            _ => String::new(),
        };
        text.push_str(&field("tier", &format!("{}{side}", basis.tier)));
        if let Some(price) = basis.price {
            text.push_str(&entry(price));
        }
    }
    let kinds = explanation.with_fallback_rate();
    if !kinds.is_empty() {
        let words = format!(
            "no rate is published for {}; a fallback rule of the book takes the rate from another meter",
            list(kinds, "and")
        );
        text.push_str(&field("note", &words));
    }
    for fee in explanation.fees() {
        let words = format!(
            "{}, {}, {}",
            fee.meter().name(),
            period(fee.from(), fee.until()),
            read_on(fee.checked())
        );
        text.push_str(&field("fee", &words));
        text.push_str(&sources(fee.sources()));
    }
    if let Some(discount) = explanation.discount() {
        let words = format!(
            "{} % off, {}, {}",
            discount.percent().normalize(),
            period(discount.from(), discount.until()),
            read_on(discount.checked())
        );
        text.push_str(&field("discount", &words));
        text.push_str(&sources(discount.sources()));
    }
    text.push_str(&field("price book", &cost.price_version));
    if !explanation.unrecognized_counts.is_empty() {
        text.push_str(&field("not used", &clean(&explanation.unrecognized_counts.join(", "))));
    }
    text
}

fn lines(cost: &Cost) -> String {
    let known: Usd = cost.lines.iter().map(|line| line.usd).sum();
    let decimals = |amount: Usd| amount.to_decimal();
    let rates: Vec<Option<Decimal>> = cost.lines.iter().map(|line| Some(line.rate)).collect();
    let mut amounts: Vec<Option<Decimal>> = cost.lines.iter().map(|line| decimals(line.usd)).collect();
    amounts.push(decimals(known));
    let (rates, amounts) = (aligned(&rates), aligned(&amounts));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for ((line, rate), usd) in cost.lines.iter().zip(rates).zip(&amounts) {
        let kind = line.kind.to_string();
        rows.push(vec![kind, quantity(line.quantity), rate, line.unit.to_string(), usd.clone()]);
    }
    let total = amounts.last().cloned().unwrap_or_default();
    let (label, total) = match (cost.usd, cost.certainty) {
        (None, _) => ("known part", format!("≥ {total}")),
        (Some(_), CostCertainty::Exact) => ("total", total),
        (Some(_), CostCertainty::UpperBound) => ("total", format!("≤ {total}")),
        (Some(_), CostCertainty::Uncertain) => ("total", format!("≈ {total}")),
    };
    rows.push(vec![label.to_owned(), String::new(), String::new(), String::new(), total]);
    grid(&["kind", "quantity", "rate USD", "per", "USD"], &[1, 2, 4], rows, true)
}

/// Shows the entry of the price book: its period, its hours and its sources.
fn entry(price: &Price) -> String {
    let hours = price.hours().map(|hours| format!(", {hours} UTC")).unwrap_or_default();
    let words = format!("{}{hours}, {}", period(price.from(), price.until()), read_on(price.checked()));
    field("entry", &words) + &sources(price.sources())
}

fn read_on(checked: &str) -> String {
    format!("sources read on {checked}")
}

fn sources(sources: &[spanledger_price::Source]) -> String {
    sources.iter().map(|source| field("", &format!("{}: {}", source.id, source.text))).collect()
}

/// A cost as JSON. All amounts are exact number literals.
#[derive(Serialize)]
pub(super) struct JsonCost<'a> {
    cost_usd: Option<Usd>,
    cost_state: &'static str,
    /// Whether counts that the usage does not state may have changed the cost.
    cost_certainty: &'static str,
    cost_reason: Option<&'static str>,
    cost_detail: Option<&'a str>,
    lines: &'a [CostLine],
    price_version: &'a str,
}

impl<'a> From<&'a Cost> for JsonCost<'a> {
    fn from(cost: &'a Cost) -> Self {
        Self {
            cost_usd: cost.usd,
            cost_state: cost.state(),
            cost_certainty: cost.certainty.as_str(),
            cost_reason: cost.reason.map(|reason| reason.as_str()),
            cost_detail: cost.detail.as_deref(),
            lines: &cost.lines,
            price_version: &cost.price_version,
        }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    cost: JsonCost<'a>,
    priced_at: String,
    provider: &'a str,
    /// The model in the book; null if the book does not have it.
    model: Option<&'a str>,
    tier: Option<&'static str>,
    is_long_prompt: bool,
    entry: Option<Provenance<'a>>,
    fees: Vec<Provenance<'a>>,
    discount: Option<Provenance<'a>>,
    /// The usage in exclusive buckets.
    usage: Option<&'a Usage>,
    not_understood: &'a [String],
}

pub(super) fn json(explanation: &Explanation<'_>) -> anyhow::Result<String> {
    let Explanation { query, cost, basis, usage, unrecognized_counts } = *explanation;
    let whole = Json {
        cost: JsonCost::from(cost),
        priced_at: cost.priced_at.to_string(),
        provider: basis.map_or(query.provider, |basis| basis.provider.name()),
        model: basis.map(|basis| basis.model.name()),
        tier: basis.map(|basis| basis.tier.as_str()),
        is_long_prompt: basis.is_some_and(|basis| basis.is_long),
        entry: basis.and_then(|basis| basis.price).map(Provenance::price),
        fees: explanation.fees().into_iter().map(Provenance::fee).collect(),
        discount: explanation.discount().map(Provenance::discount),
        usage,
        not_understood: unrecognized_counts,
    };
    parts::json(&whole)
}
