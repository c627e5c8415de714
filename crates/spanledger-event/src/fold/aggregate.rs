//! Step 3: an aggregate over calls that carry usage is not a charge.

use std::collections::{BTreeMap, BTreeSet};

use super::{Charge, ObservedCall};
use crate::{EventId, Observation};

/// The calls that are aggregates over other calls, each with the event of its first call.
///
/// Descendants are found by their chain of parents. Where the chain ends in a span that was never seen,
/// a call within the aggregate's time counts as a descendant ([`is_below`]).
pub(super) fn superseded<'a>(charges: &[Charge<'a>]) -> BTreeMap<&'a str, &'a EventId> {
    let mut traces: BTreeMap<&str, Vec<&'a ObservedCall<'a>>> = BTreeMap::new();
    for call in charges.iter().flat_map(|charge| charge.calls.iter().copied()) {
        if let Some(trace) = call.first(|o| o.trace_id.as_deref()) {
            traces.entry(trace).or_default().push(call);
        }
    }
    let mut superseded = BTreeMap::new();
    for calls in traces.values() {
        let aggregates: Vec<&ObservedCall<'_>> =
            calls.iter().copied().filter(|call| call.is_aggregate()).collect();
        if aggregates.is_empty() {
            continue;
        }
        let spans: BTreeMap<&str, &ObservedCall<'_>> = calls
            .iter()
            .flat_map(|call| call.sightings.iter().filter_map(move |o| Some((o.span_id.as_deref()?, *call))))
            .collect();
        // Calls come before aggregates, so that an aggregate preferably points at a call.
        let mut leaves: Vec<&ObservedCall<'_>> =
            calls.iter().copied().filter(|call| call.has_usage()).collect();
        leaves.sort_by_key(|call| (call.is_aggregate(), call.start(), call.id));
        let covered: BTreeMap<&str, Vec<&ObservedCall<'_>>> = aggregates
            .iter()
            .map(|aggregate| {
                let below = leaves.iter().copied().filter(|leaf| covers(aggregate, leaf, &spans));
                (aggregate.id, below.collect::<Vec<_>>())
            })
            .filter(|(_, below)| !below.is_empty())
            .collect();
        for (&aggregate, below) in &covered {
            superseded.insert(aggregate, &counting(below, &covered).best().event_id);
        }
    }
    superseded
}

/// Whether the usage of `aggregate` includes that of `leaf`.
///
/// Broken emitters make each of two aggregates the parent of the other. Then the earlier one counts,
/// so that the cost of such a cycle is not lost.
fn covers(
    aggregate: &ObservedCall<'_>,
    leaf: &ObservedCall<'_>,
    spans: &BTreeMap<&str, &ObservedCall<'_>>,
) -> bool {
    leaf.id != aggregate.id
        && is_below(leaf, aggregate, spans)
        && ((leaf.start(), leaf.id) < (aggregate.start(), aggregate.id)
            || !leaf.is_aggregate()
            || !is_below(aggregate, leaf, spans))
}

/// Finds a call below an aggregate that is not itself covered. There is one, because [`covers`] has no
/// cycles.
fn counting<'a, 'b>(
    below: &'b [&'a ObservedCall<'a>],
    covered: &'b BTreeMap<&str, Vec<&'a ObservedCall<'a>>>,
) -> &'a ObservedCall<'a> {
    let mut below = below;
    loop {
        if let Some(call) = below.iter().find(|call| !covered.contains_key(call.id)) {
            return call;
        }
        below = &covered[below[0].id];
    }
}

/// Whether the chain of parents leads from `leaf` to `aggregate`. A chain that is a cycle without
/// `aggregate` does not.
///
/// If a parent on the chain was never seen, `leaf` is below `aggregate` when it is a call of the same
/// service, within the aggregate's time, with at most as many tokens as the aggregate.
fn is_below(
    leaf: &ObservedCall<'_>,
    aggregate: &ObservedCall<'_>,
    spans: &BTreeMap<&str, &ObservedCall<'_>>,
) -> bool {
    let mut seen = BTreeSet::new();
    let mut at = leaf;
    loop {
        if at.id == aggregate.id {
            return true;
        }
        if !seen.insert(at.id) {
            return false;
        }
        let Some(parent) = at.first(|o| o.parent_span_id.as_deref()) else {
            return false;
        };
        let Some(call) = spans.get(parent) else {
            let (outer, inner) = (aggregate.best(), leaf.best());
            let total = |o: &Observation| {
                o.usage.as_ref().map_or(0, |u| u.prompt_tokens().saturating_add(u.output_tokens()))
            };
            return !leaf.is_aggregate()
                && outer.start <= inner.start
                && inner.end <= outer.end
                && outer.service_name == inner.service_name
                && total(outer) >= total(inner);
        };
        at = call;
    }
}
