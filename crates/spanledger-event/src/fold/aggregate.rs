//! Step 3: a span around calls that carry usage is not a charge.

use std::collections::{BTreeMap, BTreeSet};

use super::{Call, Charge};
use crate::EventId;

/// The calls that are aggregates over other calls, each with the event of its first call.
///
/// A descendant is found by its parents as far as they are known; where the chain ends in a span
/// that was never seen, lying within the aggregate's time decides.
pub(super) fn superseded<'a>(charges: &[Charge<'a>]) -> BTreeMap<&'a str, &'a EventId> {
    let mut traces: BTreeMap<&str, Vec<&'a Call<'a>>> = BTreeMap::new();
    for call in charges.iter().flat_map(|charge| charge.calls.iter().copied()) {
        if let Some(trace) = call.first(|o| o.trace_id.as_deref()) {
            traces.entry(trace).or_default().push(call);
        }
    }
    let mut superseded = BTreeMap::new();
    for calls in traces.values() {
        let aggregates: Vec<&Call<'_>> = calls.iter().copied().filter(|call| call.is_aggregate()).collect();
        if aggregates.is_empty() {
            continue;
        }
        let spans: BTreeMap<&str, &Call<'_>> = calls
            .iter()
            .flat_map(|call| call.sightings.iter().filter_map(move |o| Some((o.span_id.as_deref()?, *call))))
            .collect();
        let mut leaves: Vec<&&Call<'_>> =
            calls.iter().filter(|call| !call.is_aggregate() && call.has_usage()).collect();
        leaves.sort_by_key(|call| (call.start(), call.id));
        for aggregate in aggregates {
            if let Some(leaf) = leaves.iter().find(|leaf| is_below(leaf, aggregate, &spans)) {
                superseded.insert(aggregate.id, &leaf.best().event_id);
            }
        }
    }
    superseded
}

fn is_below(leaf: &Call<'_>, aggregate: &Call<'_>, spans: &BTreeMap<&str, &Call<'_>>) -> bool {
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
            return outer.start <= inner.start && inner.end <= outer.end;
        };
        at = call;
    }
}
