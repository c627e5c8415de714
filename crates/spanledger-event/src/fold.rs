//! The fold: observations in, one event per logical request out.
//!
//! The fold is a pure function of the *set* of observations: their order, their repetition and the
//! requests in which they arrived change nothing. A store only applies it. Two questions have a module
//! each:
//!
//! * [`relation`]: what two observations can have in common, and how often a value may occur before it
//!   is no longer believed to identify anything;
//! * [`related`]: which stored observations belong together with new ones. Those that belong together
//!   are a component, and each component is folded alone.
//!
//! The fold of a component works in four steps:
//!
//! 1. [`call`]: sightings of one call (its record and its span) become one observed call. For each
//!    field, the best sighting that states a value wins.
//! 2. [`charge`]: calls that are sightings of one provider response (a framework and the SDK under
//!    it, a client and its gateway) become one charge, when the provider's ids are unique and
//!    model and usage agree. Otherwise both are kept and [flagged](duplicate).
//! 3. [`aggregate`]: the span of an agent or a chain above calls that carry usage is not a charge.
//! 4. [`assemble`]: the charges of one request become its event. The earliest billed charge is the
//!    primary one; the others are billed retries. A failed attempt adds to `attempts` and never erases
//!    a charge.
//!
//! Sorting is the most expensive part of it. What is compared with each other (the sightings of one
//! response, the calls of one trace) is at most as much as the relation's limit allows.

use crate::{CostEvent, EventId, Observation, limits::COMPONENT_MAX};

mod aggregate;
mod assemble;
mod call;
mod charge;
mod component;
mod duplicate;
mod graph;
mod related;
mod relation;
mod sets;
mod steps;
#[cfg(test)]
mod tests;

use call::{ObservedCall, Sighting};
use charge::Charge;
pub use component::{Component, CrowdedRelation, Folded};
use graph::{Graph, Origin};
pub use related::{Journal, RefusedReason, Related, related, related_while, stored_components};
pub use relation::{Relation, RelationKind};
use sets::Sets;

/// How much each relation over its limit adds to the revision of the events under it.
pub const REVISION_OF_CROWDED: i64 = 10_000;
/// The revisions that the fold makes are below this number. A store adds a multiple of it when it prices
/// the events again.
pub const REVISION_OF_EPOCH: i64 = 1_000_000;
/// So many relations over their limit count in a revision.
const CROWDED_MAX: usize = 98;

/// The limits of relations and components. Tests use smaller ones.
#[derive(Clone, Copy, Debug)]
struct Limits {
    event: usize,
    call: usize,
    response: usize,
    trace: usize,
    component: usize,
}

impl Limits {
    const DEFAULT: Self = Self {
        event: RelationKind::Event.limit(),
        call: RelationKind::Call.limit(),
        response: RelationKind::Response.limit(),
        trace: RelationKind::Trace.limit(),
        component: COMPONENT_MAX,
    };

    const fn of(&self, kind: RelationKind) -> usize {
        match kind {
            RelationKind::Event => self.event,
            // The fold takes all sightings that it is given; the closure refuses those that are too many.
            RelationKind::Call => self.call,
            RelationKind::Response => self.response,
            RelationKind::Trace | RelationKind::Aggregate => self.trace,
        }
    }
}

/// Folds observations into events, in the order of their ids.
///
/// The input is everything: an event is correct when the input has all observations of its component.
/// A store that has more than it wants to read asks [`related`] for the component of what is new.
pub fn fold<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> Vec<CostEvent> {
    fold_within(Limits::DEFAULT, observations)
}

fn fold_within<'a>(
    limits: Limits,
    observations: impl IntoIterator<Item = &'a Observation>,
) -> Vec<CostEvent> {
    let mut distinct: Vec<&Observation> = observations.into_iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let limits = Limits { call: usize::MAX, ..limits };
    let mut graph = Graph::with_capacity(distinct.len());
    for (index, observation) in distinct.into_iter().enumerate() {
        let places = graph.places(&observation);
        graph.add(observation, Origin::New(index), places);
    }
    let mut events = Vec::new();
    for component in graph.components(&limits, 0..graph.nodes.len()) {
        let crowded = graph.crowded(&component, &limits);
        let mut crowded: Vec<_> = crowded.into_iter().filter_map(|place| graph.relation(place)).collect();
        crowded.sort_unstable();
        events.extend(fold_component(component.iter().map(|&at| graph.nodes[at].observation), &crowded));
    }
    events.sort_unstable_by(|a, b| a.event_id.cmp(&b.event_id));
    events
}

/// The event of one observation without relatives. It is the same as that of [`fold`], and made faster.
pub fn fold_lone(observation: &Observation) -> CostEvent {
    let sightings = [Sighting { facts: observation, request: &observation.event_id }];
    let calls = [ObservedCall::of(&sightings)];
    let charges = [Charge::of(&calls)];
    let mut event = assemble::event(&observation.event_id, &charges, EventId::clone);
    event.revision = 1;
    event
}

/// The events of a component. `crowded` are the relations over their limit, in their order.
fn fold_component<'a>(
    observations: impl Iterator<Item = &'a Observation>,
    crowded: &[Relation<'_>],
) -> Vec<CostEvent> {
    let observations: Vec<&Observation> = observations.collect();
    match (observations.as_slice(), crowded) {
        ([observation], []) => vec![fold_lone(observation)],
        _ => fold_related(&observations, crowded),
    }
}

fn fold_related(observations: &[&Observation], crowded: &[Relation<'_>]) -> Vec<CostEvent> {
    let is_crowded = |relation: Relation<'_>| crowded.binary_search(&relation).is_ok();
    let reused = |o: &Observation| {
        let is_reused = o.relation(RelationKind::Event).is_some_and(is_crowded);
        is_reused.then(|| EventId::of_reused(&o.event_id, &o.call_id))
    };
    let reused: Vec<Option<EventId>> = match crowded {
        [] => Vec::new(),
        _ => observations.iter().copied().map(reused).collect(),
    };
    let request = |at: usize| reused.get(at).and_then(Option::as_ref);
    let mut sightings: Vec<Sighting<'_>> = observations
        .iter()
        .enumerate()
        .map(|(at, facts)| Sighting { facts, request: request(at).unwrap_or(&facts.event_id) })
        .collect();
    call::sort(&mut sightings);
    let mut calls = call::group(&sightings);
    charge::group(&mut calls, &is_crowded);
    let mut charges: Vec<Charge<'_>> = calls.chunk_by(|a, b| a.charge == b.charge).map(Charge::of).collect();
    aggregate::find_superseded(&mut charges, &is_crowded);
    duplicate::find(&mut charges, &is_crowded);
    let mut events = fold_charges(&mut charges);
    let crowded = i64::try_from(crowded.len().min(CROWDED_MAX)).unwrap_or_default();
    let observations = i64::try_from(sightings.len()).unwrap_or(REVISION_OF_CROWDED);
    let revision = observations.min(REVISION_OF_CROWDED - 1) + crowded * REVISION_OF_CROWDED;
    for event in &mut events {
        event.revision = revision;
    }
    events
}

/// The events of charges: those that share an event id belong to one request, and so do the event ids of
/// one charge.
fn fold_charges(charges: &mut [Charge<'_>]) -> Vec<CostEvent> {
    // The record and the span of a call usually have one event id.
    if let [charge] = &*charges
        && charge.event_ids().all(|id| id == charge.id_of_request())
    {
        return vec![assemble::event(charge.id_of_request(), charges, EventId::clone)];
    }
    let mut ids: Vec<&EventId> = charges.iter().flat_map(|charge| charge.event_ids()).collect();
    ids.sort_unstable();
    ids.dedup();
    let place = |id: &EventId| ids.binary_search(&id).unwrap_or_default();
    let mut requests = Sets::new(ids.len());
    for charge in charges.iter() {
        let first = place(charge.id_of_request());
        for id in charge.event_ids() {
            requests.join(first, place(id));
        }
    }
    for charge in charges.iter_mut() {
        charge.request = requests.root(place(charge.id_of_request()));
    }
    charges.sort_by(|a, b| a.request.cmp(&b.request).then_with(|| a.cmp_rank(b)));

    // An aggregate points at an event id, which may in turn have been merged into another one.
    let mut primaries: Vec<Option<&EventId>> = vec![None; ids.len()];
    let by_request = || charges.chunk_by(|a, b| a.request == b.request);
    for request in by_request() {
        primaries[request[0].request] = Some(assemble::primary_id(request));
    }
    let roots: Vec<usize> = (0..ids.len()).map(|id| requests.root(id)).collect();
    let primary_of = |id: &EventId| primaries[roots[place(id)]].unwrap_or(id).clone();

    let mut voids: Vec<(usize, &EventId)> = roots.iter().copied().zip(ids.iter().copied()).collect();
    voids.retain(|(root, id)| primaries[*root] != Some(*id));
    voids.sort_unstable();
    let mut voids = voids.into_iter().peekable();
    let mut events = Vec::with_capacity(ids.len());
    for request in by_request() {
        let root = request[0].request;
        let Some(primary) = primaries[root] else { continue };
        let event = assemble::event(primary, request, primary_of);
        let by = event.superseded_by.clone().unwrap_or_else(|| primary.clone());
        while let Some((_, id)) = voids.next_if(|(other, _)| *other == root) {
            events.push(assemble::void(id, request, &by));
        }
        events.push(event);
    }
    events
}
