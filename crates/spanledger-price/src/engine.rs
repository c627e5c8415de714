//! The engine, which computes the cost of a query.

mod certainty;
mod explain;
mod lines;
mod query;
mod rates;
mod unpriced;

use std::borrow::Cow;

use spanledger_event::{Cost, CostCertainty, CostLine, Endpoint, UnpricedReason, Usage, Usd};

use crate::{PriceBook, book::Model};
pub use explain::Basis;
use lines::{Rating, cost_lines};
pub use query::PriceQuery;
use rates::{billed_model, billed_rates, billed_tier, is_sum_over_threshold, regional_factor};
use unpriced::Unpriced;

/// The total of a call, its lines, and whether the total is exact.
struct Priced {
    usd: Usd,
    lines: Vec<CostLine>,
    certainty: CostCertainty,
}

impl Priced {
    /// A call that costs nothing.
    const FREE: Self = Self { usd: Usd::ZERO, lines: Vec::new(), certainty: CostCertainty::Exact };
}

impl PriceBook {
    /// The exact cost of a call, or the reason why it has none.
    ///
    /// This is a pure function without a clock or I/O. If only a part of the cost is known, the total is
    /// `None` and the lines show that part.
    pub fn price(&self, query: &PriceQuery<'_>) -> Cost {
        let cost = Cost::free(self.version.clone(), query.at);
        match self.total_and_lines(query) {
            Ok(Priced { usd, lines, certainty }) => Cost { usd: Some(usd), lines, certainty, ..cost },
            Err(Unpriced { reason, detail, lines }) => {
                Cost { usd: None, reason: Some(reason), detail: Some(detail), lines, ..cost }
            }
        }
    }

    fn total_and_lines(&self, query: &PriceQuery<'_>) -> Result<Priced, Unpriced> {
        // Gateways send zeros when they do not know the counts. A billable call is never zero, so such a
        // usage is treated as missing.
        let usage = query.usage.filter(|usage| !usage.is_empty());
        let is_reported = usage.is_some() || query.usage_problem.is_some();
        if query.failed && !is_reported || usage.is_none() && self.is_free(query) {
            return Ok(Priced::FREE);
        }
        if let Some(problem) = query.usage_problem {
            let reason = if query.usage_out_of_range {
                UnpricedReason::OutOfRange
            } else {
                UnpricedReason::ContradictoryUsage
            };
            return Err(Unpriced::new(reason, problem.to_owned()));
        }
        let Some(usage) = usage else {
            let detail = if query.usage.is_some() {
                "every count of the usage is zero, so it does not say what the call used"
            } else {
                "the provider reported no usage; a stream reports it at its end, and only if stream_options.include_usage asked for it"
            };
            return Err(Unpriced::new(UnpricedReason::NoUsage, detail.to_owned()));
        };
        if let Some(error) = usage.out_of_range() {
            return Err(Unpriced::new(UnpricedReason::OutOfRange, error.to_string()));
        }
        let provider = self.provider(query.provider).ok_or_else(|| {
            let detail = format!("the book has no provider `{}`", query.provider);
            Unpriced::new(UnpricedReason::UnknownModel, detail)
        })?;
        let model = billed_model(provider, query)?;
        if model.is_free() && model.prices().is_empty() {
            return Ok(Priced::FREE);
        }
        let usage = &*with_implied_searches(model, query.endpoint, usage);
        let tier = billed_tier(provider, query)?;
        let is_sum = is_sum_over_threshold(model, query, usage);
        let rates = billed_rates(model, tier, query.at, usage, is_sum)?;
        let regional = regional_factor(provider, model, query)?;
        let discount = provider.discount(model, tier, query.at);
        let name = query.provider;
        let rating = Rating { provider, name, model, tier, rates, regional, discount, at: query.at };
        let (usd, lines) = cost_lines(&rating, usage)?;
        let certainty = if is_sum { CostCertainty::Uncertain } else { certainty::certainty(&rating, usage) };
        Ok(Priced { usd, lines, certainty })
    }

    /// The usage of a call, with the web searches that each call of its model makes, although no response
    /// counts them. `None` if there is nothing to add. [`price`](Self::price) bills these searches.
    pub fn implied_usage(&self, query: &PriceQuery<'_>) -> Option<Usage> {
        let usage = query.usage.filter(|usage| !usage.is_empty())?;
        let model = billed_model(self.provider(query.provider)?, query).ok()?;
        match with_implied_searches(model, query.endpoint, usage) {
            Cow::Borrowed(_) => None,
            Cow::Owned(usage) => Some(usage),
        }
    }

    /// Whether calls to the billed model are free, so that a usage is not needed.
    fn is_free(&self, query: &PriceQuery<'_>) -> bool {
        self.provider(query.provider).is_some_and(|provider| {
            billed_model(provider, query).is_ok_and(|model| model.is_free() && model.prices().is_empty())
        })
    }
}

/// Adds the web searches that each chat call of the model makes. The models that do so are only available
/// in Chat Completions, so an unknown endpoint counts as chat.
fn with_implied_searches<'u>(model: &Model, endpoint: Endpoint, usage: &'u Usage) -> Cow<'u, Usage> {
    let is_chat = matches!(endpoint, Endpoint::Chat | Endpoint::Other);
    if is_chat && usage.web_search_calls < model.searches_per_call() {
        let mut usage = usage.clone();
        usage.web_search_calls = model.searches_per_call();
        return Cow::Owned(usage);
    }
    Cow::Borrowed(usage)
}
