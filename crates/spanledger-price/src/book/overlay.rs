//! Applies the prices of a user's file to those of the built-in book.

use super::{FallbackRules, Hours, Period, Price, Rate, Rates, price};

#[cfg(test)]
mod tests;

/// The prices of `base` with those of `own` applied to them.
///
/// Each price of `own` holds for its period, tier and hours. A rate that it does not state is taken from
/// the base, for short and for long prompts. Before and after its period, the base is unchanged.
pub(super) fn overlay(base: &[Price], mut own: Vec<Price>, fallback: &FallbackRules) -> Vec<Price> {
    // Prices of certain hours are applied last, because they take precedence over those of all hours.
    own.sort_by_key(|price| price.hours.is_some());
    let mut prices = base.to_vec();
    for price in own {
        prices = overlay_one(base, prices, &price, fallback);
    }
    price::sort(&mut prices);
    prices
}

/// Applies one price. `prices` is the result of applying the prices before it.
fn overlay_one(base: &[Price], prices: Vec<Price>, own: &Price, fallback: &FallbackRules) -> Vec<Price> {
    // A price of certain hours is merged with the base's price of the same hours or, if there is none, with
    // its price of all hours. A price of all hours is merged with each price of certain hours too. They do
    // not reduce the time that it covers.
    let under = base.iter().filter(|under| lies_under(under, own));
    let (same, other): (Vec<&Price>, Vec<&Price>) = under.partition(|under| under.hours == own.hours);
    let mut uncovered = vec![own.period];
    let mut laid = Vec::new();
    for under in same.into_iter().chain(other) {
        let parts = if own.hours.is_none() { &[own.period][..] } else { &uncovered[..] };
        let common = parts.iter().filter_map(|part| under.period.intersection(*part));
        laid.extend(common.map(|period| merge_prices(under, own, period, fallback)));
        if under.hours.is_none() || under.hours == own.hours {
            uncovered = uncovered.into_iter().flat_map(|part| part.without(under.period)).collect();
        }
    }
    laid.extend(uncovered.into_iter().map(|period| Price { period, ..own.clone() }));
    prices.into_iter().flat_map(|under| remaining(under, own)).chain(laid).collect()
}

/// Finds hours of the base that overlap the hours of a price only partly. It would be undefined which of
/// the two prices holds.
pub(super) fn partial_overlap(base: &[Price], own: &Price) -> Option<Hours> {
    let hours = own.hours?;
    let partly = |under: &&Price| {
        under.tier == own.tier
            && under.hours.is_some_and(|other| other != hours && other.overlap(hours))
            && under.period.overlaps(own.period)
    };
    base.iter().find(partly).and_then(|under| under.hours)
}

fn lies_under(under: &Price, own: &Price) -> bool {
    let hours = own.hours.is_none() || under.hours.is_none() || under.hours == own.hours;
    under.tier == own.tier && hours && under.period.overlaps(own.period)
}

/// The parts of a price of the base that `own` does not replace.
fn remaining(under: Price, own: &Price) -> Vec<Price> {
    let is_replaced = own.hours.is_none() || under.hours == own.hours;
    if !is_replaced || !lies_under(&under, own) {
        return vec![under];
    }
    under.period.without(own.period).map(|period| Price { period, ..under.clone() }).collect()
}

fn merge_prices(under: &Price, own: &Price, period: Period, fallback: &FallbackRules) -> Price {
    // If the rates hold for prompts of any length, they are also the rates of long prompts.
    let under_long = under.long.as_ref().or(under.no_long_context.then_some(&under.rates));
    let long = match (under_long, &own.long) {
        _ if own.no_long_context => None,
        (_, None) if under.no_long_context => None,
        (Some(under), Some(own)) => Some(under.overlay(&published(own), fallback)),
        (under, own) => own.clone().or_else(|| under.cloned()),
    };
    Price {
        period,
        hours: own.hours.or(under.hours),
        rates: under.rates.overlay(&published(&own.rates), fallback),
        no_long_context: own.no_long_context || (under.no_long_context && long.is_none()),
        long,
        ..own.clone()
    }
}

fn published(rates: &Rates) -> Vec<Rate> {
    rates.published().cloned().collect()
}

impl Rates {
    /// Replaces published rates by new ones, and then adds the rates of the fallback rules.
    ///
    /// A new rate replaces the rate of the same meter and variant. A meter has either one rate for all
    /// variants or rates by variant: if old and new rates differ in this, only the new ones are kept.
    #[must_use]
    pub fn overlay(&self, new: &[Rate], fallback: &FallbackRules) -> Self {
        let is_replaced = |rate: &Rate| {
            let same_meter = new.iter().filter(|new| new.meter == rate.meter);
            same_meter
                .into_iter()
                .any(|new| new.variant == rate.variant || new.variant.is_none() || rate.variant.is_none())
        };
        let kept = self.published().filter(|rate| !is_replaced(rate));
        let mut rates: Vec<Rate> = kept.chain(new).cloned().collect();
        rates.sort_by(|a, b| (a.meter, &a.variant).cmp(&(b.meter, &b.variant)));
        fallback.with_fallback(&rates)
    }
}
