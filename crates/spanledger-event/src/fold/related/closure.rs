//! Loads what belongs together with new observations, one after the other.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    super::{
        Limits,
        charge::Signature,
        component::{Component, CrowdedRelation},
        graph::{Elsewhere, Graph, Origin, Places, TIES},
        relation::{Relation, RelationKind},
        sets::Sets,
        steps,
    },
    Journal, RefusedReason,
};
use crate::{Observation, Role};

/// What becomes of a new observation.
pub(super) enum Verdict {
    Taken,
    Duplicate,
    Late,
    Refused(RefusedReason),
}

/// The new observations that were taken so far, and what was loaded for them.
pub(super) struct Closure<'j, J> {
    journal: &'j mut J,
    limits: Limits,
    graph: Graph<Arc<Observation>>,
    /// What was ever tied together. The components are parts of these sets: a relation that goes over its
    /// limit ties nothing more together, but what it has tied stays in one set.
    sets: Sets,
    /// The loaded observations by their numbers; none for one that was pruned.
    numbers: HashMap<u64, Option<usize>>,
    /// The namespaces and signatures under a relation of responses that is full.
    known_responses: HashMap<usize, BTreeSet<(String, Signature)>>,
    /// The sightings of a call that has many, in the order of their facts.
    sightings: HashMap<usize, Vec<usize>>,
}

impl<'j, J: Journal> Closure<'j, J> {
    pub(super) fn new(journal: &'j mut J, limits: Limits, observations: usize) -> Self {
        Self {
            journal,
            limits,
            graph: Graph::with_capacity(observations),
            sets: Sets::default(),
            numbers: HashMap::new(),
            known_responses: HashMap::new(),
            sightings: HashMap::new(),
        }
    }

    /// Takes a new observation, if it is new and fits.
    pub(super) fn take(&mut self, index: usize, observation: &Arc<Observation>) -> Result<Verdict, J::Error> {
        let places = self.graph.places(observation);
        let [call, event, response, trace] = places;
        // A duplicate has the same call id, so that nothing else has to be looked up for it.
        self.ask(call, observation, RelationKind::Call)?;
        if self.is_duplicate(call, observation) {
            return Ok(Verdict::Duplicate);
        }
        if self.is_pruned(call) {
            return Ok(Verdict::Late);
        }
        if self.graph.shared[call].count() >= self.limits.of(RelationKind::Call) {
            return Ok(Verdict::Refused(RefusedReason::SightingsOfCall));
        }
        self.ask(event, observation, RelationKind::Event)?;
        if self.is_pruned(event) {
            return Ok(Verdict::Late);
        }
        if let Some(stated) = &observation.response {
            self.ask(response, observation, RelationKind::Response)?;
            if stated.unique && self.is_pruned(response) {
                return Ok(Verdict::Late);
            }
            if self.is_known_response(response, observation) {
                return Ok(Verdict::Refused(RefusedReason::KnownResponse));
            }
        }
        if observation.trace_id.is_some() {
            self.ask_trace(trace, observation)?;
            // The calls that it is about may be pruned, and have counted.
            if observation.role == Role::Aggregate && self.is_pruned(trace) {
                return Ok(Verdict::Late);
            }
        }
        if !self.fits(observation, places)? {
            return Ok(Verdict::Refused(RefusedReason::ComponentFull));
        }
        let at = self.insert(Arc::clone(observation), Origin::New(index), places);
        self.graph.nodes[at].is_expanded = true;
        for place in places {
            self.tie(place);
        }
        Ok(Verdict::Taken)
    }

    /// Loads a stored observation and its component. Returns its place, or none if it was pruned.
    pub(super) fn open(&mut self, number: u64) -> Result<Option<usize>, J::Error> {
        let at = self.load(number)?;
        if let Some(at) = at {
            self.expand(at)?;
        }
        Ok(at)
    }

    /// The place of a stored observation, which is loaded once; none if it was pruned.
    fn load(&mut self, number: u64) -> Result<Option<usize>, J::Error> {
        if let Some(known) = self.numbers.get(&number) {
            return Ok(*known);
        }
        let loaded = self.journal.load(number)?.map(|observation| {
            let places = self.graph.places(&observation);
            self.insert(observation, Origin::Stored(number), places)
        });
        self.numbers.insert(number, loaded);
        Ok(loaded)
    }

    /// The components of these places.
    pub(super) fn components_of(self, places: impl Iterator<Item = usize>) -> Vec<Component> {
        let Self { graph, limits, .. } = self;
        let components = graph.components(&limits, places);
        components.into_iter().map(|members| component(&graph, &members, &limits)).collect()
    }

    /// Whether a sighting of the call has the same facts.
    fn is_duplicate(&mut self, call: usize, observation: &Observation) -> bool {
        let Self { graph, sightings, .. } = self;
        let facts = |at: usize| &graph.nodes[at].observation;
        let known = graph.shared[call].members;
        if known <= 4 {
            return graph.members(call).any(|at| facts(at).has_same_facts(observation));
        }
        let sorted = sightings.entry(call).or_default();
        if sorted.len() != known {
            *sorted = graph.members(call).collect();
            sorted.sort_unstable_by(|a, b| facts(*a).cmp_facts(facts(*b)));
        }
        let compare = |at: &usize| {
            steps::add(1);
            facts(*at).cmp_facts(observation)
        };
        sorted.binary_search_by(compare).is_ok()
    }

    /// Adds an observation to the graph and to the set of each relation that ties.
    fn insert(&mut self, observation: Arc<Observation>, origin: Origin, places: Places) -> usize {
        let at = self.graph.add(observation, origin, places);
        self.sets.push();
        for place in places {
            let joins = self.graph.shared.get(place).is_some_and(|s| s.is_tied && s.ties(&self.limits));
            if joins && let Some(other) = self.graph.members(place).nth(1) {
                self.sets.join(at, other);
            }
        }
        at
    }

    /// Makes one set of those that state the relation, if it ties them together.
    fn tie(&mut self, place: usize) {
        let Some(shared) = self.graph.shared.get_mut(place) else { return };
        if shared.is_tied || !shared.ties(&self.limits) {
            return;
        }
        shared.is_tied = true;
        let mut members = self.graph.members(place);
        if let Some(first) = members.next() {
            for member in members {
                self.sets.join(first, member);
            }
        }
    }

    fn is_pruned(&self, place: usize) -> bool {
        matches!(self.graph.shared[place].elsewhere, Elsewhere::Pruned(count) if count > 0)
    }

    /// Loads the stored observations that state the relation, if they are not too many. Returns whether
    /// they were not loaded before.
    fn ask(&mut self, place: usize, of: &Observation, kind: RelationKind) -> Result<bool, J::Error> {
        if self.graph.shared[place].elsewhere != Elsewhere::Unknown {
            return Ok(false);
        }
        let Some(relation) = of.relation(kind) else { return Ok(false) };
        let limit = self.limits.of(kind);
        let numbers = self.journal.find(relation, limit + 1)?;
        // All sightings of a call are compared, because one of them may be the same as the new one.
        if numbers.len() > limit && kind != RelationKind::Call {
            self.graph.shared[place].elsewhere = Elsewhere::Many;
            return Ok(true);
        }
        let mut pruned = 0;
        for number in numbers {
            pruned += usize::from(self.load(number)?.is_none());
        }
        self.graph.shared[place].elsewhere = Elsewhere::Pruned(pruned);
        Ok(true)
    }

    /// Loads the stored observations of a trace if there is an aggregate in it.
    fn ask_trace(&mut self, place: usize, of: &Observation) -> Result<(), J::Error> {
        if of.role == Role::Call && self.graph.shared[place].aggregate.is_none() {
            let Some(aggregate) = of.relation(RelationKind::Trace) else { return Ok(()) };
            let aggregate = Relation { kind: RelationKind::Aggregate, ..aggregate };
            let found = !self.journal.find(aggregate, 1)?.is_empty();
            self.graph.shared[place].aggregate = Some(found);
        }
        let asks = of.role == Role::Aggregate || self.graph.shared[place].aggregate == Some(true);
        if asks
            && self.ask(place, of, RelationKind::Trace)?
            && self.graph.shared[place].elsewhere != Elsewhere::Many
        {
            // The look-up may have found another trace by mistake, or an aggregate that was pruned.
            let mut members = self.graph.members(place);
            let found = members.any(|at| self.graph.nodes[at].observation.role == Role::Aggregate);
            self.graph.shared[place].aggregate = Some(found);
        }
        Ok(())
    }

    /// Whether the relation of responses is full, and has a charge that the observation says again. A
    /// client that polls a background response does that.
    fn is_known_response(&mut self, place: usize, of: &Observation) -> bool {
        fn key(o: &Observation) -> Option<(String, Signature)> {
            let response = o.response.as_ref().filter(|response| response.unique)?;
            let signature = Signature::of(o).filter(|_| o.role == Role::Call)?;
            Some((response.namespace.clone(), signature))
        }
        if self.graph.shared[place].count() != self.limits.of(RelationKind::Response) {
            return false;
        }
        let Some(stated) = key(of) else { return false };
        let graph = &self.graph;
        let known = self.known_responses.entry(place).or_insert_with(|| {
            graph.members(place).filter_map(|at| key(&graph.nodes[at].observation)).collect()
        });
        known.contains(&stated)
    }

    /// Whether the observation and all that it ties together are not too many. Loads them.
    fn fits(&mut self, observation: &Observation, places: Places) -> Result<bool, J::Error> {
        let mut joined = Joined { roots: Vec::new(), size: 1, limit: self.limits.component };
        for (kind, place) in TIES.into_iter().zip(places) {
            let Some(shared) = self.graph.shared.get(place) else { continue };
            let has_aggregate = shared.aggregate == Some(true);
            let relates = kind != RelationKind::Trace || has_aggregate || observation.role == Role::Aggregate;
            if !relates || shared.count() > self.limits.of(kind) {
                continue;
            }
            // The observation takes the relation over its limit: it ties nothing together any more, but
            // what it has tied until now is folded again, without it.
            let crosses = shared.count() == self.limits.of(kind);
            if crosses && kind == RelationKind::Trace && !has_aggregate {
                continue;
            }
            let members = if shared.is_tied { 1 } else { shared.members };
            let members: Vec<usize> = self.graph.members(place).take(members).collect();
            for member in members {
                self.expand(member)?;
                let is_full = self.sets.size(member) > self.limits.component;
                if is_full || !crosses && !joined.add(member, &mut self.sets) {
                    return Ok(false);
                }
            }
        }
        Ok(joined.count(&mut self.sets) <= self.limits.component)
    }

    /// Loads the component of an observation. It stops when the component has too many observations,
    /// which only those of an older ledger have.
    fn expand(&mut self, first: usize) -> Result<(), J::Error> {
        let mut open = vec![first];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut self.graph.nodes[at].is_expanded, true) {
                continue;
            }
            let observation = Arc::clone(&self.graph.nodes[at].observation);
            for (kind, place) in TIES.into_iter().zip(self.graph.nodes[at].places) {
                match kind {
                    _ if place >= self.graph.shared.len() => continue,
                    RelationKind::Trace => self.ask_trace(place, &observation)?,
                    _ => {
                        self.ask(place, &observation, kind)?;
                    }
                }
                if self.graph.shared[place].ties(&self.limits) && !self.graph.shared[place].is_tied {
                    self.tie(place);
                    open.extend(self.graph.members(place));
                }
            }
            if self.sets.size(at) > self.limits.component {
                break;
            }
        }
        Ok(())
    }

    /// The components with a new observation, and those that a relation over its limit has separated.
    pub(super) fn components(self) -> Vec<Component> {
        let Self { graph, limits, .. } = self;
        let nodes = &graph.nodes;
        let is_new = |at: &usize| matches!(nodes[*at].origin, Origin::New(_));
        let new = (0..nodes.len()).filter(is_new);
        let crossed = graph.shared.iter().enumerate().filter(|(_, shared)| {
            shared.is_crowded(&limits) && matches!(shared.elsewhere, Elsewhere::Pruned(_))
        });
        let separated = crossed.flat_map(|(place, shared)| {
            let stored: Vec<usize> = graph.members(place).filter(|at| !is_new(at)).collect();
            let had_aggregate = stored.iter().any(|&at| nodes[at].observation.role == Role::Aggregate);
            let tied = shared.kind != RelationKind::Trace || had_aggregate;
            stored.into_iter().filter(move |_| tied)
        });
        let components = graph.components(&limits, new.chain(separated));
        components.into_iter().map(|members| component(&graph, &members, &limits)).collect()
    }
}

fn component(graph: &Graph<Arc<Observation>>, members: &[usize], limits: &Limits) -> Component {
    let mut component = Component::default();
    for &at in members {
        let node = &graph.nodes[at];
        match node.origin {
            Origin::Stored(number) => component.stored.push((number, Arc::clone(&node.observation))),
            Origin::New(index) => component.new.push((index, Arc::clone(&node.observation))),
        }
    }
    component.stored.sort_unstable_by_key(|(number, _)| *number);
    for place in graph.crowded(members, limits) {
        if let Some(of) = graph.any_member(place) {
            let shared = &graph.shared[place];
            let is_new = shared.elsewhere != Elsewhere::Many;
            component.crowded.push(CrowdedRelation { of: Arc::clone(of), kind: shared.kind, is_new });
        }
    }
    component
}

/// Adds up the sets that a new observation would join.
struct Joined {
    roots: Vec<usize>,
    /// At least the number of observations in these sets, and the new one.
    size: usize,
    limit: usize,
}

impl Joined {
    /// Adds the set of an observation. Returns whether all fit.
    fn add(&mut self, member: usize, sets: &mut Sets) -> bool {
        self.roots.push(sets.root(member));
        self.size += sets.size(member);
        self.size <= self.limit || self.count(sets) <= self.limit
    }

    /// The exact number. Sets that were added may have become one set since.
    fn count(&mut self, sets: &mut Sets) -> usize {
        for root in &mut self.roots {
            *root = sets.root(*root);
        }
        self.roots.sort_unstable();
        self.roots.dedup();
        self.size = self.roots.iter().fold(1, |sum, &root| sum + sets.size(root));
        self.size
    }
}
