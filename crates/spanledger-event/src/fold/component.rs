//! Observations that belong together, and their events.

use std::sync::Arc;

use super::relation::{Relation, RelationKind};
use crate::{CostEvent, EventId, Observation};

/// A relation that more observations state than its limit allows.
#[derive(Clone, Debug)]
pub struct CrowdedRelation {
    /// One of the observations that state it.
    pub(super) of: Arc<Observation>,
    pub(super) kind: RelationKind,
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
        let observations = stored.chain(self.new.iter().map(|(_, observation)| &**observation));
        let mut crowded: Vec<_> = self.crowded.iter().map(CrowdedRelation::relation).collect();
        crowded.sort_unstable();
        let mut events = super::fold_component(observations, &crowded);
        events.sort_by_key(CostEvent::counts);
        let retired =
            self.crowded.iter().filter(|crowded| crowded.is_new && crowded.kind == RelationKind::Event);
        Folded { events, retired: retired.map(|crowded| crowded.of.event_id.clone()).collect() }
    }
}
