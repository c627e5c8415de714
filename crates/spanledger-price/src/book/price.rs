//! Dated prices of a model: rates for a tier and a period.

use std::sync::Arc;

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use super::{Hours, Period};
use crate::{Meter, Tier};

/// The rates of one model and tier for a period.
#[derive(Clone, Debug)]
pub struct Price {
    pub(crate) tier: Tier,
    pub(crate) period: Period,
    pub(crate) hours: Option<Hours>,
    pub(crate) rates: Rates,
    pub(crate) long: Option<Rates>,
    /// Whether the model's long-context threshold does not apply.
    pub(crate) no_long_context: bool,
    pub(crate) provenance: Provenance,
    /// The line of its entry in the file, from 1.
    pub(crate) line: usize,
}

impl Price {
    /// The tier.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// When the price holds. If its entry states no end, it ends where the next price of its tier begins.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The first moment at which it holds, `None` for the beginning of time.
    pub fn from(&self) -> Option<Timestamp> {
        self.period.from()
    }

    /// The first moment at which it does not hold any more.
    pub fn until(&self) -> Option<Timestamp> {
        self.period.until()
    }

    /// The hours of the day to which it is limited.
    pub fn hours(&self) -> Option<Hours> {
        self.hours
    }

    /// The rates.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The rates beyond [`Model::long_context_over`](super::Model::long_context_over).
    pub fn long(&self) -> Option<&Rates> {
        self.long.as_ref()
    }

    /// Whether the rates hold for prompts of any length, even if the model has a threshold.
    pub fn is_flat(&self) -> bool {
        self.no_long_context
    }

    /// The line of its entry in the file, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The sources of its rates.
    pub fn sources(&self) -> &[Source] {
        &self.provenance.sources
    }

    /// The day on which the sources were read.
    pub fn checked(&self) -> &str {
        &self.provenance.checked
    }

    /// Whether it holds at the moment.
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.is_listed_at(at) && self.hours.is_none_or(|hours| hours.contain(at))
    }

    /// Whether the moment is in its period. Hours of the day are ignored.
    pub fn is_listed_at(&self, at: Timestamp) -> bool {
        self.period.contains(at)
    }
}

/// Sorts prices by tier, those of certain hours before those of all hours, then by date. The look-up takes
/// the first price that holds.
pub(super) fn sort(prices: &mut [Price]) {
    prices.sort_by_key(|price| (price.tier, price.hours.is_none(), price.hours, price.from()));
}

/// A source of prices: a price page, a price map, a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in the file.
    pub id: Arc<str>,
    /// What the source is, and when it was read.
    pub text: Arc<str>,
}

/// The sources of an entry's numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provenance {
    pub(crate) sources: Vec<Source>,
    /// The day on which the sources were read.
    pub(crate) checked: String,
}

/// Dollars per [unit](Meter::unit) of each meter that has a rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(pub(crate) Vec<Rate>);

/// One rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The meter that the rate is for.
    pub meter: Meter,
    /// The variant, such as `hd 1024x1792`, if the variants of the meter have different rates.
    pub variant: Option<Box<str>>,
    /// Dollars per unit.
    pub usd: Decimal,
    /// The origin of the rate.
    pub origin: Origin,
}

impl Rate {
    /// A rate of a meter, or of one variant of it.
    pub fn new(meter: Meter, variant: Option<&str>, usd: Decimal, origin: Origin) -> Self {
        Self { meter, variant: variant.map(Into::into), usd, origin }
    }

    /// Whether a price file states the rate. Otherwise it comes from a fallback rule.
    pub fn is_published(&self) -> bool {
        !matches!(self.origin, Origin::Fallback { .. })
    }

    /// Whether the rate is final, so that no [discount](super::Discount) applies to it.
    pub fn is_negotiated(&self) -> bool {
        match self.origin {
            Origin::Listed => false,
            Origin::Override => true,
            Origin::Fallback { negotiated, .. } => negotiated,
        }
    }
}

/// The origin of a rate. The enum is closed, so that code that shows or compares rates treats each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The provider's price list.
    Listed,
    /// A user's price file states it as a final rate.
    Override,
    /// A [fallback rule](super::FallbackRules) gives the meter the rate of another one.
    Fallback {
        /// The meter whose rate it is.
        of: Meter,
        /// Whether that rate is final.
        negotiated: bool,
    },
}

impl FromIterator<Rate> for Rates {
    /// The rates in the order of [`Meter::ALL`]; the variants of a meter keep their order.
    fn from_iter<I: IntoIterator<Item = Rate>>(rates: I) -> Self {
        let mut rates: Vec<Rate> = rates.into_iter().collect();
        rates.sort_by_key(|rate| rate.meter);
        Self(rates)
    }
}

impl Rates {
    /// The rate of the meter, if it does not depend on a variant.
    pub fn get(&self, meter: Meter) -> Option<Decimal> {
        self.of(meter, None)
    }

    /// The rate of one variant of the meter, or its rate for all variants.
    pub fn of(&self, meter: Meter, variant: Option<&str>) -> Option<Decimal> {
        self.find(meter, variant).map(|rate| rate.usd)
    }

    pub(crate) fn find(&self, meter: Meter, variant: Option<&str>) -> Option<&Rate> {
        let matches = |rate: &&Rate| {
            rate.meter == meter
                && match (rate.variant.as_deref(), variant) {
                    (None, _) => true,
                    (Some(own), Some(used)) => own.eq_ignore_ascii_case(used),
                    (Some(_), None) => false,
                }
        };
        self.0.iter().find(matches)
    }

    /// The variants of the meter that have their own rates.
    pub fn variants(&self, meter: Meter) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |rate| rate.meter == meter).filter_map(|rate| rate.variant.as_deref())
    }

    /// All rates, in the order of [`Meter::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &Rate> {
        self.0.iter()
    }

    /// The rates that a price file states, without those of fallback rules.
    pub fn published(&self) -> impl Iterator<Item = &Rate> {
        self.0.iter().filter(|rate| rate.is_published())
    }
}
