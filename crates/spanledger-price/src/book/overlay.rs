//! Prices of a user's own laid over the book's.

use super::{FallbackRules, Hours, Period, Price, Rate, Rates, price};

#[cfg(test)]
mod tests;

/// The prices of `base` with those of `own` laid over them.
///
/// For the time, the tier and the hours of each price of `own`, its rates hold. A rate that it does not
/// state stays as the base has it, on the short and on the long side. Before and after it, the base
/// holds unchanged.
pub(super) fn overlay(base: &[Price], mut own: Vec<Price>, fallback: &FallbackRules) -> Vec<Price> {
    // Prices of certain hours lie over those of all hours, so they come later.
    own.sort_by_key(|price| price.hours.is_some());
    let mut prices = base.to_vec();
    for price in own {
        prices = overlay_one(base, prices, &price, fallback);
    }
    price::sort(&mut prices);
    prices
}

/// Lays one price over the base. `prices` is the result of the prices before it.
fn overlay_one(base: &[Price], prices: Vec<Price>, own: &Price, fallback: &FallbackRules) -> Vec<Price> {
    // A price of certain hours lies over the base's price of the same hours, and where the base has none,
    // over its price of all hours. A price of all hours lies over those of certain hours too, each by
    // itself, and they do not reduce the time that it covers.
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

/// Hours of the base that overlap those of a price only in part. Neither of the two lies over the other, so
/// it would be undefined which one holds.
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

/// The parts of a price that another one does not replace.
fn remaining(under: Price, own: &Price) -> Vec<Price> {
    let is_replaced = own.hours.is_none() || under.hours == own.hours;
    if !is_replaced || !lies_under(&under, own) {
        return vec![under];
    }
    under.period.without(own.period).map(|period| Price { period, ..under.clone() }).collect()
}

fn merge_prices(under: &Price, own: &Price, period: Period, fallback: &FallbackRules) -> Price {
    // Rates that hold for prompts of any length are also those of long prompts.
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
    /// The published rates with others in their place, and what the fallback rules then add.
    ///
    /// A rate replaces the one of the same meter and variant. A rate for all variants of a meter and rates
    /// by variant do not stand beside each other: the new ones remain.
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
