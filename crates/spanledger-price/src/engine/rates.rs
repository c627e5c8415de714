//! Finds the model, the tier and the rates by which a call is billed.

use rust_decimal::Decimal;
use spanledger_event::{Endpoint, Timestamp, UnpricedReason, Usage};

use super::{query::PriceQuery, unpriced::Unpriced};
use crate::{
    Tier,
    book::{Model, Price, Provider, Rates},
};

/// The model that answered, or the requested model if the response names none.
///
/// A response of an unknown model is not billed as the requested model, because a fallback model may have
/// another price.
pub(super) fn billed_model<'b>(
    provider: &'b Provider,
    query: &PriceQuery<'_>,
) -> Result<&'b Model, Unpriced> {
    let unknown = |detail| Unpriced::new(UnpricedReason::UnknownModel, detail);
    let named = query.response_model.filter(|name| !name.is_empty()).or(query.model);
    let name =
        named.ok_or_else(|| unknown("neither the response nor the request names a model".to_owned()))?;
    let model = provider
        .model(name)
        .ok_or_else(|| unknown(format!("the book has no model `{name}` of {}", provider.name())))?;
    if is_one_of(query.provider, &model.not_priced_for) {
        let detail =
            format!("{} has another price at {}, which the book does not have", model.name(), query.provider);
        return Err(unknown(detail));
    }
    Ok(model)
}

pub(super) fn is_one_of(name: &str, names: &[String]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// The tier that served the call.
pub(super) fn billed_tier(provider: &Provider, query: &PriceQuery<'_>) -> Result<Tier, Unpriced> {
    if query.endpoint == Endpoint::Batch {
        return Ok(Tier::Batch);
    }
    let Some(word) = query.service_tier.filter(|word| !word.is_empty()) else {
        return Ok(Tier::Standard);
    };
    provider.tier(word).ok_or_else(|| {
        let detail = format!("the book has no service tier `{word}` of {}", provider.name());
        Unpriced::new(UnpricedReason::NoRateForTier, detail)
    })
}

/// Whether a sum of prompts is above the threshold of the long-context rates. Each prompt is billed alone, and the
/// sum does not say which of them are above the threshold.
pub(super) fn is_sum_over_threshold(model: &Model, query: &PriceQuery<'_>, usage: &Usage) -> bool {
    query.is_sum && model.long_context_over().is_some_and(|over| usage.prompt_tokens() > over)
}

/// The rates at a moment: the long-context rates if the prompt is above the threshold, else the ordinary
/// ones. A sum of prompts has the ordinary ones.
pub(super) fn billed_rates<'b>(
    model: &'b Model,
    tier: Tier,
    at: Timestamp,
    usage: &Usage,
    is_sum: bool,
) -> Result<&'b Rates, Unpriced> {
    let Some(price) = model.price(tier, at) else {
        let name = model.name();
        return Err(if model.prices().iter().any(|price| price.holds_at(at)) {
            let detail = format!("{name} has no {tier} rates at {at}");
            Unpriced::new(UnpricedReason::NoRateForTier, detail)
        } else {
            let first = model.prices().iter().filter_map(Price::from).filter(|from| at < *from).min();
            let first = first.map_or_else(String::new, |from| format!("; its next price is from {from}"));
            Unpriced::new(UnpricedReason::NoPriceAtThatTime, format!("{name} has no price at {at}{first}"))
        });
    };
    match model.long_context_over() {
        // The whole request has the long rates; no part of it keeps the short ones.
        Some(over) if !is_sum && usage.prompt_tokens() > over && !price.is_flat() => {
            price.long().ok_or_else(|| {
                let detail = format!(
                    "{} publishes no {tier} rates for prompts of over {over} tokens (this one has {})",
                    model.name(),
                    usage.prompt_tokens()
                );
                Unpriced::new(UnpricedReason::NoRateForTier, detail)
            })
        }
        _ => Ok(price.rates()),
    }
}

/// The factor of a region and its label on cost lines; `None` if the region does not change the price.
pub(super) fn regional_factor<'b>(
    provider: &'b Provider,
    model: &Model,
    query: &PriceQuery<'_>,
) -> Result<Option<(Decimal, &'b str)>, Unpriced> {
    let region = query.region.filter(|region| !region.is_empty());
    let (Some(region), Some(rule)) = (region, provider.regional()) else { return Ok(None) };
    let is_unknown = is_one_of(query.provider, &rule.not_priced_for);
    if is_one_of(region, &rule.no_surcharge) || !(model.is_regional() || is_unknown) {
        return Ok(None);
    }
    let known = rule.regions.iter().find(|(name, _)| name.eq_ignore_ascii_case(region));
    if let Some((_, label)) = known.filter(|_| !is_unknown) {
        return Ok(Some((rule.factor, label)));
    }
    let detail =
        format!("the book has no rates of {} at {} for the region `{region}`", model.name(), query.provider);
    Err(Unpriced::new(UnpricedReason::NoRateForTier, detail))
}
