//! Dated rates, fees and surcharges.

use std::sync::Arc;

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use super::{Hours, parse::lend};
use crate::{Meter, Tier};

/// Whether a moment lies from one day on and before another, where there are such.
pub fn covers(from: Option<Timestamp>, until: Option<Timestamp>, at: Timestamp) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}

/// The rates of one model and tier for a span of time.
#[derive(Clone, Debug)]
pub struct Price {
    pub(crate) tier: Tier,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) hours: Option<Hours>,
    pub(crate) rates: Rates,
    pub(crate) long: Option<Rates>,
    /// Whether the model's long-context threshold does not apply.
    pub(crate) flat: bool,
    /// How many books lie under the one that it is from.
    pub(crate) layer: u8,
    pub(crate) provenance: Provenance,
    /// Where it stands in its file.
    pub(crate) line: usize,
}

impl Price {
    /// The tier.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The first moment, `None` for the beginning of time.
    pub fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// The first moment that is not covered any more: the next price's first, or the model's end.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
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

    /// Whether the rates hold for prompts of any length, whatever the model's threshold.
    pub fn is_flat(&self) -> bool {
        self.flat
    }

    /// The line of its file on which it stands, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What says so.
    pub fn sources(&self) -> &[Source] {
        &self.provenance.sources
    }

    /// The day on which the sources were read.
    pub fn checked(&self) -> &str {
        &self.provenance.checked
    }

    /// Whether it is in force at a moment.
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.is_listed_at(at) && self.hours.is_none_or(|hours| hours.contain(at))
    }

    /// Whether the price list of that day has it, at whatever hours.
    pub fn is_listed_at(&self, at: Timestamp) -> bool {
        covers(self.from, self.until, at)
    }
}

/// Something that was read: a price page, a price map, a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in the file.
    pub id: Arc<str>,
    /// What it is and when it was read.
    pub text: Arc<str>,
}

/// Where something in a book is from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provenance {
    pub(crate) sources: Vec<Source>,
    pub(crate) checked: String,
}

/// Dollars per [unit](Meter::unit) of each meter that has a rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(pub(crate) Vec<Rate>);

/// One rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Of what.
    pub meter: Meter,
    /// For which kind of it, where the kinds have rates of their own: `hd 1024x1792`.
    pub variant: Option<Box<str>>,
    /// Dollars per unit.
    pub usd: Decimal,
    /// Whether the provider publishes it; else the book's fallback rule gave it another meter's.
    pub published: bool,
    /// Whether it is of the user's own and final: no [discount](super::Discount) is taken from it.
    pub negotiated: bool,
}

impl Rates {
    /// The rate by which the meter is billed.
    pub fn get(&self, meter: Meter) -> Option<Decimal> {
        self.of(meter, None)
    }

    /// The rate of one variant of the meter; where the rate does not depend on it, that of all.
    pub fn of(&self, meter: Meter, variant: Option<&str>) -> Option<Decimal> {
        self.find(meter, variant).map(|rate| rate.usd)
    }

    pub(crate) fn find(&self, meter: Meter, variant: Option<&str>) -> Option<&Rate> {
        let fits = |rate: &&Rate| {
            rate.meter == meter
                && match (rate.variant.as_deref(), variant) {
                    (None, _) => true,
                    (Some(own), Some(asked)) => own.eq_ignore_ascii_case(asked),
                    (Some(_), None) => false,
                }
        };
        self.0.iter().find(fits)
    }

    /// The variants that have a rate of the meter.
    pub fn variants(&self, meter: Meter) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |rate| rate.meter == meter).filter_map(|rate| rate.variant.as_deref())
    }

    /// All rates, in the order of [`Meter::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &Rate> {
        self.0.iter()
    }

    /// Published rates, and for each meter without one the rate that the
    /// [fallback rules](super::Provider::fallback) give it.
    pub fn with_fallback(published: &[Rate], rules: &[(Meter, Meter)]) -> Self {
        lend(published, rules)
    }
}

impl FromIterator<Rate> for Rates {
    /// Sorted in the order of [`Meter::ALL`]; the variants of a meter keep their order.
    fn from_iter<I: IntoIterator<Item = Rate>>(rates: I) -> Self {
        let mut rates: Vec<Rate> = rates.into_iter().collect();
        rates.sort_by_key(|rate| rate.meter);
        Self(rates)
    }
}

/// The surcharge on tokens for processing in a region.
#[derive(Clone, Debug)]
pub struct Regional {
    /// Names of the provider under which the surcharge is not known: a region named there is unpriced.
    pub(crate) unknown_for: Vec<String>,
    pub(crate) factor: Decimal,
    /// Each with the words that say on a cost line that the rate contains the factor.
    pub(crate) regions: Vec<(String, String)>,
    pub(crate) neutral: Vec<String>,
}

impl Regional {
    /// What token rates are multiplied with.
    pub fn factor(&self) -> Decimal {
        self.factor
    }

    /// The regions, as in the provider's host names.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(|(region, _)| region.as_str())
    }

    /// Names of the provider under which the surcharge is not known: a region named there is unpriced.
    pub fn unknown_for(&self) -> &[String] {
        &self.unknown_for
    }

    /// Regions that have no surcharge.
    pub fn neutral(&self) -> impl Iterator<Item = &str> {
        self.neutral.iter().map(String::as_str)
    }
}

/// A fee per tool call, the same for all models or for some.
#[derive(Clone, Debug)]
pub struct Fee {
    pub(crate) meter: Meter,
    pub(crate) usd: Decimal,
    pub(crate) only: Vec<String>,
    pub(crate) except: Vec<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) negotiated: bool,
    pub(crate) provenance: Provenance,
}

impl Fee {
    /// Of what.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Dollars per unit.
    pub fn usd(&self) -> Decimal {
        self.usd
    }

    /// The only models to which it applies; empty for all.
    pub fn only(&self) -> &[String] {
        &self.only
    }

    /// The models to which it does not apply; theirs is unknown unless another fee or their own
    /// price has one.
    pub fn except(&self) -> &[String] {
        &self.except
    }

    /// Whether it was laid over the book's own fees: no [discount](super::Discount) is taken from it.
    pub fn is_negotiated(&self) -> bool {
        self.negotiated
    }

    /// The first moment, `None` for the beginning of time.
    pub fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// The first moment that is not covered any more.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// What says so.
    pub fn sources(&self) -> &[Source] {
        &self.provenance.sources
    }

    /// The day on which the sources were read.
    pub fn checked(&self) -> &str {
        &self.provenance.checked
    }

    /// Whether calls of the meter with the model pay it at a moment.
    pub fn applies(&self, meter: Meter, model: &str, at: Timestamp) -> bool {
        self.meter == meter
            && covers(self.from, self.until, at)
            && (self.only.is_empty() || self.only.iter().any(|name| name == model))
            && !self.except.iter().any(|name| name == model)
    }
}
