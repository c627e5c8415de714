//! What a kind of token costs where a price has no rate for it.

use super::{Origin, Rate, Rates};
use crate::Meter;

#[cfg(test)]
mod tests;

/// A provider's `[fallback]` rules: where a line of rates has none for the first meter, it costs what the
/// second one costs on the same line. Rules chain: `cached_image_input` → `cached_input` → `input`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FallbackRules(pub(crate) Vec<(Meter, Meter)>);

impl FallbackRules {
    /// The rules, each as the meter without a rate and the meter whose rate it gets.
    pub fn iter(&self) -> impl Iterator<Item = (Meter, Meter)> {
        self.0.iter().copied()
    }

    /// The rules that give a rate to none of these meters.
    #[must_use]
    pub fn without(&self, meters: &[Meter]) -> Self {
        Self(self.iter().filter(|(meter, _)| !meters.contains(meter)).collect())
    }

    /// The published rates and those that the rules add, in the order of [`Meter::ALL`].
    pub fn with_fallback(&self, published: &[Rate]) -> Rates {
        let mut rates = Vec::with_capacity(published.len());
        for meter in Meter::ALL {
            let own = published.iter().filter(|rate| rate.meter == meter);
            if own.clone().next().is_some() {
                rates.extend(own.cloned());
            } else if let Some(lender) = self.rate_for(meter, published) {
                let origin = Origin::Fallback { of: lender.meter, negotiated: lender.is_negotiated() };
                rates.push(Rate::new(meter, None, lender.usd, origin));
            }
        }
        Rates(rates)
    }

    /// The published rate that the rules lead to from a meter without one.
    fn rate_for<'r>(&self, meter: Meter, published: &'r [Rate]) -> Option<&'r Rate> {
        let get = |meter: Meter| published.iter().find(|rate| rate.meter == meter && rate.variant.is_none());
        let writes = Meter::cache_writes();
        let charges_writes = writes.into_iter().any(|meter| get(meter).is_some());
        let mut meter = meter;
        // At most as many steps as there are rules, so that rules in a circle end.
        for _ in self.iter() {
            // A provider that charges for writes of one lifetime charges for all of them, and the rate
            // of the others is unknown here.
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
