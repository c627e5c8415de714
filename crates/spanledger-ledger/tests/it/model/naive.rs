//! The simplest implementation of a ledger: it keeps everything in memory and folds all of it each time.

use std::collections::{BTreeMap, BTreeSet};

use spanledger_event::{Cost, CostEvent, EventId, EventState, Flag, Observation, Role, Timestamp, fold};
use spanledger_ledger::{Appended, GroupBy, Query, Totals};

use crate::support::SECOND;

pub(super) const HOUR: i64 = 3_600 * SECOND;

/// The simplest implementation of a ledger. It does not know the numbers of changes: those of the ledger
/// are only compared with each other.
#[derive(Default)]
pub(super) struct Naive {
    /// Distinct observations. The first delivery counts, with its price or that of a later repricing.
    pub(super) observations: Vec<Observation>,
    /// How many distinct observations there were, with those that are pruned.
    pub(super) total: usize,
    pub(super) events: BTreeMap<EventId, Stored>,
    /// What was pruned: late sightings of it change nothing, and reports keep its sums.
    pruned_observations: Vec<Observation>,
    pub(super) pruned: BTreeMap<EventId, CostEvent>,
    /// The greatest number after each operation.
    pub(super) ends: Vec<i64>,
    pub(super) cursors: BTreeMap<&'static str, i64>,
    /// The greatest number that any follower was given.
    pub(super) handed_out: i64,
}

/// An event, and the operation in which it appeared first.
pub(super) struct Stored {
    /// What the event may be. It is one version, until an event changes whose row's number lies in the same
    /// operation as the end of a batch: only the ledger knows whether its timestamp is fixed already.
    versions: Vec<Version>,
    operation: usize,
}

#[derive(Clone)]
struct Version {
    /// The revision is that of the ledger.
    event: CostEvent,
    has_changed: bool,
    keeps_timestamp: bool,
}

impl Version {
    fn update(&mut self, folded: &CostEvent) {
        let mut event = CostEvent { revision: self.event.revision, ..folded.clone() };
        if self.keeps_timestamp {
            event.timestamp = self.event.timestamp;
        }
        self.has_changed |= event != self.event;
        self.event = event;
    }
}

impl Stored {
    fn new(folded: &CostEvent, operation: usize) -> Self {
        let event = CostEvent { revision: 0, ..folded.clone() };
        Self { versions: vec![Version { event, has_changed: true, keeps_timestamp: false }], operation }
    }

    pub(super) fn event(&self) -> &CostEvent {
        &self.versions[0].event
    }

    fn update(&mut self, folded: &CostEvent, ends: &[i64], handed_out: i64) {
        let end = ends.get(self.operation - 1).copied().unwrap_or(i64::MAX);
        let before = self.operation.checked_sub(2).map_or(0, |index| ends[index]);
        let keeps_timestamp = if handed_out >= end {
            Some(true)
        } else if handed_out <= before {
            Some(false)
        } else {
            None
        };
        match keeps_timestamp {
            Some(keeps) => self.versions.iter_mut().for_each(|version| version.keeps_timestamp = keeps),
            None if self.versions.len() == 1 => {
                let version = self.versions[0].clone();
                self.versions = [true, false]
                    .map(|keeps_timestamp| Version { keeps_timestamp, ..version.clone() })
                    .into();
            }
            None => {}
        }
        self.versions.iter_mut().for_each(|version| version.update(folded));
    }

    /// Takes the ledger's version if it is one of the possible ones. Returns whether the event has changed
    /// since the last time.
    pub(super) fn settle(&mut self, event: &CostEvent) -> Result<bool, String> {
        let is_it = |version: &&Version| {
            CostEvent { revision: event.revision, ..version.event.clone() } == *event
                && (event.revision > version.event.revision) == version.has_changed
        };
        let Some(version) = self.versions.iter().find(is_it) else {
            let expected: Vec<_> =
                self.versions.iter().map(|version| (version.has_changed, &version.event)).collect();
            return Err(format!("{event:?}\ninstead of {expected:?}"));
        };
        let has_changed = version.has_changed;
        let version = Version { event: event.clone(), has_changed: false, ..*version };
        self.versions = vec![version];
        Ok(has_changed)
    }
}

impl Naive {
    pub(super) fn append(&mut self, batch: &[Observation]) -> Appended {
        let mut appended = Appended::default();
        for (index, observation) in batch.iter().enumerate() {
            let mut known = self.observations.iter().chain(&batch[..index]);
            if known.any(|known| known.has_same_facts(observation)) {
                appended.duplicates += 1;
            } else if self.pruned_observations.iter().any(|pruned| is_late(observation, pruned)) {
                appended.late += 1;
            } else {
                self.observations.push(observation.clone());
                self.total += 1;
                appended.new += 1;
            }
        }
        self.fold();
        appended
    }

    fn fold(&mut self) {
        let operation = self.ends.len() + 1;
        for folded in fold(&self.observations) {
            match self.events.get_mut(&folded.event_id) {
                Some(stored) => stored.update(&folded, &self.ends, self.handed_out),
                None => {
                    self.events.insert(folded.event_id.clone(), Stored::new(&folded, operation));
                }
            }
        }
    }

    /// Moves the cursor to the end of an operation.
    pub(super) fn advance(&mut self, follower: &'static str, operation: usize) -> i64 {
        let end = operation.checked_sub(1).map_or(0, |index| self.ends[index]);
        let cursor = self.cursors.entry(follower).or_default();
        *cursor = end.max(*cursor);
        self.handed_out = self.handed_out.max(end);
        end
    }

    /// Gives observations new costs.
    pub(super) fn reprice<'a>(&mut self, costs: impl Iterator<Item = (&'a Observation, Cost)>) {
        for (of, cost) in costs {
            let known = self.observations.iter_mut().find(|known| known.has_same_facts(of)).unwrap();
            known.cost = Some(cost);
        }
        self.fold();
    }

    /// Deletes what belongs together if all of its events began before the moment, and every follower has
    /// passed their changes. Returns the events, and how many observations are deleted.
    pub(super) fn prune(
        &mut self,
        before: Timestamp,
        passed: i64,
        changes: &BTreeMap<EventId, i64>,
    ) -> (Vec<CostEvent>, usize) {
        let (mut pruned, mut observations) = (Vec::new(), 0);
        for group in groups(&self.observations) {
            let ids: BTreeSet<EventId> =
                group.iter().map(|index| self.observations[*index].event_id.clone()).collect();
            let events: Vec<&CostEvent> =
                ids.iter().filter_map(|id| Some(self.events.get(id)?.event())).collect();
            let is_old = |event: &&CostEvent| event.timestamp < before && changes[&event.event_id] <= passed;
            if events.is_empty() || !events.iter().all(is_old) {
                continue;
            }
            pruned.extend(events.into_iter().cloned());
            observations += group.len();
            for index in &group {
                self.pruned_observations.push(self.observations[*index].clone());
            }
            for id in ids {
                self.pruned.extend(self.events.remove_entry(&id).map(|(id, s)| (id, s.event().clone())));
            }
        }
        let gone = &self.pruned_observations;
        self.observations.retain(|known| !gone.iter().any(|pruned| pruned.has_same_facts(known)));
        (pruned, observations)
    }

    pub(super) fn count(&self, is_counted: impl Fn(EventState) -> bool) -> i64 {
        let count = self.events.values().filter(|stored| is_counted(stored.event().state)).count();
        i64::try_from(count).unwrap()
    }

    /// The sums by group over the events that are there. Groups without requests are left out.
    pub(super) fn report_of_events(&self, query: &Query) -> BTreeMap<Option<String>, Totals> {
        let is_in = |event: &&CostEvent| {
            query.since.is_none_or(|since| since <= event.timestamp)
                && query.until.is_none_or(|until| event.timestamp < until)
        };
        sums(query, self.events.values().map(Stored::event).filter(is_in))
    }

    /// The same with the pruned events, which are known by hours, for customers by days: of an hour or day that
    /// is asked for in part, only events that are still there have a part in the report.
    pub(super) fn report(&self, query: &Query) -> BTreeMap<Option<String>, Totals> {
        let bucket = if query.group_by == GroupBy::Customer { 24 * HOUR } else { HOUR };
        let first = query.since.map(|since| (since.nanos() + bucket - 1).div_euclid(bucket) * bucket);
        let last = query.until.map(|until| until.nanos().div_euclid(bucket) * bucket);
        let is_in = |event: &&CostEvent| {
            first.is_none_or(|first| first <= event.timestamp.nanos())
                && last.is_none_or(|last| event.timestamp.nanos() < last)
        };
        let mut groups = self.report_of_events(query);
        for (name, totals) in sums(query, self.pruned.values().filter(is_in)) {
            let group = groups.entry(name).or_default();
            *group = group.plus(&totals);
        }
        groups
    }
}

/// Whether an observation is a sighting of what was pruned.
fn is_late(observation: &Observation, pruned: &Observation) -> bool {
    let response = |o: &Observation| o.response.as_ref().map(|response| response.id.clone());
    let is_unique = observation.response.as_ref().is_some_and(|response| response.unique);
    let is_aggregate = observation.role == Role::Aggregate;
    observation.call_id == pruned.call_id
        || observation.event_id == pruned.event_id
        || is_aggregate && observation.trace_id.is_some() && observation.trace_id == pruned.trace_id
        || is_unique && response(observation) == response(pruned)
}

/// The indexes of observations that belong together.
fn groups(observations: &[Observation]) -> Vec<Vec<usize>> {
    let has_aggregate = |trace: &str| {
        observations.iter().any(|o| o.role == Role::Aggregate && o.trace_id.as_deref() == Some(trace))
    };
    let keys = |o: &Observation| {
        let trace = o.trace_id.as_deref().filter(|trace| has_aggregate(trace));
        [
            Some(format!("event {}", o.event_id)),
            Some(format!("call {}", o.call_id)),
            o.response.as_ref().map(|response| format!("response {}", response.id)),
            trace.map(|trace| format!("trace {trace}")),
        ]
    };
    let mut groups: Vec<(BTreeSet<String>, Vec<usize>)> = Vec::new();
    for (index, observation) in observations.iter().enumerate() {
        let mut of_new = (keys(observation).into_iter().flatten().collect::<BTreeSet<_>>(), vec![index]);
        let (joined, others) = groups.into_iter().partition(|(keys, _)| !keys.is_disjoint(&of_new.0));
        groups = others;
        for (keys, members) in Vec::from_iter::<Vec<_>>(joined) {
            of_new.0.extend(keys);
            of_new.1.extend(members);
        }
        groups.push(of_new);
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn sums<'a>(query: &Query, events: impl Iterator<Item = &'a CostEvent>) -> BTreeMap<Option<String>, Totals> {
    let mut groups: BTreeMap<Option<String>, Totals> = BTreeMap::new();
    for event in events {
        let is_asked_for = event.state != EventState::Void
            && query.environment.as_ref().is_none_or(|name| event.environment.as_ref() == Some(name));
        if !is_asked_for {
            continue;
        }
        let name = match query.group_by {
            GroupBy::Feature => event.feature.clone(),
            GroupBy::Route => event.route.clone(),
            GroupBy::Customer => event.customer_id.clone(),
            GroupBy::Model => event.model.clone().or_else(|| event.response_model.clone()),
            GroupBy::Day => Some(event.timestamp.to_string()[..10].to_owned()),
            _ => panic!("the model does not know this grouping"),
        };
        let known = event.cost_usd.unwrap_or_default() + event.retry_cost_usd.unwrap_or_default();
        let group = groups.entry(name).or_default();
        group.requests += 1;
        group.attempts += event.attempts;
        group.failed += i64::from(event.error_code.is_some());
        group.retried += i64::from(event.attempts > 1);
        group.unpriced += i64::from(event.billed_usd.is_none());
        group.cost_upper_bound += i64::from(event.flags.contains(&Flag::CostUpperBound));
        group.cost_uncertain += i64::from(event.flags.contains(&Flag::CostUncertain));
        group.prompt_tokens += event.prompt_tokens.unwrap_or(0);
        if event.cached_tokens.is_some() {
            group.cache_known_prompt_tokens += event.prompt_tokens.unwrap_or(0);
        }
        group.cached_tokens += event.cached_tokens.unwrap_or(0);
        group.completion_tokens += event.completion_tokens.unwrap_or(0);
        group.reasoning_tokens += event.reasoning_tokens.unwrap_or(0);
        group.billed = group.billed + event.billed_usd.unwrap_or(known);
        group.retry = group.retry + event.retry_cost_usd.unwrap_or_default();
    }
    groups
}
