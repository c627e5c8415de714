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
    /// Names of the provider under which the model has another price, which the book does not have.
    pub(crate) not_priced_for: Vec<String>,
    pub(crate) free: bool,
    pub(crate) searches_per_call: u64,
    /// Meters to which the provider's fallback rules give no rate.
    pub(crate) no_fallback: Vec<Meter>,
    pub(crate) prices: Vec<Price>,
}

impl Model {
    /// The provider's fallback rules that apply to the model.
    pub(crate) fn fallback(&self, rules: &FallbackRules) -> FallbackRules {
        rules.without(&self.no_fallback)
    }

    /// The name under which the book lists it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Other names of the model.
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// Dated names that have the price of the model.
    pub fn snapshots(&self) -> &[String] {
        &self.snapshots
    }

    /// The prompt length in tokens above which the whole request has the long-context rates.
    pub fn long_context_over(&self) -> Option<u64> {
        self.long_context_over
    }

    /// Names of the provider under which the model has another price, which the book does not have.
    pub fn not_priced_for(&self) -> &[String] {
        &self.not_priced_for
    }

    /// Whether a call costs nothing, with or without a usage.
    pub fn is_free(&self) -> bool {
        self.free
    }

    /// The number of web searches that each chat call makes and that are billed, although its usage does not
    /// count them.
    pub fn searches_per_call(&self) -> u64 {
        self.searches_per_call
    }

    /// All prices, including past and future ones. They are sorted by tier; prices of certain hours come
    /// before those of all hours, and earlier prices before later ones.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// The price of a tier at a moment.
    pub fn price(&self, tier: Tier, at: Timestamp) -> Option<&Price> {
        self.prices.iter().find(|price| price.tier == tier && price.holds_at(at))
    }
}
