//! The fold: observations in, one event per logical request out.
//!
//! The fold is a pure function of the *set* of observations: their order, their repetition and the
//! requests in which they arrived change nothing. The ledger only applies it. It works in four steps,
//! each in its own file:
//!
//! 1. [`call`]: sightings of one call (its record and its span) become one observed call. For each
//!    field, the best sighting that states a value wins.
//! 2. [`charge`]: calls that are sightings of one provider response (a framework and the SDK under
//!    it, a client and its gateway) become one charge, when the provider's ids are unique and
//!    model and usage agree. Otherwise both are kept and flagged.
//! 3. [`aggregate`]: the span of an agent or a chain above calls that carry usage is not a charge.
//! 4. [`assemble`]: the charges of one request become its event. The earliest billed charge is the
//!    primary one; the others are billed retries. A failed attempt adds to `attempts` and never erases
//!    a charge.

use std::collections::{BTreeMap, BTreeSet};

use crate::{CostEvent, EventId, Observation};

mod aggregate;
mod assemble;
mod call;
mod charge;
mod related;
mod relation;
#[cfg(test)]
mod tests;

use call::ObservedCall;
use charge::Charge;
pub use related::{
    COMPONENT_MAX, Component, CrowdedRelation, Folded, Journal, RefusedReason, Related, related,
};
pub use relation::{CALL_LIMIT, EVENT_LIMIT, RESPONSE_LIMIT, Relation, RelationKind, TRACE_LIMIT};

/// Folds observations into events, in the order of their ids.
///
/// An event is correct when the input has all of its observations, all observations that share a
/// [link](Observation::link) with them and, if one of them is an aggregate, all observations of its
/// trace. `revision` stays 0, because only the ledger knows the event's earlier states.
pub fn fold<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> Vec<CostEvent> {
    let distinct: BTreeSet<&Observation> = observations.into_iter().collect();
    let calls = call::group(&distinct);
    let charges = charge::group(&calls);
    let superseded = aggregate::superseded(&charges);
    let duplicates = charge::possible_duplicates(&charges, &superseded);

    // Charges that share an event id belong to one request, and so do the event ids of one charge.
    let mut requests = Components::default();
    for charge in &charges {
        let first = charge.event_ids().next();
        for id in charge.event_ids() {
            if let Some(first) = first {
                requests.join(first, id);
            }
        }
    }
    let mut by_request: BTreeMap<&EventId, Vec<&Charge<'_>>> = BTreeMap::new();
    for charge in &charges {
        if let Some(id) = charge.event_ids().next() {
            by_request.entry(requests.root(id)).or_default().push(charge);
        }
    }

    // An aggregate points at an event id, which may in turn have been merged into another one.
    let mut primaries: BTreeMap<&EventId, EventId> = BTreeMap::new();
    for (root, charges) in &by_request {
        primaries.insert(root, assemble::primary_id(charges, &superseded).clone());
    }
    let primary_of = |id: &EventId| primaries.get(requests.root(id)).cloned().unwrap_or_else(|| id.clone());

    let mut events = Vec::new();
    for (root, charges) in &by_request {
        let ids: BTreeSet<&EventId> = charges.iter().flat_map(|charge| charge.event_ids()).collect();
        let primary = &primaries[root];
        let event = assemble::event(primary, charges, &superseded, &duplicates, primary_of);
        for id in ids {
            if id == primary {
                events.push(event.clone());
            } else {
                events.push(assemble::void(id, charges, event.superseded_by.as_ref().unwrap_or(primary)));
            }
        }
    }
    events.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    events
}

/// The event of one observation without relatives. It is the same as that of [`fold`], and made faster.
pub fn fold_lone(observation: &Observation) -> CostEvent {
    fold([observation]).pop().unwrap_or_default()
}

/// How much each relation over its limit adds to the revision of the events under it.
pub const REVISION_OF_CROWDED: i64 = 10_000;
/// Revisions that the fold makes are below this number. A store adds a multiple of it when it prices events
/// again.
pub const REVISION_OF_EPOCH: i64 = 1_000_000;

/// Connected components of event ids; the root is always the smallest id.
#[derive(Default)]
struct Components<'a> {
    parent: BTreeMap<&'a EventId, &'a EventId>,
}

impl<'a> Components<'a> {
    fn root<'b>(&self, id: &'b EventId) -> &'b EventId
    where
        'a: 'b,
    {
        let mut id = id;
        while let Some(&up) = self.parent.get(id) {
            id = up;
        }
        id
    }

    fn join(&mut self, a: &'a EventId, b: &'a EventId) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parent.insert(a.max(b), a.min(b));
        }
    }
}
