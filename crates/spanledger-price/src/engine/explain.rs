//! The entries of the book on which a cost is based.

use super::{
    query::PriceQuery,
    rates::{billed_model, billed_tier},
};
use crate::{
    Discount, Fee, Meter, PriceBook, Tier,
    book::{Model, Price, Provider},
};

/// The entry of the book that prices a query, and the discount on its rates.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'b> {
    /// The provider that bills the call.
    pub provider: &'b Provider,
    /// The billed model.
    pub model: &'b Model,
    /// The billed tier.
    pub tier: Tier,
    /// The entry that holds at the moment of the call, if there is one.
    pub price: Option<&'b Price>,
    /// Whether the prompt is beyond the long-context threshold.
    pub is_long: bool,
    /// The discount on its list prices.
    pub discount: Option<&'b Discount>,
}

impl PriceBook {
    /// The entries that [`price`](Self::price) uses for a query; `None` if the book does not have the
    /// provider, the model or the tier.
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
    /// The fee by which a line of this kind is billed; `None` if the model's price has a rate for it.
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
