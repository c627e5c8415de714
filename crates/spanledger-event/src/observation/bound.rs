//! The limits of an observation.

use std::collections::BTreeMap;

use super::{CallOutcome, Observation, ResponseRef};
use crate::{
    Cost, PartialAttribution, UnpricedReason, Usd,
    limits::{
        ATTEMPTS_MAX, ATTRIBUTION_BYTES_MAX, DETAIL_BYTES_MAX, DIM_NAME_BYTES_MAX, DIMS_MAX, ERROR_BYTES_MAX,
        FIRST_CHUNK_MS_MAX, NAME_BYTES_MAX, USAGE_DEPTH_MAX, USAGE_RAW_BYTES_MAX, USAGE_UNKNOWN_BYTES_MAX,
        USAGE_UNKNOWN_MAX, cut, shorten_id,
    },
};

#[cfg(test)]
mod tests;

impl Observation {
    /// The same observation within the [limits](crate::limits).
    ///
    /// An id that is too long is replaced by a hash, a longer text is cut, an attribution value or a
    /// dimension that is not allowed is left out; then [`truncated`](Self::truncated) is set. A usage with a
    /// count that no call can have becomes a problem of the usage, and a cost that no call can have an unknown
    /// one.
    ///
    /// An observation within the limits is not changed, and costs little more than a comparison for each of
    /// its texts, so that every edge may call it.
    #[must_use]
    pub fn bound(mut self) -> Self {
        self.bound_in_place();
        self
    }

    /// Brings the observation within the limits, as [`bound`](Self::bound) does.
    pub fn bound_in_place(&mut self) {
        // Every field is named, so that a new one does not compile before its limit is decided.
        let Self {
            event_id,
            call_id,
            sighting: _,
            role: _,
            response,
            emitter,
            provider,
            endpoint: _,
            server_address,
            model,
            response_model,
            service_tier,
            region,
            organization,
            project,
            start: _,
            end: _,
            time_to_first_token_ms,
            stream: _,
            outcome,
            attempts,
            usage,
            usage_problem,
            usage_out_of_range,
            usage_unknown,
            usage_source: _,
            usage_raw,
            emitter_cost,
            prompt_cache_key,
            reasoning_effort,
            attribution,
            trace_id,
            span_id,
            parent_span_id,
            service_name,
            truncated,
            cost,
        } = self;

        let mut shortened = shorten_id(event_id.text_mut()) | shorten_id(call_id);
        if let Some(ResponseRef { namespace, id, .. }) = response {
            shortened |= shorten_id(namespace) | shorten_id(id);
        }
        for id in [trace_id, span_id, parent_span_id, prompt_cache_key] {
            shortened |= id.as_mut().is_some_and(shorten_id);
        }
        shortened |= cut(emitter, NAME_BYTES_MAX) | cut(provider, NAME_BYTES_MAX);
        for name in [
            server_address,
            model,
            response_model,
            service_tier,
            region,
            organization,
            project,
            reasoning_effort,
            service_name,
        ] {
            shortened |= name.as_mut().is_some_and(|name| cut(name, NAME_BYTES_MAX));
        }
        if let CallOutcome::Failed(error) | CallOutcome::Incomplete(error) = outcome {
            shortened |= cut(error, ERROR_BYTES_MAX);
        }
        shortened |= take_if(time_to_first_token_ms, |ms| *ms > FIRST_CHUNK_MS_MAX);
        if *attempts > ATTEMPTS_MAX {
            (*attempts, shortened) = (1, true);
        }

        if let Some(used) = usage {
            shortened |= used.variant.as_mut().is_some_and(|variant| cut(variant, NAME_BYTES_MAX));
            if let Some(error) = used.out_of_range() {
                (*usage, *usage_problem, *usage_out_of_range) = (None, Some(error.to_string()), true);
            }
        }
        if let Some(problem) = usage_problem {
            cut(problem, DETAIL_BYTES_MAX);
        }
        shortened |= bound_unknown(usage_unknown);
        shortened |=
            take_if(usage_raw, |raw| raw.as_str().len() > USAGE_RAW_BYTES_MAX || is_deep(raw.as_str()));
        shortened |= take_if(emitter_cost, |usd| usd.is_beyond_a_charge());
        shortened |= bound_attribution(attribution);
        if let Some(cost) = cost {
            bound_cost(cost);
        }
        *truncated |= shortened;
    }
}

/// Removes a value that is beyond its limit. Returns whether it was removed.
fn take_if<T>(value: &mut Option<T>, is_beyond: impl FnOnce(&T) -> bool) -> bool {
    let is_beyond = value.as_ref().is_some_and(is_beyond);
    if is_beyond {
        *value = None;
    }
    is_beyond
}

/// Whether a JSON text has more levels of nesting than a usage object may have.
fn is_deep(json: &str) -> bool {
    let is_opening = |byte: &u8| matches!(byte, b'[' | b'{');
    // A usage object has a few brackets in all, so the levels need not be followed.
    if json.bytes().filter(is_opening).count() <= USAGE_DEPTH_MAX {
        return false;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    json.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > USAGE_DEPTH_MAX
    })
}

fn bound_unknown(unknown: &mut Vec<String>) -> bool {
    let mut shortened = false;
    // One entry more than the limit is allowed: it says how many others there are.
    if unknown.len() > USAGE_UNKNOWN_MAX + 1 {
        let more = unknown.len() - USAGE_UNKNOWN_MAX;
        unknown.truncate(USAGE_UNKNOWN_MAX);
        unknown.push(format!("and {more} more"));
        shortened = true;
    }
    for entry in unknown {
        shortened |= cut(entry, USAGE_UNKNOWN_BYTES_MAX);
    }
    shortened
}

fn bound_attribution(attribution: &mut PartialAttribution) -> bool {
    let PartialAttribution { feature, route, customer_id, environment, request_id, batch_job_id, dims } =
        attribution;
    let mut shortened = false;
    for id in [request_id, batch_job_id] {
        shortened |= id.as_mut().is_some_and(shorten_id);
    }
    // A cut value could be that of another customer, so it is refused.
    for value in [feature, route, customer_id, environment] {
        shortened |= take_if(value, |value| value.len() > ATTRIBUTION_BYTES_MAX);
    }
    let is_within = |(name, value): (&String, &String)| {
        name.len() <= DIM_NAME_BYTES_MAX && value.len() <= ATTRIBUTION_BYTES_MAX
    };
    if dims.len() > DIMS_MAX || !dims.iter().all(is_within) {
        let kept = std::mem::take(dims).into_iter().filter(|(name, value)| is_within((name, value)));
        *dims = kept.take(DIMS_MAX).collect::<BTreeMap<_, _>>();
        shortened = true;
    }
    shortened
}

/// The price engine makes no such cost. A service may have sent it, or an older version stored it.
fn bound_cost(cost: &mut Cost) {
    if cost.usd.is_some_and(Usd::is_beyond_a_charge) {
        let detail = format!("the cost is {} USD, more than one call can have", cost.usd.unwrap_or_default());
        (cost.usd, cost.reason, cost.detail) = (None, Some(UnpricedReason::OutOfRange), Some(detail));
        cost.lines.clear();
    }
    if let Some(detail) = &mut cost.detail {
        cut(detail, DETAIL_BYTES_MAX);
    }
}
