//! A model and its price history.

use spanledger_event::Timestamp;

use super::{FallbackRules, Price};
use crate::{Meter, Tier};

/// A model and its price history.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) snapshots: Vec<String>,
    pub(crate) long_context_over: Option<u64>,
    pub(crate) regional_surcharge: bool,
    /// Names of the provider under which it has another price, which the book does not know.
    pub(crate) not_priced_for: Vec<String>,
    pub(crate) free: bool,
    pub(crate) searches_per_call: u64,
    /// Meters to which the provider's fallback rules give no rate.
    pub(crate) no_fallback: Vec<Meter>,
    pub(crate) prices: Vec<Price>,
}

impl Model {
    /// The provider's fallback rules that hold for the model.
    pub(crate) fn fallback(&self, rules: &FallbackRules) -> FallbackRules {
        rules.without(&self.no_fallback)
    }

    /// The name under which the book lists it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Other names of the same model.
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// Dated names that are billed like the model.
    pub fn snapshots(&self) -> &[String] {
        &self.snapshots
    }

    /// The prompt length in tokens beyond which the whole request has other rates.
    pub fn long_context_over(&self) -> Option<u64> {
        self.long_context_over
    }

    /// Names of the provider under which it has another price, which the book does not know.
    pub fn not_priced_for(&self) -> &[String] {
        &self.not_priced_for
    }

    /// Whether a call costs nothing, with or without a usage.
    pub fn is_free(&self) -> bool {
        self.free
    }

    /// The web searches that each chat call of the model makes and bills, although no usage counts them.
    pub fn searches_per_call(&self) -> u64 {
        self.searches_per_call
    }

    /// All prices, past and future ones included: by tier, those of certain hours before those of all hours,
    /// then by date.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// The price of a tier at a moment.
    pub fn price(&self, tier: Tier, at: Timestamp) -> Option<&Price> {
        self.prices.iter().find(|price| price.tier == tier && price.holds_at(at))
    }
}
