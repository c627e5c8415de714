//! Prices laid over other prices.

use spanledger_event::Timestamp;

use super::Price;

#[cfg(test)]
mod tests;

/// `base` with `over` in its place: for the time and the tier of each price of `over`, only it
/// holds; before and after, the base does. One that is limited to certain hours only adds to the
/// base, because the hours' price is asked first.
pub(super) fn over(base: &[Price], over: Vec<Price>) -> Vec<Price> {
    let mut rest: Vec<Price> = base.to_vec();
    for own in over.iter().filter(|own| own.hours.is_none()) {
        rest = rest.into_iter().flat_map(|price| without(price, own)).collect();
    }
    rest.extend(over);
    sort(&mut rest);
    rest
}

/// By tier; the prices of certain hours first, since they win; then by date.
pub(super) fn sort(prices: &mut [Price]) {
    prices.sort_by_key(|price| (price.tier, price.hours.is_none(), price.hours, price.from));
}

/// What is left of a price when another takes its place.
fn without(price: Price, own: &Price) -> Vec<Price> {
    let starts_after =
        |a: Option<Timestamp>, end: Option<Timestamp>| a.zip(end).is_some_and(|(start, end)| start >= end);
    let disjoint = starts_after(price.from, own.until) || starts_after(own.from, price.until);
    if price.tier != own.tier || disjoint {
        return vec![price];
    }
    let before = own
        .from
        .filter(|from| price.from.is_none_or(|start| start < *from))
        .map(|from| Price { until: Some(from), ..price.clone() });
    let after = own
        .until
        .filter(|until| price.until.is_none_or(|end| *until < end))
        .map(|until| Price { from: Some(until), ..price.clone() });
    before.into_iter().chain(after).collect()
}
