//! The closure: which observations belong together with new ones.
//!
//! A store answers two questions ([`Journal`]); everything else about relations is decided here.

use std::{collections::BTreeMap, sync::Arc};

use super::relation::RelationKind;
use crate::{CostEvent, EventId, Observation, Relation, Role};

/// A component has at most this many observations. New ones that would tie more together are refused.
pub const COMPONENT_MAX: usize = 2_048;

/// What a store of observations can be asked.
pub trait Journal {
    /// Why a question could not be answered.
    type Error;

    /// The numbers of stored observations that state the relation, at most `limit` of them.
    ///
    /// Other observations may be among them by mistake, as a store that files by hashes finds them: the
    /// closure checks what it loads.
    fn find(&mut self, relation: Relation<'_>, limit: usize) -> Result<Vec<u64>, Self::Error>;

    /// The observation with this number; `None` if it was pruned.
    fn load(&mut self, number: u64) -> Result<Option<Arc<Observation>>, Self::Error>;
}

/// A relation that more observations state than its limit allows.
#[derive(Clone, Debug)]
pub struct CrowdedRelation {
    of: Arc<Observation>,
    kind: RelationKind,
    /// Whether the new observations took the relation over its limit.
    pub is_new: bool,
}

impl CrowdedRelation {
    /// The relation.
    pub fn relation(&self) -> Relation<'_> {
        self.of.relation(self.kind).unwrap_or(Relation { kind: self.kind, value: "" })
    }
}

/// Observations that belong together: the new ones and all stored ones.
#[derive(Clone, Debug, Default)]
pub struct Component {
    /// The stored observations with their numbers.
    pub stored: Vec<(u64, Arc<Observation>)>,
    /// The new observations with their indexes in the input.
    pub new: Vec<(usize, Arc<Observation>)>,
    /// The relations over their limit that these observations state.
    pub crowded: Vec<CrowdedRelation>,
}

/// Why a new observation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedReason {
    /// The call has as many distinct sightings as are kept.
    #[error("the call already has 32 different sightings: give each call an id of its own")]
    SightingsOfCall,
    /// The response was seen as often as is kept, and its charge is known.
    #[error("the response was already seen 256 times and its charge is known: this sighting adds nothing")]
    KnownResponse,
    /// The observation would tie too many others together.
    #[error(
        "the observation would tie more than 2,048 others together: ids of events, calls and responses must not form chains"
    )]
    ComponentFull,
}

/// What became of new observations.
#[derive(Clone, Debug, Default)]
pub struct Related {
    /// The observations that have to be folded, by what belongs together.
    pub components: Vec<Component>,
    /// The new observations that equal a stored one or an earlier new one in everything but the cost.
    pub duplicates: Vec<usize>,
    /// The new observations of which other sightings were pruned.
    pub late: Vec<usize>,
    /// The new observations that are not taken, and why.
    pub refused: Vec<(usize, RefusedReason)>,
}

/// The events of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// The events: those that are void come before those that count.
    pub events: Vec<CostEvent>,
    /// Event ids that no longer name an event. The store voids their rows, if it has any.
    pub retired: Vec<EventId>,
}

impl Component {
    /// The one observation of the component, if it is new and has no relatives; then
    /// [`fold_lone`](crate::fold_lone) is enough.
    pub fn lone(&self) -> Option<(usize, &Arc<Observation>)> {
        match (self.stored.as_slice(), self.new.as_slice(), self.crowded.as_slice()) {
            ([], [(index, observation)], []) => Some((*index, observation)),
            _ => None,
        }
    }

    /// The events of the component.
    pub fn fold(&self) -> Folded {
        let stored = self.stored.iter().map(|(_, observation)| &**observation);
        let mut events = super::fold(stored.chain(self.new.iter().map(|(_, observation)| &**observation)));
        events.sort_by_key(CostEvent::counts);
        Folded { events, retired: Vec::new() }
    }
}

/// Finds the stored observations that belong together with new ones, and sorts out what is not new.
pub fn related<J: Journal>(new: &[Arc<Observation>], journal: &mut J) -> Result<Related, J::Error> {
    let mut related = Related::default();
    let mut stored: BTreeMap<u64, Arc<Observation>> = BTreeMap::new();
    let mut found: BTreeMap<(RelationKind, String), bool> = BTreeMap::new();
    let mut component = Component::default();
    let mut open: Vec<Arc<Observation>> = Vec::new();
    for (index, observation) in new.iter().enumerate() {
        let same = Relation { kind: RelationKind::Call, value: &observation.call_id };
        let mut is_known = component.new.iter().any(|(_, other)| other.has_same_facts(observation));
        for number in journal.find(same, RelationKind::Call.limit() + 1)? {
            is_known |= journal.load(number)?.is_some_and(|other| other.has_same_facts(observation));
        }
        if is_known {
            related.duplicates.push(index);
        } else {
            component.new.push((index, Arc::clone(observation)));
            open.push(Arc::clone(observation));
        }
    }
    while let Some(observation) = open.pop() {
        for relation in observation.relations() {
            let mut relation = relation;
            if relation.kind == RelationKind::Trace && observation.role == Role::Call {
                let asked = Relation { kind: RelationKind::Aggregate, ..relation };
                let is_new =
                    component.new.iter().any(|(_, other)| other.relations().any(|other| other == asked));
                if !is_new && journal.find(asked, 1)?.is_empty() {
                    continue;
                }
                relation.kind = RelationKind::Trace;
            }
            if found.insert((relation.kind, relation.value.to_owned()), true).is_some() {
                continue;
            }
            for number in journal.find(relation, usize::MAX)? {
                if stored.contains_key(&number) {
                    continue;
                }
                if let Some(other) = journal.load(number)? {
                    open.push(Arc::clone(&other));
                    stored.insert(number, other);
                }
            }
        }
    }
    component.stored = stored.into_iter().collect();
    if !component.new.is_empty() {
        related.components.push(component);
    }
    Ok(related)
}
