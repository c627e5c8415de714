//! Warns about prices that are valid in a book but look like a mistake.
//!
//! Providers do publish unusual prices, so these are warnings: [`PriceBook::parse`] accepts such prices.

mod rules;

#[cfg(test)]
mod tests;

use std::fmt;

use spanledger_price::{Model, Price, PriceBook, Provider, Tier};

pub use rules::Lint;
pub(crate) use rules::{against_standard, is_embedding, of_rates, of_sides, zeros};

/// A lint and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The tier; `None` if the lint is about all tiers.
    pub tier: Option<Tier>,
    /// The line of the entry in its file, from 1. In a layered book this can be a file of the user.
    pub line: usize,
    /// What looks like a mistake.
    pub lint: Lint,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, model, tier, line, lint } = self;
        write!(f, "{provider} line {line}: {model}")?;
        if let Some(tier) = tier {
            write!(f, " {tier}")?;
        }
        write!(f, ": {lint}")
    }
}

/// All warnings, in the order of the book.
pub fn warnings(book: &PriceBook) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for provider in book.providers() {
        for model in provider.models() {
            of_model(provider, model, &mut warnings);
        }
    }
    warnings
}

fn of_model(provider: &Provider, model: &Model, warnings: &mut Vec<Warning>) {
    let mut warn = |price: &Price, tier: Option<Tier>, lint: Lint| {
        let warning = Warning {
            provider: provider.name().to_owned(),
            model: model.name().to_owned(),
            tier,
            line: price.line(),
            lint,
        };
        // Both sides of an entry, or several pairs of entries, can give the same lint.
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    };
    let prices = model.prices();
    for (at, price) in prices.iter().enumerate() {
        let tier = Some(price.tier());
        for rates in [Some(price.rates()), price.long()].into_iter().flatten() {
            for lint in of_rates(rates, is_embedding(model.name())) {
                warn(price, tier, lint);
            }
        }
        for lint in price.long().into_iter().flat_map(|long| of_sides(price.rates(), long)) {
            warn(price, tier, lint);
        }
        for standard in prices.iter().filter(|other| other.tier() == Tier::Standard && overlap(price, other))
        {
            for lint in against_standard(price.tier(), price.rates(), standard.rates()) {
                warn(price, tier, lint);
            }
        }
        let previous = at.checked_sub(1).map(|before| &prices[before]);
        if previous.is_some_and(|before| before.until() == price.from() && repeats(before, price)) {
            warn(price, tier, Lint::SameAsBefore);
        }
    }
    ends(model, &mut warn);
}

/// Whether there is a moment at which both prices apply.
fn overlap(a: &Price, b: &Price) -> bool {
    let before = |a: &Price, b: &Price| a.until().zip(b.from()).is_some_and(|(end, start)| end <= start);
    let hours = a.hours().zip(b.hours()).is_none_or(|(a, b)| a.overlap(b));
    hours && !before(a, b) && !before(b, a)
}

fn repeats(a: &Price, b: &Price) -> bool {
    (a.tier(), a.hours(), a.rates(), a.long(), a.is_flat())
        == (b.tier(), b.hours(), b.rates(), b.long(), b.is_flat())
}

/// Warns about tiers whose last price ends. If the last prices of all tiers end, it warns once.
fn ends(model: &Model, warn: &mut impl FnMut(&Price, Option<Tier>, Lint)) {
    let last = |tier: Tier| {
        let all_day =
            model.prices().iter().filter(move |price| price.tier() == tier && price.hours().is_none());
        all_day.max_by_key(|price| price.from())
    };
    let lasts: Vec<&Price> = Tier::ALL.into_iter().filter_map(last).collect();
    let ended: Vec<&&Price> = lasts.iter().filter(|price| price.until().is_some()).collect();
    if let (true, Some(price)) = (ended.len() == lasts.len(), ended.iter().max_by_key(|price| price.until()))
    {
        if let (false, Some(until)) = (model.is_free(), price.until()) {
            warn(price, None, Lint::Ended { until });
        }
        return;
    }
    for price in ended {
        if let Some(until) = price.until() {
            warn(price, Some(price.tier()), Lint::Ended { until });
        }
    }
}
