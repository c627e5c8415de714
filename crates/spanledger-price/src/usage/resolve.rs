//! Determines the usage of a call from all parts of the response.

use spanledger_event::{Endpoint, Usage, UsageSource};

use super::{error::UsageReadError, parse::parse_for, tier_region, tools::ToolCalls};

#[cfg(test)]
mod tests;

/// The parts of a response that state its usage.
#[derive(Clone, Debug, Default)]
pub struct Answer<'a> {
    /// The provider: `openai`, `azure.ai.openai`, …
    pub provider: &'a str,
    /// The API that was called.
    pub endpoint: Endpoint,
    /// The tier that served the call, if the response states it outside its usage.
    pub service_tier: Option<&'a str>,
    /// The region of processing, if it is known from outside the usage.
    pub region: Option<&'a str>,
    /// The provider's usage object, unchanged.
    pub usage_json: Option<&'a str>,
    /// A usage that the caller has already read, for example from the attributes of a span. It takes
    /// precedence over the object, unless the object cannot be read.
    pub usage: Option<Result<Usage, UsageReadError>>,
    /// Tool calls that the response lists outside its usage.
    pub tools: ToolCalls,
    /// The usage of a successful call as derived from the request, for a response that reports none.
    pub estimate: Option<Usage>,
}

/// The usage of a call, ready for the price book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedUsage {
    /// The usage; `None` if none was reported, or if it is contradictory or unreadable.
    pub usage: Option<Usage>,
    /// Where the usage comes from.
    pub source: UsageSource,
    /// Why the reported usage cannot be used.
    pub problem: Option<UsageReadError>,
    /// Counts in unknown fields of the usage object, as `path=value`.
    pub unrecognized_counts: Vec<String>,
    /// The tier that served the call, from outside and inside the usage.
    pub service_tier: Option<String>,
    /// The region of processing, from outside and inside the usage.
    pub region: Option<String>,
}

/// Determines the usage of a call.
///
/// The instrumented client, the receiver and the command `price` all use this function, so that the same
/// response has the same cost everywhere.
///
/// ```
/// use spanledger_event::Endpoint;
/// use spanledger_price::usage::{Answer, ToolCalls, resolve};
///
/// let resolved = resolve(Answer {
///     provider: "openai",
///     endpoint: Endpoint::Responses,
///     service_tier: Some("flex"),
///     usage_json: Some(r#"{"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}"#),
///     tools: ToolCalls { web_searches: 2, ..ToolCalls::default() },
///     ..Answer::default()
/// });
/// let usage = resolved.usage.ok_or("no usage")?;
/// assert_eq!((usage.prompt_tokens(), usage.web_search_calls), (10, 2));
/// assert_eq!(resolved.service_tier.as_deref(), Some("flex"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resolve(answer: Answer<'_>) -> ResolvedUsage {
    let Answer { provider, endpoint, service_tier, region, usage_json, usage, tools, estimate } = answer;
    let mut resolved = ResolvedUsage {
        service_tier: service_tier.map(str::to_owned),
        region: region.map(str::to_owned),
        ..ResolvedUsage::default()
    };
    let from_json = usage_json.map(|json| {
        let parsed = parse_for(provider, endpoint, json)?;
        resolved.service_tier = tier_region::resolve_tier(service_tier, parsed.service_tier.as_deref());
        resolved.region = tier_region::resolve_region(region, parsed.region.as_deref());
        resolved.unrecognized_counts = parsed.unrecognized_counts;
        Ok(parsed.usage)
    });
    // An object that cannot be read is a problem, even if there is also a usage.
    let reported = match (from_json, usage) {
        (Some(Ok(_)) | None, Some(usage)) => Some(usage),
        (from_json, _) => from_json,
    };
    if reported.is_some() {
        resolved.source = UsageSource::Provider;
    }
    match reported.transpose() {
        Err(problem) => resolved.problem = Some(problem),
        Ok(reported) if reported.as_ref().is_none_or(Usage::is_empty) && estimate.is_some() => {
            (resolved.usage, resolved.source) = (estimate, UsageSource::Estimated);
        }
        Ok(reported) => {
            resolved.usage = reported.map(|mut usage| {
                // Do not add tool calls to an all-zero usage: they would be priced as the whole call.
                if !usage.is_empty() {
                    tools.add_to(&mut usage);
                }
                usage
            });
        }
    }
    if let Some(error) = resolved.usage.as_ref().and_then(Usage::out_of_range) {
        (resolved.usage, resolved.problem) = (None, Some(UsageReadError::Counts(error)));
    }
    resolved
}
