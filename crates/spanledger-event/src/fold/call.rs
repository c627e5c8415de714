//! Step 1: sightings of one call become one call.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{Bucket, CallOutcome, Observation, ObservedAs, PartialAttribution, Role, Timestamp, Usage};

/// One call, seen one or more times under one call id. The best sighting comes first.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) sightings: Vec<&'a Observation>,
}

/// Groups by call id; the order of calls and of their sightings depends on their contents alone.
pub(super) fn group<'a>(observations: &BTreeSet<&'a Observation>) -> Vec<Call<'a>> {
    let mut calls: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for observation in observations {
        calls.entry(&observation.call_id).or_default().push(observation);
    }
    let mut calls: Vec<Call<'_>> = calls
        .into_iter()
        .map(|(id, mut sightings)| {
            sightings.sort_by_key(|o| (quality(o), *o));
            Call { id, sightings }
        })
        .collect();
    calls.sort_by_key(|call| (call.start(), call.id));
    calls
}

/// How good a witness a sighting is; smaller is better: usage before none (an unreadable one is
/// one, too), records before spans, detail before totals.
pub(super) fn quality(o: &Observation) -> (bool, ObservedAs, bool, Reverse<usize>) {
    let used = |usage: &Usage| Bucket::ALL.into_iter().filter(|&bucket| usage.tokens(bucket) > 0).count();
    let has_usage = o.usage.is_some() || o.usage_problem.is_some();
    (!has_usage, o.sighting, o.service_tier.is_none(), Reverse(o.usage.as_ref().map_or(0, used)))
}

impl<'a> Call<'a> {
    pub(super) fn best(&self) -> &'a Observation {
        self.sightings[0]
    }

    pub(super) fn start(&self) -> Timestamp {
        self.sightings.iter().map(|o| o.start).min().unwrap_or_default()
    }

    /// The first sighting that knows it.
    pub(super) fn first<T>(&self, get: impl Fn(&'a Observation) -> Option<T>) -> Option<T> {
        self.sightings.iter().find_map(|o| get(o))
    }

    pub(super) fn is_aggregate(&self) -> bool {
        self.sightings.iter().all(|o| o.role == Role::Aggregate)
    }

    pub(super) fn has_usage(&self) -> bool {
        self.sightings.iter().any(|o| o.usage.is_some() || o.usage_problem.is_some())
    }

    /// Whether the provider may have billed it. A usage proves it, whatever a status says.
    pub(super) fn is_billable(&self) -> bool {
        self.outcome().is_billable() || self.has_usage()
    }

    /// How it ended: the record knows best, it saw the provider's own answer.
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
