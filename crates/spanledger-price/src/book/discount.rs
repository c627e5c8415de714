//! Percentages off the list prices.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

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
}

impl Discount {
    pub(crate) fn new(percent: Decimal) -> Self {
        let factor = (Decimal::ONE_HUNDRED - percent) / Decimal::ONE_HUNDRED;
        let label = format!("−{} %", percent.normalize());
        Self { percent, factor, label, models: Vec::new(), tiers: Vec::new(), from: None, until: None }
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

    pub(crate) fn applies(&self, model: &str, tier: Tier, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at)
            && self.until.is_none_or(|until| at < until)
            && (self.tiers.is_empty() || self.tiers.contains(&tier))
            && (self.models.is_empty() || self.models.iter().any(|name| name == model))
    }
}
