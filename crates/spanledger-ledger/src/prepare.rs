//! What can be done for an append outside the writer's thread: which observations belong together, their
//! rows and keys, and the events that they make if the ledger has none of their relatives.

use std::{collections::HashMap, convert::Infallible, ops::Range, sync::Arc};

use foldhash::fast::RandomState as FastHasher;
use spanledger_event::{
    Component, CostEvent, Journal, Observation, Relation, RelationKind, Role, SharedEvent, fold_lone, related,
};

use crate::{
    Appended,
    error::RowError,
    evidence, journal,
    outbox::Kept,
    packed::{PackedRow, PackedRows, RowPacker},
    rollup::RollupDeltas,
    row,
    words::{Lookup, Unknown, Words},
};

/// An append that is ready for the writer.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) content: Content,
    /// The changes of the roll-ups by the events of all components, as if the ledger had no relatives.
    pub(crate) deltas: RollupDeltas,
    pub(crate) unknown: Unknown,
    /// What has been done so far. Observations that occur twice in this append are counted in advance.
    pub(crate) appended: Appended,
    /// How many components were appended. The writer may append them in several transactions.
    pub(crate) done: usize,
    /// The events of the remaining components are not in `deltas`.
    pub(crate) is_uncounted: bool,
    /// Events that followers no longer need. They are dropped with this, by the caller and not by the writer.
    pub(crate) freed: Vec<Arc<SharedEvent>>,
}

impl Prepared {
    /// The number of observations that are left.
    pub(crate) fn size(&self) -> usize {
        let left = self.content.components.iter().skip(self.done);
        self.content.crowded.len() + left.map(|component| component.observations.len()).sum::<usize>()
    }
}

/// What is appended.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// The rows of the observations and events.
    pub(crate) rows: PackedRows,
    observations: Vec<PreparedObservation>,
    events: Vec<PreparedEvent>,
    /// Observations that belong together.
    pub(crate) components: Vec<PreparedComponent>,
    /// Observations whose relations are crowded within this append alone. They are folded together.
    pub(crate) crowded: Vec<PreparedObservation>,
}

impl Content {
    pub(crate) fn observations(&self, component: &PreparedComponent) -> &[PreparedObservation] {
        self.observations.get(component.observations.clone()).unwrap_or_default()
    }

    /// The observations of components that follow each other.
    pub(crate) fn observations_of(&self, components: &[PreparedComponent]) -> &[PreparedObservation] {
        let (Some(first), Some(last)) = (components.first(), components.last()) else { return &[] };
        self.observations.get(first.observations.start..last.observations.end).unwrap_or_default()
    }

    /// The component's events, if the ledger has no relatives of it.
    pub(crate) fn events(&self, component: &PreparedComponent) -> &[PreparedEvent] {
        self.events.get(component.events.clone()).unwrap_or_default()
    }
}

/// The places of observations of one append that belong together, and of their events.
#[derive(Debug)]
pub(crate) struct PreparedComponent {
    observations: Range<usize>,
    events: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct PreparedObservation {
    pub(crate) observation: Arc<Observation>,
    pub(crate) row: PackedRow,
    pub(crate) keys: Keys,
}

/// An event of a component without stored relatives.
#[derive(Debug)]
pub(crate) struct PreparedEvent {
    pub(crate) row: PackedRow,
    /// The observation of the component whose number becomes that of the event's row.
    pub(crate) first: usize,
    /// The observation of the component whose identifiers, usage object and cost lines the event has.
    pub(crate) evidence: Option<usize>,
    /// The event itself, if the ledger has followers.
    pub(crate) kept: Option<Kept>,
}

/// The hashes of an observation's relations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keys {
    filed: [u64; RELATIONS_MAX],
    filed_count: usize,
    asked: [u64; RELATIONS_MAX],
    asked_count: usize,
}

/// The greatest number of relations of an observation.
const RELATIONS_MAX: usize = 5;

impl Keys {
    pub(crate) fn of(observation: &Observation, seed: u64) -> Self {
        let mut keys = Self::default();
        let mut aggregate = None;
        for relation in observation.relations() {
            let hash = relation.hash(seed);
            keys.filed[keys.filed_count] = hash;
            keys.filed_count += 1;
            let is_asked = match (relation.kind, observation.role) {
                (RelationKind::Event | RelationKind::Call | RelationKind::Response, _)
                | (RelationKind::Trace, Role::Aggregate) => true,
                (RelationKind::Trace, Role::Call) => {
                    // Other calls of the trace do not matter, only its aggregates do.
                    let kind = RelationKind::Aggregate;
                    aggregate = Some(Relation { kind, value: relation.value }.hash(seed));
                    false
                }
                (RelationKind::Aggregate, _) => false,
            };
            if is_asked {
                keys.asked[keys.asked_count] = hash;
                keys.asked_count += 1;
            }
        }
        if let Some(hash) = aggregate {
            keys.asked[keys.asked_count] = hash;
            keys.asked_count += 1;
        }
        keys
    }

    /// The keys under which the observation is filed.
    pub(crate) fn filed(&self) -> &[u64] {
        &self.filed[..self.filed_count]
    }

    /// The keys under which its relatives are filed.
    pub(crate) fn asked(&self) -> &[u64] {
        &self.asked[..self.asked_count]
    }
}

/// A journal without observations.
struct Empty;

impl Journal for Empty {
    type Error = Infallible;

    fn find(&mut self, _: Relation<'_>, _: usize) -> Result<Vec<u64>, Infallible> {
        Ok(Vec::new())
    }

    fn load(&mut self, _: u64) -> Result<Option<Arc<Observation>>, Infallible> {
        Ok(None)
    }
}

/// Prepares observations. Their events are kept in memory if there are followers.
pub(crate) fn prepare(
    observations: Vec<Observation>,
    words: &Words,
    seed: u64,
    keeps_events: bool,
) -> Result<Prepared, RowError> {
    let (observations, keys): (Vec<Arc<Observation>>, Vec<Keys>) = observations
        .into_iter()
        .map(|mut observation| {
            observation.bound_in_place();
            let keys = Keys::of(&observation, seed);
            (Arc::new(observation), keys)
        })
        .unzip();
    let is_lone = lone(&keys);
    let tied: Vec<usize> = (0..observations.len()).filter(|&index| !is_lone[index]).collect();
    let of_tied: Vec<Arc<Observation>> = tied.iter().map(|&index| Arc::clone(&observations[index])).collect();
    let Ok(related) = related(&of_tied, &mut Empty);
    let mut prepared = Prepared::default();
    prepared.appended.duplicates = related.duplicates.len();
    prepared.appended.refused = related.refused.into_iter().map(|(_, reason)| reason).collect();
    let mut words = Lookup::new(words, &mut prepared.unknown);
    let mut making = Making {
        packer: RowPacker::with_capacity(&mut words, observations.len() * ROW_BYTES),
        deltas: &mut prepared.deltas,
        content: &mut prepared.content,
        keeps_events,
    };
    making.content.observations.reserve(observations.len());
    making.content.events.reserve(observations.len());
    making.content.components.reserve(observations.len());
    // The order is that of the first observations.
    let mut components = related.components.into_iter().peekable();
    for (index, observation) in observations.iter().enumerate() {
        if is_lone[index] {
            making.lone(observation, keys[index])?;
        } else if let Some(component) =
            components.next_if(|component| component.new.first().is_some_and(|(at, _)| tied[*at] == index))
        {
            making.component(&component, |at| keys[tied[at]])?;
        }
    }
    making.content.rows = making.packer.finish();
    Ok(prepared)
}

/// About as many bytes take the packed rows of an observation and its event.
const ROW_BYTES: usize = 1_024;

/// For each observation, whether no other one of the append can be related to it.
///
/// Equal hashes make two observations relatives, even if their values differ: these are compared later.
fn lone(keys: &[Keys]) -> Vec<bool> {
    let mut filed: HashMap<u64, u32, FastHasher> =
        HashMap::with_capacity_and_hasher(keys.len() * 4, FastHasher::default());
    for key in keys.iter().flat_map(Keys::filed) {
        *filed.entry(*key).or_default() += 1;
    }
    let is_lone = |keys: &Keys| {
        keys.asked().iter().all(|key| {
            let own = u32::from(keys.filed().contains(key));
            filed.get(key).copied().unwrap_or_default() == own
        })
    };
    keys.iter().map(is_lone).collect()
}

/// The content of an append in the making.
struct Making<'a, 'w> {
    packer: RowPacker<'a, 'w>,
    deltas: &'a mut RollupDeltas,
    content: &'a mut Content,
    keeps_events: bool,
}

impl Making<'_, '_> {
    fn lone(&mut self, observation: &Arc<Observation>, keys: Keys) -> Result<(), RowError> {
        self.packer.words.next_component();
        let first = self.content.observations.len();
        let row = journal::pack(observation, &mut self.packer);
        self.content.observations.push(PreparedObservation {
            observation: Arc::clone(observation),
            row,
            keys,
        });
        self.events(first, [fold_lone(observation)])
    }

    fn component(&mut self, component: &Component, keys: impl Fn(usize) -> Keys) -> Result<(), RowError> {
        self.packer.words.next_component();
        let first = self.content.observations.len();
        let is_crowded = !component.crowded.is_empty();
        let into = if is_crowded { &mut self.content.crowded } else { &mut self.content.observations };
        for (index, observation) in &component.new {
            into.push(PreparedObservation {
                row: journal::pack(observation, &mut self.packer),
                keys: keys(*index),
                observation: Arc::clone(observation),
            });
        }
        if is_crowded { Ok(()) } else { self.events(first, component.fold().events) }
    }

    /// Adds the component of the observations from `first` on, and its events.
    fn events(&mut self, first: usize, events: impl IntoIterator<Item = CostEvent>) -> Result<(), RowError> {
        let Self { packer, deltas, content, keeps_events } = self;
        let first_event = content.events.len();
        let members = &content.observations[first..];
        for event in events {
            let all = || members.iter().map(|member| &*member.observation).enumerate();
            let first = all().find(|(_, o)| o.event_id == event.event_id).map_or(0, |(index, _)| index);
            let (evidence, inherited) = evidence::find(&event, all()).unzip();
            let row = row::pack(&event, inherited.unwrap_or_default(), packer)?;
            deltas.add(&event, false, packer.words);
            let kept = keeps_events.then(|| Kept::new(event));
            content.events.push(PreparedEvent { row, first, evidence, kept });
        }
        content.components.push(PreparedComponent {
            observations: first..content.observations.len(),
            events: first_event..content.events.len(),
        });
        Ok(())
    }
}
