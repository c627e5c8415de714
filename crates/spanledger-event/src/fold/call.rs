//! Step 1: sightings of one call become one observed call.

use std::cmp::{Ordering, Reverse};

use crate::{
    Bucket, CallOutcome, EventId, Observation, ObservedAs, PartialAttribution, Role, Timestamp, Unstated,
    Usage,
};

/// One observation in the fold of its component.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting<'a> {
    pub(super) facts: &'a Observation,
    /// The event id under which it counts. It differs from the stated one if that is reused.
    pub(super) request: &'a EventId,
}

/// One call, with all sightings that carry its id, the best first.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObservedCall<'a> {
    pub(super) id: &'a str,
    pub(super) start: Timestamp,
    pub(super) sightings: &'a [Sighting<'a>],
    /// The number of its charge, which is set by [`charge::group`](super::charge::group).
    pub(super) charge: usize,
}

/// Sorts sightings by call, the best of each call first, and removes repetitions.
pub(super) fn sort(sightings: &mut Vec<Sighting<'_>>) {
    sightings.sort_unstable_by(|a, b| {
        super::steps::add(1);
        let (a, b) = (a.facts, b.facts);
        a.call_id.cmp(&b.call_id).then_with(|| cmp_evidence(a, b))
    });
    sightings.dedup_by(|a, b| a.facts == b.facts);
}

/// Groups sorted sightings by call id, in the order of the calls' start.
pub(super) fn group<'a>(sightings: &'a [Sighting<'a>]) -> Vec<ObservedCall<'a>> {
    let mut calls: Vec<ObservedCall<'_>> =
        sightings.chunk_by(|a, b| a.facts.call_id == b.facts.call_id).map(ObservedCall::of).collect();
    calls.sort_unstable_by_key(|call| (call.start, call.id));
    calls
}

/// Puts the better evidence first: sightings with a usage before those without (an unreadable usage counts
/// as one), records before spans, then those that state the service tier, then those whose usage states more
/// parts (cached tokens first), then those whose usage has more buckets.
pub(super) fn cmp_evidence(a: &Observation, b: &Observation) -> Ordering {
    fn rank(o: &Observation) -> (bool, ObservedAs, bool, Unstated, Reverse<usize>) {
        let used = |usage: &Usage| Bucket::ALL.into_iter().filter(|&bucket| usage.tokens(bucket) > 0).count();
        let has_usage = o.usage.is_some() || o.usage_problem.is_some();
        let unstated = o.usage.as_ref().map(Usage::unstated).unwrap_or_default();
        let used = Reverse(o.usage.as_ref().map_or(0, used));
        (!has_usage, o.sighting, o.service_tier.is_none(), unstated, used)
    }
    rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
}

impl<'a> ObservedCall<'a> {
    /// The call of these sightings, of which there is at least one.
    pub(super) fn of(sightings: &'a [Sighting<'a>]) -> Self {
        let start = sightings.iter().map(|s| s.facts.start).min().unwrap_or_default();
        Self { id: &sightings[0].facts.call_id, start, sightings, charge: 0 }
    }

    pub(super) fn observations(&self) -> impl Iterator<Item = &'a Observation> + use<'a> {
        self.sightings.iter().map(|sighting| sighting.facts)
    }

    pub(super) fn best(&self) -> &'a Observation {
        self.sightings[0].facts
    }

    /// The value of the first sighting that states one.
    pub(super) fn first<T>(&self, get: impl Fn(&'a Observation) -> Option<T>) -> Option<T> {
        self.observations().find_map(get)
    }

    pub(super) fn is_aggregate(&self) -> bool {
        self.observations().all(|o| o.role == Role::Aggregate)
    }

    pub(super) fn has_usage(&self) -> bool {
        self.observations().any(|o| o.usage.is_some() || o.usage_problem.is_some())
    }

    /// Whether the provider may have billed the call. A call with a usage was billed, even if its outcome
    /// says that it failed.
    pub(super) fn is_billable(&self) -> bool {
        self.outcome().is_billable() || self.has_usage()
    }

    /// How the call ended. A record is preferred to a span, because it is made from the provider's own
    /// response.
    pub(super) fn outcome(&self) -> &'a CallOutcome {
        &self.observations().min_by_key(|o| o.sighting).unwrap_or(self.best()).outcome
    }

    pub(super) fn attempts(&self) -> u32 {
        self.observations().map(|o| o.attempts).max().unwrap_or(1)
    }

    /// How many required fields of the attribution the sightings state together.
    pub(super) fn known_attribution(&self) -> usize {
        let states = |get: fn(&PartialAttribution) -> &Option<String>| {
            self.observations().any(|o| get(&o.attribution).is_some())
        };
        [states(|a| &a.feature), states(|a| &a.route), states(|a| &a.customer_id), states(|a| &a.environment)]
            .into_iter()
            .filter(|is_stated| *is_stated)
            .count()
    }
}
