//! Step 4: the charges of one request become its event.

use std::cmp::Reverse;

use super::{Charge, ObservedCall, charge::Standing};
use crate::{
    Bucket, Cost, CostCertainty, CostEvent, EventId, EventState, Flag, Observation, PartialAttribution,
    Usage, Usd,
    limits::{DIMS_MAX, USAGE_UNKNOWN_MAX},
    observation::carry,
};

/// The number of required fields of an attribution.
const REQUIRED: usize = 4;

/// The id under which the request counts: records come before spans, then better attributed sightings
/// before others, then earlier ones before later ones.
pub(super) fn primary_id<'a>(ranked: &[Charge<'a>]) -> &'a EventId {
    let best =
        ranked.iter().flat_map(|charge| charge.calls).flat_map(|call| call.sightings).min_by_key(|s| {
            (s.facts.sighting, Reverse(s.facts.attribution.known()), s.facts.start, s.request)
        });
    best.map_or(ranked[0].id_of_request(), |s| s.request)
}

/// The event of a request. Its charges are in the order of their rank: the first one is the primary charge.
pub(super) fn event(
    id: &EventId,
    ranked: &[Charge<'_>],
    primary_of: impl Fn(&EventId) -> EventId,
) -> CostEvent {
    let primary = &ranked[0];
    let mut event = from_charge(id, primary);

    let attribution = attribution(ranked);
    event.state = if attribution.is_complete() { EventState::Live } else { EventState::Quarantined };
    set_attribution(&mut event, attribution);

    event.timestamp = ranked.iter().map(|charge| charge.start).min().unwrap_or(event.timestamp);
    event.attempts = ranked.iter().map(|charge| i64::from(charge.attempts())).sum();
    if ranked.iter().any(|charge| charge.calls.iter().any(|call| call.outcome().error().is_none())) {
        event.error_code = None;
    } else {
        let last = ranked.iter().flat_map(|charge| charge.calls).max_by_key(|call| (call.start, call.id));
        event.error_code = last.and_then(|call| call.outcome().error()).map(str::to_owned);
    }

    let billed = || ranked.iter().filter(|charge| charge.counts() && charge.is_billable());
    // The sum of the known retries is kept. The billed amount is known only when every retry is priced.
    let retries = || billed().skip(1).map(|charge| cost_of(charge.best()));
    let retry: Usd = retries().flatten().sum();
    let are_all_priced = retries().all(|cost| cost.is_some());
    if !are_all_priced {
        event.flags.push(Flag::RetryUnpriced);
    }
    event.retry_cost_usd = Some(retry);
    event.billed_usd = event.cost_usd.filter(|_| are_all_priced).map(|cost| cost + retry);

    if billed().any(|charge| !charge.best().usage_unknown.is_empty()) {
        event.flags.push(Flag::UsageNotUnderstood);
        let mut all = billed().flat_map(|charge| &charge.best().usage_unknown).map(String::as_str);
        let mut unknown: Vec<&str> = all.by_ref().take(USAGE_UNKNOWN_MAX + 1).collect();
        if all.next().is_some() {
            unknown.push("and more");
        }
        let note = format!("the usage also says {}, which is not understood", unknown.join(", "));
        event.cost_detail = Some(match event.cost_detail {
            Some(detail) => format!("{detail}; {note}"),
            None => note,
        });
    }
    event.flags.extend(certainty_flag(billed().filter_map(|charge| charge.best().cost.as_ref())));
    if billed().any(|charge| charge.is_possible_duplicate) {
        event.flags.push(Flag::PossibleDuplicate);
    }
    if billed().any(|charge| charge.is_response_reused) {
        event.flags.push(Flag::ResponseIdReused);
    }
    if is_truncated(ranked, &event) {
        event.flags.push(Flag::Truncated);
    }
    if event.emitter_cost_usd.is_some_and(|theirs| event.cost_usd.is_some_and(|ours| theirs != ours)) {
        event.flags.push(Flag::EmitterCostDiffers);
    }
    let mut sightings = ranked.iter().flat_map(|charge| charge.calls).flat_map(|call| call.sightings);
    if sightings.any(|sighting| *sighting.request != sighting.facts.event_id) {
        event.flags.push(Flag::RequestIdReused);
    }

    // The request consists only of aggregates over calls that count in other events.
    if billed().next().is_none() {
        match primary.standing {
            Standing::Counts => {}
            Standing::Superseded(by) => make_void(&mut event, Some(primary_of(by))),
            Standing::LongTrace => make_void(&mut event, None),
        }
    }
    if ranked.iter().any(|charge| charge.standing == Standing::LongTrace) {
        event.flags.push(Flag::LongTrace);
    }
    event.flags.sort_unstable();
    event
}

/// What the sightings of a request state of its attribution. The best attributed call comes first, and of a call
/// the best attributed sighting: a sighting that knows only an environment, by the service that has seen the
/// call, does not replace what the caller has said.
fn attribution(ranked: &[Charge<'_>]) -> PartialAttribution {
    let mut attribution = PartialAttribution::default();
    let mut fill = |call: &ObservedCall<'_>| {
        if let [only] = call.sightings {
            attribution.fill_from(&only.facts.attribution);
            return;
        }
        for known in (0..=REQUIRED).rev() {
            let sightings = call.observations().filter(|o| o.attribution.known() == known);
            sightings.for_each(|o| attribution.fill_from(&o.attribution));
        }
    };
    if let [Charge { calls: [call], .. }] = ranked {
        fill(call);
    } else {
        let mut calls: Vec<_> = ranked.iter().flat_map(|charge| charge.calls).collect();
        calls.sort_by_cached_key(|call| Reverse(call.known_attribution()));
        calls.into_iter().for_each(fill);
    }
    attribution
}

/// The void event of a request's id that is not its primary id.
pub(super) fn void(id: &EventId, charges: &[Charge<'_>], by: &EventId) -> CostEvent {
    let own =
        charges.iter().find(|charge| charge.event_ids().any(|other| other == id)).unwrap_or(&charges[0]);
    let mut event = from_charge(id, own);
    let mut attribution = PartialAttribution::default();
    for sighting in own.calls.iter().flat_map(|call| call.sightings).filter(|s| s.request == id) {
        attribution.fill_from(&sighting.facts.attribution);
        event.timestamp = sighting.facts.start;
        event.emitter.clone_from(&sighting.facts.emitter);
    }
    set_attribution(&mut event, attribution);
    make_void(&mut event, Some(by.clone()));
    event
}

fn make_void(event: &mut CostEvent, by: Option<EventId>) {
    event.state = EventState::Void;
    event.superseded_by = by;
    event.flags.clear();
}

/// The flag of a billed amount whose parts are not all exact.
fn certainty_flag<'a>(costs: impl Iterator<Item = &'a Cost>) -> Option<Flag> {
    match costs.map(|cost| cost.certainty).max()? {
        CostCertainty::Exact => None,
        CostCertainty::UpperBound => Some(Flag::CostUpperBound),
        CostCertainty::Uncertain => Some(Flag::CostUncertain),
    }
}

/// Whether a limit shortened a sighting, or the sightings together have more dimensions than the event keeps.
fn is_truncated(ranked: &[Charge<'_>], event: &CostEvent) -> bool {
    let is_lost = |name: &String| event.dims.len() >= DIMS_MAX && !event.dims.contains_key(name);
    ranked
        .iter()
        .flat_map(|charge| charge.observations())
        .any(|o| o.truncated || o.attribution.dims.keys().any(is_lost))
}

fn cost_of(observation: &Observation) -> Option<Usd> {
    observation.cost.as_ref().and_then(|cost| cost.usd)
}

fn set_attribution(event: &mut CostEvent, attribution: PartialAttribution) {
    event.feature = attribution.feature;
    event.route = attribution.route;
    event.customer_id = attribution.customer_id;
    event.environment = attribution.environment;
    event.request_id = attribution.request_id;
    event.batch_job_id = attribution.batch_job_id;
    event.dims = attribution.dims;
}

/// The event of one charge, without its attribution.
fn from_charge(id: &EventId, charge: &Charge<'_>) -> CostEvent {
    let best = charge.best();
    let mut event = CostEvent {
        event: format!("{}.request", if best.provider.is_empty() { "other" } else { &best.provider }),
        event_id: id.clone(),
        timestamp: best.start,
        provider: best.provider.clone(),
        endpoint: best.endpoint.as_str().to_owned(),
        usage_source: best.usage_source,
        latency_ms: Some(best.end.millis_since(best.start)),
        // An emitter that does not say that the answer was streamed does not deny it.
        stream: charge.first(|o| o.stream.then_some(())).is_some(),
        usage_raw: charge.first(|o| o.usage_raw.clone()),
        emitter_cost_usd: charge.first(|o| o.emitter_cost),
        attempts: i64::from(charge.attempts()),
        error_code: best.outcome.error().map(str::to_owned),
        response_id: charge.response().map(|r| r.id.clone()),
        trace_id: best.trace_id.clone().or_else(|| charge.first(|o| o.trace_id.clone())),
        span_id: best.span_id.clone().or_else(|| charge.first(|o| o.span_id.clone())),
        parent_span_id: best.parent_span_id.clone(),
        service_name: charge.first(|o| o.service_name.clone()),
        emitter: best.emitter.clone(),
        ..CostEvent::default()
    };
    for observation in charge.observations() {
        carry(observation, &mut event);
    }
    if let Some(usage) = &best.usage {
        set_usage_columns(&mut event, usage);
    }
    match &best.cost {
        Some(cost) => {
            event.cost_usd = cost.usd;
            cost.state().clone_into(&mut event.cost_state);
            event.cost_reason = cost.reason.map(|reason| reason.to_string());
            event.cost_detail.clone_from(&cost.detail);
            event.cost_lines.clone_from(&cost.lines);
            event.price_version = Some(cost.price_version.as_ref().to_owned());
            event.priced_at = Some(cost.priced_at);
        }
        None => "unpriced".clone_into(&mut event.cost_state),
    }
    event
}

fn set_usage_columns(event: &mut CostEvent, usage: &Usage) {
    let number = |count: u64| Some(i64::try_from(count).unwrap_or(i64::MAX));
    // A unit with a count of zero is null, because most providers do not report units that were not used.
    let some = |count: u64| if count == 0 { None } else { number(count) };
    let of = |buckets: &[Bucket]| some(buckets.iter().fold(0, |sum, &b| sum.saturating_add(usage.tokens(b))));
    let stated = |is_unstated: bool, count: u64| if is_unstated { None } else { number(count) };
    let unstated = usage.unstated();
    event.prompt_tokens = number(usage.prompt_tokens());
    event.cached_tokens = stated(unstated.cached, usage.cached_tokens());
    event.cache_write_tokens = stated(unstated.cache_write, usage.cache_write_tokens());
    event.completion_tokens = number(usage.completion_tokens());
    event.reasoning_tokens = stated(unstated.reasoning, usage.reasoning_tokens());
    event.audio_prompt_tokens = of(&[Bucket::AudioInput, Bucket::CachedAudioInput]);
    event.audio_completion_tokens = of(&[Bucket::AudioOutput]);
    event.image_prompt_tokens = of(&[Bucket::ImageInput, Bucket::CachedImageInput]);
    event.image_completion_tokens = of(&[Bucket::ImageOutput]);
    event.images = some(usage.images);
    event.audio_seconds = usage.audio_seconds;
    event.web_search_calls = some(usage.web_search_calls);
    event.file_search_calls = some(usage.file_search_calls);
    event.code_interpreter_calls = some(usage.code_interpreter_calls);
}
