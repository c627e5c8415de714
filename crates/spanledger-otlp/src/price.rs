//! Between observations and the price book.

use spanledger_event::{
    Observation, Role, UnpricedReason,
    limits::{DETAIL_BYTES_MAX, cut},
};
use spanledger_price::{
    PriceBook, PriceQuery,
    usage::{ResolvedUsage, UsageReadError},
};

use crate::record::{JOB_PREFIX, PROCESS_DIED, RECORDS_LOST};

#[cfg(test)]
mod tests;

/// Prices a call with the rates of its own time, and adds to its usage the searches that its model
/// makes at each call. A repeat that is priced by a book with another number of searches is therefore
/// another observation; it still counts once, because the fold makes one call of both.
pub fn price(book: &PriceBook, o: &mut Observation) {
    let query = PriceQuery {
        provider: &o.provider,
        model: o.model.as_deref(),
        response_model: o.response_model.as_deref(),
        endpoint: o.endpoint,
        service_tier: o.service_tier.as_deref(),
        region: o.region.as_deref(),
        at: o.start,
        usage: o.usage.as_ref(),
        is_sum: o.role == Role::Aggregate,
        usage_problem: o.usage_problem.as_deref(),
        usage_out_of_range: o.usage_out_of_range,
        failed: !o.outcome.is_billable(),
    };
    let (mut cost, usage) = (book.price(&query), book.implied_usage(&query));
    if cost.reason == Some(UnpricedReason::NoUsage)
        && let Some(why) = why_no_usage(o)
    {
        cost.detail = Some(why.to_owned());
    }
    if let Some(detail) = &mut cost.detail {
        cut(detail, DETAIL_BYTES_MAX);
    }
    o.cost = Some(cost);
    if usage.is_some() {
        o.usage = usage;
    }
}

/// Why the usage of a call is not known, where the observation says more than the price book can know.
fn why_no_usage(o: &Observation) -> Option<&'static str> {
    match o.outcome.error() {
        Some(RECORDS_LOST) => Some("a service lost the records of these calls before it could send them"),
        Some(PROCESS_DIED) => {
            Some("the process that made the call ended before the call; the provider may bill it")
        }
        None if o.call_id.starts_with(JOB_PREFIX) => {
            Some("a job states its usage after its end, when it is read through an instrumented client")
        }
        _ => None,
    }
}

/// Puts what an answer says about its usage into the observation of the call. A problem becomes the
/// sentence that the event shows.
pub fn set_usage(o: &mut Observation, resolved: ResolvedUsage) {
    let ResolvedUsage { usage, source, problem, unrecognized_counts, service_tier, region } = resolved;
    o.usage = usage;
    o.usage_source = source;
    o.usage_out_of_range = problem.as_ref().is_some_and(UsageReadError::is_out_of_range);
    o.usage_problem = problem.map(|problem| problem.to_problem());
    o.usage_unknown = unrecognized_counts;
    o.service_tier = service_tier;
    o.region = region;
}
