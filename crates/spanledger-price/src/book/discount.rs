//! Percentages off the list prices.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use super::{
    Source,
    price::{Provenance, covers},
};
use crate::Tier;

/// A negotiated percentage off all rates and fees of a provider, or of some models and tiers.
#[derive(Clone, Debug)]
pub struct Discount {
    pub(crate) percent: Decimal,
    /// What remains: `0.875` for 12.5 percent off.
    pub(crate) factor: Decimal,
    /// The words on a cost line.
    pub(crate) label: String,
    pub(crate) models: Vec<String>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) provenance: Provenance,
}

impl Discount {
    pub(crate) fn new(percent: Decimal, provenance: Provenance) -> Self {
        let factor = (Decimal::ONE_HUNDRED - percent) / Decimal::ONE_HUNDRED;
        let label = format!("−{} %", percent.normalize());
        let (models, tiers, from, until) = (Vec::new(), Vec::new(), None, None);
        Self { percent, factor, label, models, tiers, from, until, provenance }
    }

    /// How much is taken off, in percent.
    pub fn percent(&self) -> Decimal {
        self.percent
    }

    /// The only models to which it applies; empty for all.
    pub fn models(&self) -> &[String] {
        &self.models
    }

    /// The only tiers to which it applies; empty for all.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
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

    /// Whether calls of the model in the tier have it at a moment.
    pub fn applies(&self, model: &str, tier: Tier, at: Timestamp) -> bool {
        covers(self.from, self.until, at)
            && (self.tiers.is_empty() || self.tiers.contains(&tier))
            && (self.models.is_empty() || self.models.iter().any(|name| name == model))
    }
}
