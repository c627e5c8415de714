//! Prices laid over other prices.

use std::cmp::Reverse;

use spanledger_event::Timestamp;

use super::{Hours, Price, Rate, Rates, parse::lend};
use crate::Meter;

#[cfg(test)]
mod tests;

type Rules = [(Meter, Meter)];

/// `base` with `own` laid over it: for the time, the tier and the hours of each price of `own`, its
/// rates hold; what it does not state stays as the base has it, rate by rate and side by side.
/// Before and after, the base holds as it was.
pub(super) fn over(base: &[Price], mut own: Vec<Price>, rules: &Rules) -> Vec<Price> {
    // Those of certain hours lie over those of all.
    own.sort_by_key(|price| price.hours.is_some());
    let mut prices = base.to_vec();
    for price in own {
        prices = lay(base, prices, price, rules);
    }
    sort(&mut prices);
    prices
}

/// Lays one price over the base; `prices` is what the ones before it have made of that.
fn lay(base: &[Price], prices: Vec<Price>, mut price: Price, rules: &Rules) -> Vec<Price> {
    let below: Vec<&Price> = base.iter().filter(|under| lies_under(under, &price)).collect();
    price.layer = below.iter().map(|under| under.layer.saturating_add(1)).fold(price.layer, u8::max);
    let mut uncovered = vec![Span::of(&price)];
    let mut laid = Vec::new();
    // A price of certain hours lies over that of the same hours, and where there is none, over that of
    // all. One of all hours lies over those of certain hours, too; they cover none of it.
    let (same, other): (Vec<&Price>, Vec<&Price>) =
        below.into_iter().partition(|under| under.hours == price.hours);
    for under in same.into_iter().chain(other) {
        let whole = [Span::of(&price)];
        let parts = if price.hours.is_none() { &whole[..] } else { &uncovered[..] };
        let common = parts.iter().filter_map(|part| Span::of(under).common(*part));
        laid.extend(common.map(|span| merged(under, &price, span, rules)));
        if under.hours.is_none() || under.hours == price.hours {
            uncovered = uncovered.into_iter().flat_map(|part| part.without(Span::of(under))).collect();
        }
    }
    laid.extend(uncovered.into_iter().map(|span| Price {
        from: span.from,
        until: span.until,
        ..price.clone()
    }));
    prices.into_iter().flat_map(|under| cut(under, &price)).chain(laid).collect()
}

/// Hours of the base that partly overlap those of a price: neither could be said to lie below it.
pub(super) fn torn_hours(base: &[Price], own: &Price) -> Option<Hours> {
    let hours = own.hours?;
    let torn = |under: &&Price| {
        under.tier == own.tier
            && under.hours.is_some_and(|other| other != hours && other.overlap(hours))
            && Span::of(under).common(Span::of(own)).is_some()
    };
    base.iter().find(torn).and_then(|under| under.hours)
}

/// By tier; the prices of certain hours first, since they win, and of those one's own before the
/// book's; then by date.
pub(super) fn sort(prices: &mut [Price]) {
    prices.sort_by_key(|price| {
        (price.tier, price.hours.is_none(), Reverse(price.layer), price.hours, price.from)
    });
}

fn lies_under(under: &Price, own: &Price) -> bool {
    let hours = own.hours.is_none() || under.hours.is_none() || under.hours == own.hours;
    under.tier == own.tier && hours && Span::of(under).common(Span::of(own)).is_some()
}

/// What is left of a price where another takes its place.
fn cut(under: Price, own: &Price) -> Vec<Price> {
    let gives_way = own.hours.is_none() || under.hours == own.hours;
    if !gives_way || !lies_under(&under, own) {
        return vec![under];
    }
    let left = Span::of(&under).without(Span::of(own));
    left.into_iter().map(|span| Price { from: span.from, until: span.until, ..under.clone() }).collect()
}

fn merged(under: &Price, own: &Price, span: Span, rules: &Rules) -> Price {
    // Where the rates held for prompts of any length, they were those of long ones.
    let under_long = under.long.as_ref().or(under.flat.then_some(&under.rates));
    let long = match (under_long, &own.long) {
        _ if own.flat => None,
        (_, None) if under.flat => None,
        (Some(under), Some(own)) => Some(merge(under, own, rules)),
        (under, own) => own.clone().or_else(|| under.cloned()),
    };
    Price {
        from: span.from,
        until: span.until,
        hours: own.hours.or(under.hours),
        rates: merge(&under.rates, &own.rates, rules),
        flat: own.flat || (under.flat && long.is_none()),
        long,
        ..own.clone()
    }
}

/// The published rates of both, one's own where both state one, and what the rules then lend.
fn merge(under: &Rates, own: &Rates, rules: &Rules) -> Rates {
    let published =
        |rates: &Rates| rates.iter().filter(|rate| rate.published).cloned().collect::<Vec<Rate>>();
    let own = published(own);
    let mut rates = published(under);
    // A rate for all kinds and rates by kind do not stand beside each other.
    rates.retain(|rate| {
        !own.iter().any(|o| {
            o.meter == rate.meter
                && (o.variant == rate.variant || o.variant.is_none() || rate.variant.is_none())
        })
    });
    rates.extend(own);
    rates.sort_by(|a, b| (a.meter, &a.variant).cmp(&(b.meter, &b.variant)));
    lend(&rates, rules)
}

/// From a moment to another; open where there is none.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Span {
    fn of(price: &Price) -> Self {
        Self { from: price.from, until: price.until }
    }

    fn is_empty(self) -> bool {
        self.from.zip(self.until).is_some_and(|(from, until)| from >= until)
    }

    fn common(self, other: Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let span = Self { from: self.from.max(other.from), until };
        (!span.is_empty()).then_some(span)
    }

    /// What lies before and after the other.
    fn without(self, other: Self) -> Vec<Self> {
        if self.common(other).is_none() {
            return vec![self];
        }
        let before = other.from.map(|from| Self { until: Some(from), ..self });
        let after = other.until.map(|until| Self { from: Some(until), ..self });
        before.into_iter().chain(after).filter(|span| !span.is_empty()).collect()
    }
}
