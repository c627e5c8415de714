//! Fees for tool calls, and surcharges for regions. They apply to all models of a provider or to some.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use super::{Model, Period, Provider, Source, price::Provenance};
use crate::Meter;

/// A fee per tool call, the same for all models or for some.
#[derive(Clone, Debug)]
pub struct Fee {
    pub(crate) meter: Meter,
    pub(crate) usd: Decimal,
    pub(crate) models: Vec<String>,
    pub(crate) except_models: Vec<String>,
    pub(crate) not_priced_for: Vec<String>,
    pub(crate) period: Period,
    pub(crate) negotiated: bool,
    pub(crate) provenance: Provenance,
}

impl Fee {
    /// The meter that the fee is for.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Dollars per unit.
    pub fn usd(&self) -> Decimal {
        self.usd
    }

    /// The only models to which it applies; empty for all.
    pub fn models(&self) -> &[String] {
        &self.models
    }

    /// The models to which it does not apply. Their fee is unknown unless another entry or their own price
    /// states it.
    pub fn except_models(&self) -> &[String] {
        &self.except_models
    }

    /// Names of the provider under which the fee differs and is unknown.
    pub fn not_priced_for(&self) -> &[String] {
        &self.not_priced_for
    }

    /// Whether one of the user's price files states the fee. No [discount](super::Discount) applies to it.
    pub fn is_negotiated(&self) -> bool {
        self.negotiated
    }

    /// When it holds.
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

    /// The sources of the fee.
    pub fn sources(&self) -> &[Source] {
        &self.provenance.sources
    }

    /// The day on which the sources were read.
    pub fn checked(&self) -> &str {
        &self.provenance.checked
    }

    /// Whether the fee applies to a meter of calls to a model at a moment.
    pub fn applies(&self, meter: Meter, model: &str, at: Timestamp) -> bool {
        self.meter == meter
            && self.period.contains(at)
            && (self.models.is_empty() || self.models.iter().any(|name| name == model))
            && !self.except_models.iter().any(|name| name == model)
    }

    /// The precedence among several fees that apply; the fee with the greatest precedence holds. The user's
    /// fee takes precedence over that of the built-in book, then a fee for named models over one for all,
    /// then a later one over an earlier one.
    pub fn precedence(&self) -> impl Ord + use<> {
        (self.negotiated, !self.models.is_empty(), self.period.from())
    }
}

impl Provider {
    /// The fee of a meter for calls to a model at a moment. A rate in the model's own price takes precedence
    /// over it. The book need not have the model.
    pub fn fee(&self, meter: Meter, model: &str, at: Timestamp) -> Option<&Fee> {
        // Of equal fees the first in the file holds. `max_by_key` takes the last, so the order is reversed.
        let applying = self.fees.iter().rev().filter(|fee| fee.applies(meter, model, at));
        applying.max_by_key(|fee| fee.precedence())
    }
}

/// The surcharge on tokens for processing in a region.
#[derive(Clone, Debug)]
pub struct RegionalSurcharge {
    pub(crate) factor: Decimal,
    /// Each region with its label on cost lines, which shows that the rate contains the factor.
    pub(crate) regions: Vec<(String, String)>,
    pub(crate) no_surcharge: Vec<String>,
    pub(crate) not_priced_for: Vec<String>,
}

impl RegionalSurcharge {
    /// The factor of token rates.
    pub fn factor(&self) -> Decimal {
        self.factor
    }

    /// The regions that have the surcharge, as in the provider's host names.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(|(region, _)| region.as_str())
    }

    /// The regions without a surcharge.
    pub fn no_surcharge(&self) -> &[String] {
        &self.no_surcharge
    }

    /// Names of the provider under which the surcharge is unknown. A call that names a region there is
    /// unpriced.
    pub fn not_priced_for(&self) -> &[String] {
        &self.not_priced_for
    }
}

impl Model {
    /// Whether the provider's surcharge for regional processing applies.
    pub fn is_regional(&self) -> bool {
        self.regional_surcharge
    }
}
