//! The price of a charge, as the price engine returns it.

use std::{borrow::Cow, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Timestamp, Usd, words::words};

/// The price of one charge: exact lines that add up to it, or the reason why it has no price.
///
/// Unpriced is a value: an unknown model never costs zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cost {
    /// The total, the exact sum of the lines; `None` when unpriced.
    pub usd: Option<Usd>,
    /// Whether the usage stated every count that the total depends on.
    #[serde(default, skip_serializing_if = "CostCertainty::is_exact")]
    pub certainty: CostCertainty,
    /// Why there is no total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<UnpricedReason>,
    /// Details of the reason for people: which model, which tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The lines. An unpriced charge has the lines that could be priced.
    pub lines: Vec<CostLine>,
    /// The version of the price book that was used: its date and content hash.
    pub price_version: Arc<str>,
    /// The prices that were valid at this moment were used. It is the start of the call.
    pub priced_at: Timestamp,
}

/// One line of a cost: `quantity × rate`, rounded once, half to even, to 12 places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CostLine {
    /// What was billed: `input`, `cached_input`, `output`, `reasoning`, …
    pub kind: Cow<'static, str>,
    /// How many units.
    #[serde(with = "crate::money::literal")]
    pub quantity: Decimal,
    /// The unit that the rate is per: `1M tokens`, `call`, …
    pub unit: Cow<'static, str>,
    /// Dollars per unit.
    #[serde(with = "crate::money::literal")]
    pub rate: Decimal,
    /// The amount.
    pub usd: Usd,
}

words! {
    /// Whether the usage stated every count that a cost depends on. A cost that is not exact charges the
    /// unstated tokens at the rate of ordinary input. The later variants say less about the real cost.
    #[derive(Default)]
    pub enum CostCertainty {
        /** The cost is exact, or there is none.*/
        Exact (default) = "exact",
        /** Cached tokens were not stated, and their rate is lower than that of ordinary input: the real cost may be lower.*/
        UpperBound = "upper_bound",
        /** Tokens written to a cache were not stated, and their rate is higher than that of ordinary input: the real cost may be higher. If cached tokens were not stated either, it may also be lower.*/
        Uncertain = "uncertain",
    }
}

impl CostCertainty {
    /// Whether the cost is exact.
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

words! {
    /// Why a charge has no price. The list is closed: each reason has one remedy.
    pub enum UnpricedReason {
        /** The book does not know the model or the provider. Add the model to the prices.*/
        UnknownModel = "unknown_model",
        /** The model is known, but had no price at the time of the call.*/
        NoPriceAtThatTime = "no_price_at_that_time",
        /** The model has no rate for the service tier that served the call.*/
        NoRateForTier = "no_rate_for_tier",
        /** The model has no rate for a kind of token or unit that was used.*/
        NoRateForModality = "no_rate_for_modality",
        /** The usage contradicts itself, so that no part of it can be trusted.*/
        ContradictoryUsage = "contradictory_usage",
        /** The provider reported no usage, for instance because a stream was cut.*/
        NoUsage = "no_usage",
        /** A count or the cost is beyond what one call can have.*/
        OutOfRange = "out_of_range",
    }
}

impl Cost {
    /// The cost of a call that failed before the model ran. The price is known: it is zero.
    pub fn free(price_version: impl Into<Arc<str>>, priced_at: Timestamp) -> Self {
        Self {
            usd: Some(Usd::ZERO),
            certainty: CostCertainty::Exact,
            reason: None,
            detail: None,
            lines: Vec::new(),
            price_version: price_version.into(),
            priced_at,
        }
    }

    /// `priced` or `unpriced`, the event's `cost_state`.
    pub fn state(&self) -> &'static str {
        if self.usd.is_some() { "priced" } else { "unpriced" }
    }
}
