//! Step 4: the charges of one request become its event.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::Charge;
use crate::{
    Bucket, Cost, CostCertainty, CostEvent, EventId, EventState, Flag, Observation, PartialAttribution,
    Usage, Usd, limits::DIMS_MAX, observation::carry,
};

/// Orders the charges: those that count before superseded ones, billable before failed, then by start.
/// The first one is the primary charge.
fn ranked<'c, 'a>(
    charges: &[&'c Charge<'a>],
    superseded: &BTreeMap<&'a str, &'a EventId>,
) -> Vec<&'c Charge<'a>> {
    let mut ranked = charges.to_vec();
    ranked.sort_by_key(|charge| {
        (superseded.contains_key(charge.id()), !charge.is_billable(), charge.start(), charge.id())
    });
    ranked
}

/// The id under which the request counts: records come before spans, then better attributed sightings
/// before others, then earlier ones before later ones.
pub(super) fn primary_id<'a>(
    charges: &[&Charge<'a>],
    superseded: &BTreeMap<&'a str, &'a EventId>,
) -> &'a EventId {
    let ranked = ranked(charges, superseded);
    let best = ranked
        .iter()
        .flat_map(|charge| charge.calls.iter())
        .flat_map(|call| call.sightings.iter())
        .min_by_key(|o| (o.sighting, Reverse(o.attribution.known()), o.start, &o.event_id));
    best.map_or(&ranked[0].calls[0].best().event_id, |o| &o.event_id)
}

/// The event of a request.
pub(super) fn event<'a>(
    id: &EventId,
    charges: &[&Charge<'a>],
    superseded: &BTreeMap<&'a str, &'a EventId>,
    duplicates: &BTreeSet<&'a str>,
    primary_of: impl Fn(&EventId) -> EventId,
) -> CostEvent {
    let ranked = ranked(charges, superseded);
    let primary = ranked[0];
    let mut event = from_charge(id, primary);

    let mut attribution = PartialAttribution::default();
    let mut attributions: Vec<_> =
        ranked.iter().flat_map(|charge| charge.calls.iter()).map(|call| call.attribution()).collect();
    attributions.sort_by_key(|stated| Reverse(stated.known()));
    for stated in &attributions {
        attribution.fill_from(stated);
    }
    event.state = if attribution.is_complete() { EventState::Live } else { EventState::Quarantined };
    set_attribution(&mut event, attribution);

    event.timestamp = charges.iter().map(|charge| charge.start()).min().unwrap_or(event.timestamp);
    event.attempts = charges.iter().map(|charge| i64::from(charge.attempts())).sum();
    if charges.iter().any(|charge| charge.calls.iter().any(|call| call.outcome().error().is_none())) {
        event.error_code = None;
    } else {
        let last =
            charges.iter().flat_map(|charge| charge.calls.iter()).max_by_key(|call| (call.start(), call.id));
        event.error_code = last.and_then(|call| call.outcome().error()).map(str::to_owned);
    }

    let billed: Vec<_> = ranked
        .iter()
        .filter(|charge| charge.is_billable() && !superseded.contains_key(charge.id()))
        .collect();
    // The sum of the known retries is kept. The billed amount is known only when every retry is priced.
    let retries: Vec<Option<Usd>> = billed.iter().skip(1).map(|charge| cost_of(charge.best())).collect();
    let retry: Usd = retries.iter().flatten().copied().sum();
    let are_all_priced = retries.iter().all(Option::is_some);
    if !are_all_priced {
        event.flags.push(Flag::RetryUnpriced);
    }
    event.retry_cost_usd = Some(retry);
    event.billed_usd = event.cost_usd.filter(|_| are_all_priced).map(|cost| cost + retry);

    let unknown: Vec<&str> =
        billed.iter().flat_map(|charge| &charge.best().usage_unknown).map(String::as_str).collect();
    if !unknown.is_empty() {
        event.flags.push(Flag::UsageNotUnderstood);
        let note = format!("the usage also says {}, which is not understood", unknown.join(", "));
        event.cost_detail = Some(match event.cost_detail {
            Some(detail) => format!("{detail}; {note}"),
            None => note,
        });
    }
    event.flags.extend(certainty_flag(billed.iter().filter_map(|charge| charge.best().cost.as_ref())));
    if billed.iter().any(|charge| duplicates.contains(charge.id())) {
        event.flags.push(Flag::PossibleDuplicate);
    }
    if is_truncated(charges, &event) {
        event.flags.push(Flag::Truncated);
    }
    if event.emitter_cost_usd.is_some_and(|theirs| event.cost_usd.is_some_and(|ours| theirs != ours)) {
        event.flags.push(Flag::EmitterCostDiffers);
    }
    event.flags.sort();
    event.flags.dedup();

    // The request consists only of aggregates over calls that count in other events.
    if billed.is_empty() && superseded.contains_key(primary.id()) {
        let leaf = superseded.get(primary.id()).map(|id| primary_of(id));
        make_void(&mut event, leaf);
    }
    event
}

/// The void event of a request's id that is not its primary id.
pub(super) fn void(id: &EventId, charges: &[&Charge<'_>], by: &EventId) -> CostEvent {
    let own =
        charges.iter().find(|charge| charge.event_ids().any(|other| other == id)).unwrap_or(&charges[0]);
    let mut event = from_charge(id, own);
    let mut attribution = PartialAttribution::default();
    for sighting in own.calls.iter().flat_map(|call| &call.sightings).filter(|o| o.event_id == *id) {
        attribution.fill_from(&sighting.attribution);
        event.timestamp = sighting.start;
        event.emitter.clone_from(&sighting.emitter);
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
fn is_truncated(charges: &[&Charge<'_>], event: &CostEvent) -> bool {
    let mut sightings =
        charges.iter().flat_map(|charge| &charge.calls).flat_map(|call| call.sightings.iter());
    let is_lost = |name: &String| event.dims.len() >= DIMS_MAX && !event.dims.contains_key(name);
    sightings.any(|o| o.truncated || o.attribution.dims.keys().any(is_lost))
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
    for observation in charge.calls.iter().flat_map(|call| &call.sightings) {
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
