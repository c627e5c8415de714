//! Which entries of the book a cost is based on.

use super::{
    query::PriceQuery,
    rates::{billed_model, billed_tier},
};
use crate::{
    Discount, Fee, Meter, PriceBook, Tier,
    book::{Model, Price, Provider},
};

/// The entry of the book that prices a query, and what changes its rates.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'b> {
    /// Who bills.
    pub provider: &'b Provider,
    /// The model that is billed.
    pub model: &'b Model,
    /// The tier by which it is billed.
    pub tier: Tier,
    /// The entry that is in force, if one is.
    pub price: Option<&'b Price>,
    /// Whether the prompt is beyond the long-context threshold.
    pub is_long: bool,
    /// The discount on its list prices.
    pub discount: Option<&'b Discount>,
}

impl PriceBook {
    /// What [`price`](Self::price) looks up for a query; `None` where the book does not know the provider,
    /// the model or the tier.
    pub fn basis(&self, query: &PriceQuery<'_>) -> Option<Basis<'_>> {
        let provider = self.provider(query.provider)?;
        let model = billed_model(provider, query).ok()?;
        let tier = billed_tier(provider, query).ok()?;
        let price = model.price(tier, query.at);
        let over = model.long_context_over().filter(|_| price.is_some_and(|price| !price.is_flat()));
        let is_long = over.zip(query.usage).is_some_and(|(over, usage)| usage.prompt_tokens() > over);
        let discount = provider.discount(model, tier, query.at);
        Some(Basis { provider, model, tier, price, is_long, discount })
    }
}

impl<'b> Basis<'b> {
    /// The fee by which a line of this kind is billed; `None` where the model has a rate of its own.
    pub fn fee(&self, kind: &str, query: &PriceQuery<'_>) -> Option<&'b Fee> {
        let meter = Meter::from_name(kind)?;
        let own = self.price.and_then(|price| if self.is_long { price.long() } else { Some(price.rates()) });
        let variant = query.usage.and_then(|usage| usage.variant.as_deref());
        if own.is_some_and(|rates| rates.of(meter, variant).is_some()) {
            return None;
        }
        self.provider.fee(meter, self.model.name(), query.at)
    }
}
