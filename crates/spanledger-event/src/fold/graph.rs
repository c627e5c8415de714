//! Observations in memory and the relations that they share.

use std::{
    hash::{BuildHasher as _, RandomState},
    ops::Deref,
};

use hashbrown::{HashTable, hash_table::Entry};

use super::{
    Limits,
    relation::{Relation, RelationKind},
    sets::Sets,
    steps,
};
use crate::{Observation, Role};

/// The kinds of relations that tie observations together. [`RelationKind::Aggregate`] only says whether
/// the trace does.
pub(super) const TIES: [RelationKind; 4] =
    [RelationKind::Call, RelationKind::Event, RelationKind::Response, RelationKind::Trace];

/// The end of a list.
const NONE: usize = usize::MAX;

/// Observations, and for each relation a list of those that state it.
///
/// `P` points at an observation: it is a reference where all are in memory already, and an `Arc` where
/// they are loaded one after the other.
#[derive(Debug)]
pub(super) struct Graph<P> {
    pub(super) nodes: Vec<Node<P>>,
    pub(super) shared: Vec<Shared<P>>,
    /// The places of the relations, by their hashes.
    by_value: HashTable<usize>,
    /// The secret of the hashes.
    seed: u64,
}

#[derive(Debug)]
pub(super) struct Node<P> {
    pub(super) observation: P,
    pub(super) origin: Origin,
    /// Whether all that a store has of the observation's component was loaded.
    pub(super) is_expanded: bool,
    /// For each kind of tie, the place of the relation in [`Graph::shared`].
    pub(super) places: Places,
    /// For each kind of tie, the next observation that states the same relation.
    next: Places,
}

/// For each kind in [`TIES`] a number, or none.
pub(super) type Places = [usize; TIES.len()];

/// Where an observation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is stored under this number.
    Stored(u64),
    /// It is new, and has this index in the input.
    New(usize),
}

/// One relation, with what is known of the observations that state it.
#[derive(Debug)]
pub(super) struct Shared<P> {
    pub(super) kind: RelationKind,
    /// An observation that states it, whether or not it was added.
    of: P,
    first: usize,
    /// How many observations in memory state it.
    pub(super) members: usize,
    /// How many stored observations state it, as far as they are not in memory.
    pub(super) elsewhere: Elsewhere,
    /// Whether an aggregate is among those that state this trace.
    pub(super) aggregate: Option<bool>,
    /// Whether its members were tied together.
    pub(super) is_tied: bool,
}

/// What a store holds of a relation beside the observations in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// The store was not asked.
    Unknown,
    /// This number of observations, which were pruned.
    Pruned(usize),
    /// More than the limit.
    Many,
}

impl<P> Shared<P> {
    /// How many observations state it.
    pub(super) fn count(&self) -> usize {
        match self.elsewhere {
            Elsewhere::Unknown => self.members,
            Elsewhere::Pruned(pruned) => self.members + pruned,
            Elsewhere::Many => NONE,
        }
    }

    /// Whether it is a relation that ties its observations together if they are not too many.
    fn relates(&self) -> bool {
        self.kind != RelationKind::Trace || self.aggregate == Some(true)
    }

    pub(super) fn ties(&self, limits: &Limits) -> bool {
        self.relates() && self.count() <= limits.of(self.kind)
    }

    pub(super) fn is_crowded(&self, limits: &Limits) -> bool {
        self.relates() && self.count() > limits.of(self.kind)
    }
}

impl<P: Deref<Target = Observation>> Shared<P> {
    fn relation(&self) -> Option<Relation<'_>> {
        self.of.relation(self.kind)
    }
}

impl<P: Deref<Target = Observation> + Clone> Graph<P> {
    pub(super) fn with_capacity(observations: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(observations),
            shared: Vec::with_capacity(observations * TIES.len()),
            by_value: HashTable::with_capacity(observations * TIES.len()),
            seed: RandomState::new().hash_one(()),
        }
    }

    /// The places of the observation's relations. New relations get one.
    pub(super) fn places(&mut self, observation: &P) -> Places {
        TIES.map(|kind| {
            let Some(relation) = observation.relation(kind) else { return NONE };
            let Self { shared, by_value, seed, .. } = self;
            let is_it = |place: &usize| shared[*place].relation() == Some(relation);
            let hash = |place: &usize| shared[*place].relation().map_or(0, |known| known.hash(*seed));
            match by_value.entry(relation.hash(*seed), is_it, hash) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(vacant) => {
                    let place = shared.len();
                    vacant.insert(place);
                    shared.push(Shared {
                        kind,
                        of: observation.clone(),
                        first: NONE,
                        members: 0,
                        elsewhere: Elsewhere::Unknown,
                        aggregate: None,
                        is_tied: false,
                    });
                    place
                }
            }
        })
    }

    /// Adds an observation to those that state its relations.
    pub(super) fn add(&mut self, observation: P, origin: Origin, places: Places) -> usize {
        let at = self.nodes.len();
        let mut next = [NONE; TIES.len()];
        for (next, place) in next.iter_mut().zip(places) {
            if let Some(shared) = self.shared.get_mut(place) {
                *next = shared.first;
                shared.first = at;
                shared.members += 1;
                if shared.kind == RelationKind::Trace && observation.role == Role::Aggregate {
                    shared.aggregate = Some(true);
                }
            }
        }
        self.nodes.push(Node { observation, origin, is_expanded: false, places, next });
        at
    }

    /// The observations in memory that state a relation.
    pub(super) fn members(&self, place: usize) -> Members<'_, P> {
        let shared = &self.shared[place];
        let slot = TIES.iter().position(|kind| *kind == shared.kind).unwrap_or_default();
        Members { graph: self, slot, at: shared.first }
    }

    /// The components that `seeds` are in, each as a list of observations in the order in which they were
    /// added.
    pub(super) fn components(&self, limits: &Limits, seeds: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
        let mut sets = Sets::new(self.nodes.len());
        for (place, shared) in self.shared.iter().enumerate() {
            if shared.members > 1 && shared.ties(limits) {
                for member in self.members(place) {
                    sets.join(shared.first, member);
                }
            }
        }
        let mut component_of = vec![NONE; self.nodes.len()];
        let mut components: Vec<Vec<usize>> = Vec::new();
        for seed in seeds {
            let root = sets.root(seed);
            if component_of[root] == NONE {
                component_of[root] = components.len();
                components.push(Vec::with_capacity(sets.size(root)));
            }
        }
        for at in 0..self.nodes.len() {
            steps::add(1);
            let root = sets.root(at);
            if let Some(component) = components.get_mut(component_of[root]) {
                component.push(at);
            }
        }
        components
    }

    /// The places of the relations over their limit that these observations state.
    pub(super) fn crowded(&self, component: &[usize], limits: &Limits) -> Vec<usize> {
        let places = component.iter().flat_map(|&at| self.nodes[at].places);
        let is_crowded = |place: &usize| self.shared.get(*place).is_some_and(|s| s.is_crowded(limits));
        let mut crowded: Vec<usize> = places.filter(is_crowded).collect();
        crowded.sort_unstable();
        crowded.dedup();
        crowded
    }

    /// The relation at a place.
    pub(super) fn relation(&self, place: usize) -> Option<Relation<'_>> {
        self.any_member(place)?.relation(self.shared[place].kind)
    }

    /// One of the observations that state a relation.
    pub(super) fn any_member(&self, place: usize) -> Option<&P> {
        self.nodes.get(self.shared[place].first).map(|node| &node.observation)
    }
}

/// The observations in memory that state a relation.
#[derive(Debug)]
pub(super) struct Members<'g, P> {
    graph: &'g Graph<P>,
    slot: usize,
    at: usize,
}

impl<P> Iterator for Members<'_, P> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.at;
        self.at = self.graph.nodes.get(at)?.next[self.slot];
        steps::add(1);
        Some(at)
    }
}
