//! Step 1: sightings of one call become one observed call.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    Bucket, CallOutcome, Observation, ObservedAs, PartialAttribution, Role, Timestamp, Unstated, Usage,
};

/// One call, with all sightings that carry its id, the best first.
#[derive(Debug)]
pub(super) struct ObservedCall<'a> {
    pub(super) id: &'a str,
    pub(super) sightings: Vec<&'a Observation>,
}

/// Groups the observations by call id. The order of calls and of their sightings depends only on their
/// contents.
pub(super) fn group<'a>(observations: &BTreeSet<&'a Observation>) -> Vec<ObservedCall<'a>> {
    let mut calls: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for observation in observations {
        calls.entry(&observation.call_id).or_default().push(observation);
    }
    let mut calls: Vec<ObservedCall<'_>> = calls
        .into_iter()
        .map(|(id, mut sightings)| {
            sightings.sort_by_key(|o| (evidence_rank(o), *o));
            ObservedCall { id, sightings }
        })
        .collect();
    calls.sort_by_key(|call| (call.start(), call.id));
    calls
}

/// The sort key that puts the best sighting first: sightings with a usage before those without (an
/// unreadable usage counts as one), records before spans, then those that state the service tier, then
/// those whose usage states more parts (cached tokens first), then those whose usage has more buckets.
pub(super) fn evidence_rank(o: &Observation) -> (bool, ObservedAs, bool, Unstated, Reverse<usize>) {
    let used = |usage: &Usage| Bucket::ALL.into_iter().filter(|&bucket| usage.tokens(bucket) > 0).count();
    let has_usage = o.usage.is_some() || o.usage_problem.is_some();
    let unstated = o.usage.as_ref().map(Usage::unstated).unwrap_or_default();
    (!has_usage, o.sighting, o.service_tier.is_none(), unstated, Reverse(o.usage.as_ref().map_or(0, used)))
}

impl<'a> ObservedCall<'a> {
    pub(super) fn best(&self) -> &'a Observation {
        self.sightings[0]
    }

    pub(super) fn start(&self) -> Timestamp {
        self.sightings.iter().map(|o| o.start).min().unwrap_or_default()
    }

    /// The value of the first sighting that states one.
    pub(super) fn first<T>(&self, get: impl Fn(&'a Observation) -> Option<T>) -> Option<T> {
        self.sightings.iter().find_map(|o| get(o))
    }

    pub(super) fn is_aggregate(&self) -> bool {
        self.sightings.iter().all(|o| o.role == Role::Aggregate)
    }

    pub(super) fn has_usage(&self) -> bool {
        self.sightings.iter().any(|o| o.usage.is_some() || o.usage_problem.is_some())
    }

    /// Whether the provider may have billed the call. A call with a usage was billed, even if its outcome
    /// says that it failed.
    pub(super) fn is_billable(&self) -> bool {
        self.outcome().is_billable() || self.has_usage()
    }

    /// How the call ended. A record is preferred to a span, because it is made from the provider's own
    /// response.
    pub(super) fn outcome(&self) -> &'a CallOutcome {
        &self.sightings.iter().min_by_key(|o| o.sighting).unwrap_or(&self.sightings[0]).outcome
    }

    pub(super) fn attempts(&self) -> u32 {
        self.sightings.iter().map(|o| o.attempts).max().unwrap_or(1)
    }

    pub(super) fn attribution(&self) -> PartialAttribution {
        let mut attribution = PartialAttribution::default();
        for sighting in &self.sightings {
            attribution.fill_from(&sighting.attribution);
        }
        attribution
    }
}
