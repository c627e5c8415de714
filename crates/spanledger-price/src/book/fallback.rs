//! Fallback rules: the rates of meters for which a price states none.

use super::{Origin, Rate, Rates};
use crate::Meter;

#[cfg(test)]
mod tests;

/// A provider's `[fallback]` rules. If a line of rates has no rate for the first meter of a rule, the meter
/// gets the rate of the second one on the same line. Rules chain: `cached_image_input` → `cached_input` →
/// `input`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FallbackRules(pub(crate) Vec<(Meter, Meter)>);

impl FallbackRules {
    /// The rules, each as the meter without a rate and the meter whose rate it gets.
    pub fn iter(&self) -> impl Iterator<Item = (Meter, Meter)> {
        self.0.iter().copied()
    }

    /// The rules, except those for these meters.
    #[must_use]
    pub fn without(&self, meters: &[Meter]) -> Self {
        Self(self.iter().filter(|(meter, _)| !meters.contains(meter)).collect())
    }

    /// The published rates, and the rates that the rules add, in the order of [`Meter::ALL`].
    pub fn with_fallback(&self, published: &[Rate]) -> Rates {
        let mut rates = Vec::with_capacity(published.len());
        for meter in Meter::ALL {
            let own = published.iter().filter(|rate| rate.meter == meter);
            if own.clone().next().is_some() {
                rates.extend(own.cloned());
            } else if let Some(rate) = self.rate_for(meter, published) {
                let origin = Origin::Fallback { of: rate.meter, negotiated: rate.is_negotiated() };
                rates.push(Rate::new(meter, None, rate.usd, origin));
            }
        }
        Rates(rates)
    }

    /// The published rate that a meter without a rate gets by the rules.
    fn rate_for<'r>(&self, meter: Meter, published: &'r [Rate]) -> Option<&'r Rate> {
        let get = |meter: Meter| published.iter().find(|rate| rate.meter == meter && rate.variant.is_none());
        let writes = Meter::cache_writes();
        let charges_writes = writes.into_iter().any(|meter| get(meter).is_some());
        let mut meter = meter;
        // There are at most as many steps as rules, so that a cycle of rules ends.
        for _ in self.iter() {
            // A provider that publishes a write rate for one lifetime charges for all lifetimes. The rates of
            // the others are unknown, so no rule may supply them.
            if charges_writes && writes.contains(&meter) {
                return None;
            }
            meter = self.iter().find(|(from, _)| *from == meter)?.1;
            if let Some(rate) = get(meter) {
                return Some(rate);
            }
        }
        None
    }
}
