//! What the price engine answers.

use std::{borrow::Cow, fmt, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Timestamp, Usd};

/// The price of one charge: exact lines that add up to it, or why there is none.
///
/// Unpriced is a value: an unknown model never costs zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cost {
    /// The total, the exact sum of the lines; `None` when unpriced.
    pub usd: Option<Usd>,
    /// Why there is no total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<UnpricedReason>,
    /// A person's words beside the reason: which model, which tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is known, line by line; for an unpriced charge the lines that could be priced.
    pub lines: Vec<CostLine>,
    /// The price book that priced it: its date and content hash.
    pub price_version: Arc<str>,
    /// The moment whose prices were used: the start of the call.
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

/// Why a charge has no price. The list is closed: each reason has one remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnpricedReason {
    /// The book does not know the model (or the provider). Remedy: add it, then reprice.
    UnknownModel,
    /// The model is known, but had no price at the time of the call.
    NoPriceAtThatTime,
    /// The model has no rate for the service tier that served the call.
    NoRateForTier,
    /// The model has no rate for a kind of token or unit that was used.
    NoRateForModality,
    /// The usage contradicts itself, so no part of it can be trusted.
    ContradictoryUsage,
    /// The provider reported no usage, for instance because a stream was cut.
    NoUsage,
}

impl UnpricedReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::UnknownModel,
        Self::NoPriceAtThatTime,
        Self::NoRateForTier,
        Self::NoRateForModality,
        Self::ContradictoryUsage,
        Self::NoUsage,
    ];

    /// The name used in events: `unknown_model`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownModel => "unknown_model",
            Self::NoPriceAtThatTime => "no_price_at_that_time",
            Self::NoRateForTier => "no_rate_for_tier",
            Self::NoRateForModality => "no_rate_for_modality",
            Self::ContradictoryUsage => "contradictory_usage",
            Self::NoUsage => "no_usage",
        }
    }
}

impl fmt::Display for UnpricedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Cost {
    /// A call that failed before the model ran: it costs nothing, and that is known.
    pub fn free(price_version: impl Into<Arc<str>>, priced_at: Timestamp) -> Self {
        Self {
            usd: Some(Usd::ZERO),
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
