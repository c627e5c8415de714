//! Percentages off the list prices.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use super::{Model, Period, Provider, Source, price::Provenance};
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
    pub(crate) period: Period,
    pub(crate) provenance: Provenance,
}

impl Discount {
    /// The percentage that is taken off.
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

    /// The sources of the discount.
    pub fn sources(&self) -> &[Source] {
        &self.provenance.sources
    }

    /// The day on which the sources were read.
    pub fn checked(&self) -> &str {
        &self.provenance.checked
    }

    /// Whether calls of the model in the tier have it at a moment.
    pub fn applies(&self, model: &str, tier: Tier, at: Timestamp) -> bool {
        self.period.contains(at)
            && (self.tiers.is_empty() || self.tiers.contains(&tier))
            && (self.models.is_empty() || self.models.iter().any(|name| name == model))
    }
}

impl Provider {
    /// The discount on calls of a model in a tier at a moment. Of several that apply one holds: the one that
    /// names the model, then the one that names the tier, then the latest. They do not add up.
    pub fn discount(&self, model: &Model, tier: Tier, at: Timestamp) -> Option<&Discount> {
        // Of equal ones the first of the file holds: `max_by_key` takes the last.
        let applying = self.discounts.iter().rev().filter(|discount| discount.applies(&model.name, tier, at));
        applying.max_by_key(|discount| {
            (!discount.models.is_empty(), !discount.tiers.is_empty(), discount.period.from())
        })
    }
}
