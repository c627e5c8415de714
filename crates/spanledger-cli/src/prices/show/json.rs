//! A model as JSON.

use serde::Serialize;
use serde_json::value::RawValue;
use spanledger_price::{Fee, Price, PriceBook, Rates};

use super::Shown;
use crate::{
    prices::Provenance,
    render::parts::{self, number},
};

#[derive(Serialize)]
struct Json<'a> {
    price_version: &'a str,
    models: Vec<JsonModel<'a>>,
}

#[derive(Serialize)]
struct JsonModel<'a> {
    provider: &'a str,
    model: &'a str,
    aliases: &'a [String],
    snapshots: &'a [String],
    deployments: Vec<&'a str>,
    free: bool,
    long_context_over: Option<u64>,
    regional: Option<JsonRegional<'a>>,
    prices: Vec<JsonPrice<'a>>,
    fees: Vec<JsonFee<'a>>,
    discounts: Vec<Provenance<'a>>,
}

#[derive(Serialize)]
struct JsonRegional<'a> {
    factor: Option<Box<RawValue>>,
    regions: Vec<&'a str>,
}

#[derive(Serialize)]
struct JsonPrice<'a> {
    tier: &'static str,
    #[serde(flatten)]
    entry: Provenance<'a>,
    /// Whether the rates apply to prompts of any length.
    flat: bool,
    rates: Vec<JsonRate<'a>>,
    long_rates: Option<Vec<JsonRate<'a>>>,
}

#[derive(Serialize)]
struct JsonFee<'a> {
    #[serde(flatten)]
    entry: Provenance<'a>,
    unit: &'static str,
    usd: Option<Box<RawValue>>,
}

/// A rate. `published` is false if a fallback rule took the rate from another meter.
#[derive(Serialize)]
pub(in crate::prices) struct JsonRate<'a> {
    meter: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    unit: &'static str,
    usd: Option<Box<RawValue>>,
    published: bool,
    /// Whether the rate is negotiated by the user, so that no discount applies to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    negotiated: bool,
}

impl<'a> JsonRate<'a> {
    pub(in crate::prices) fn all(rates: &'a Rates) -> Vec<Self> {
        let rate = |rate: &'a spanledger_price::Rate| Self {
            meter: rate.meter.name(),
            variant: rate.variant.as_deref(),
            unit: rate.meter.unit(),
            usd: number(rate.usd),
            published: rate.is_published(),
            negotiated: rate.is_negotiated(),
        };
        rates.iter().map(rate).collect()
    }
}

pub(super) fn json(book: &PriceBook, shown: &[Shown<'_>]) -> anyhow::Result<String> {
    let whole = Json { price_version: book.version(), models: shown.iter().map(model).collect() };
    parts::json(&whole)
}

fn model<'b>(shown: &Shown<'b>) -> JsonModel<'b> {
    let Shown { provider, model, at } = *shown;
    let prices = model.prices().iter().filter(|price| at.is_none_or(|at| price.holds_at(at)));
    let price = |price: &'b Price| JsonPrice {
        tier: price.tier().as_str(),
        entry: Provenance::price(price),
        flat: price.is_flat(),
        rates: JsonRate::all(price.rates()),
        long_rates: price.long().map(JsonRate::all),
    };
    let fee = |fee: &'b Fee| JsonFee {
        entry: Provenance::fee(fee),
        unit: fee.meter().unit(),
        usd: number(fee.usd()),
    };
    let regional = provider.regional().filter(|_| model.is_regional());
    JsonModel {
        provider: provider.name(),
        model: model.name(),
        aliases: model.aliases(),
        snapshots: model.snapshots(),
        deployments: provider.deployments_of(model),
        free: model.is_free(),
        long_context_over: model.long_context_over(),
        regional: regional
            .map(|rule| JsonRegional { factor: number(rule.factor()), regions: rule.regions().collect() }),
        prices: prices.map(price).collect(),
        fees: shown.fees().map(fee).collect(),
        discounts: shown.discounts().map(Provenance::discount).collect(),
    }
}
