//! The question that an observation asks the price book.

use spanledger_event::{Cost, Observation};
use spanledger_price::{PriceBook, PriceQuery};

/// Prices an observation with the rates of the call's own time.
///
/// A call that failed before the model ran is free; everything else is a question to the book. A usage
/// that counts nothing is none: gateways send zeros where they know no better, and only what is free
/// by the book is free.
pub fn price(book: &PriceBook, o: &Observation) -> Cost {
    let usage = o.usage.as_ref().filter(|usage| !usage.is_empty());
    let used = usage.is_some() || o.usage_problem.is_some();
    if !o.outcome.is_billable() && !used {
        return Cost::free(book.version(), o.start);
    }
    book.price(&PriceQuery {
        provider: &o.provider,
        model: o.model.as_deref(),
        response_model: o.response_model.as_deref(),
        endpoint: o.endpoint,
        service_tier: o.service_tier.as_deref(),
        region: o.region.as_deref(),
        at: o.start,
        usage,
        usage_problem: o.usage_problem.as_deref(),
    })
}
