//! The call that is priced, whether it comes from the options or from a line of a batch.

use spanledger_event::{Endpoint, Timestamp};
use spanledger_price::{
    PriceQuery,
    usage::{self, ResolvedUsage, UsageReadError, resolve},
};

/// A call as the options or a line describe it.
pub(super) struct Call<'a> {
    pub(super) provider: String,
    /// The model that answered.
    pub(super) model: Option<String>,
    pub(super) endpoint: Endpoint,
    /// The tier that the response named.
    pub(super) service_tier: Option<String>,
    /// The region that the response named.
    pub(super) region: Option<String>,
    pub(super) at: Timestamp,
    /// The provider's usage object as JSON, unchanged.
    pub(super) usage: Option<&'a str>,
}

/// A call with its resolved usage.
pub(super) struct ResolvedCall<'a> {
    call: Call<'a>,
    pub(super) resolved: ResolvedUsage,
    /// Why the usage cannot be priced.
    problem: Option<String>,
}

impl<'a> Call<'a> {
    pub(super) fn resolve(self) -> ResolvedCall<'a> {
        let resolved = resolve(usage::Answer {
            provider: &self.provider,
            endpoint: self.endpoint,
            service_tier: self.service_tier.as_deref(),
            region: self.region.as_deref(),
            usage_json: self.usage,
            ..usage::Answer::default()
        });
        let problem = resolved.problem.as_ref().map(UsageReadError::to_problem);
        ResolvedCall { call: self, resolved, problem }
    }
}

impl ResolvedCall<'_> {
    pub(super) fn query(&self) -> PriceQuery<'_> {
        PriceQuery {
            provider: &self.call.provider,
            response_model: self.call.model.as_deref(),
            endpoint: self.call.endpoint,
            service_tier: self.resolved.service_tier.as_deref(),
            region: self.resolved.region.as_deref(),
            at: self.call.at,
            usage: self.resolved.usage.as_ref(),
            usage_problem: self.problem.as_deref(),
            usage_out_of_range: self.resolved.problem.as_ref().is_some_and(UsageReadError::is_out_of_range),
            ..PriceQuery::default()
        }
    }
}
