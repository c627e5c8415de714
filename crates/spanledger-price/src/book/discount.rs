//! Discounts: percentages off the list prices.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use super::{Model, Period, Provider, Source, price::Provenance};
use crate::Tier;

/// A negotiated percentage off all rates and fees of a provider, or of some models and tiers.
#[derive(Clone, Debug)]
pub struct Discount {
    pub(crate) percent: Decimal,
    /// The factor of the rates: `0.875` for 12.5 percent off.
    pub(crate) factor: Decimal,
    /// The label on cost lines.
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

    /// When the discount holds.
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

    /// Whether the discount applies to calls to the model in the tier at a moment.
    pub fn applies(&self, model: &str, tier: Tier, at: Timestamp) -> bool {
        self.period.contains(at)
            && (self.tiers.is_empty() || self.tiers.contains(&tier))
            && (self.models.is_empty() || self.models.iter().any(|name| name == model))
    }
}

impl Provider {
    /// The discount on calls to a model in a tier at a moment. If several apply, only one holds: first one
    /// that names the model, then one that names the tier, then the latest. Discounts are not combined.
    pub fn discount(&self, model: &Model, tier: Tier, at: Timestamp) -> Option<&Discount> {
        // Of equal discounts the first in the file holds. `max_by_key` takes the last, so the order is
        // reversed.
        let applying = self.discounts.iter().rev().filter(|discount| discount.applies(&model.name, tier, at));
        applying.max_by_key(|discount| {
            (!discount.models.is_empty(), !discount.tiers.is_empty(), discount.period.from())
        })
    }
}
