//! What can be done for an append outside the writer's thread: which observations belong together, their
//! rows and keys, and the events that they make if the ledger has none of their relatives.

use std::{convert::Infallible, sync::Arc};

use spanledger_event::{
    Component, CostEvent, Journal, Observation, Relation, RelationKind, Role, fold_lone, related,
};

use crate::{
    Appended,
    error::RowError,
    journal::ObservationRow,
    rollup::RollupDeltas,
    row::EventRow,
    words::{Unknown, Words},
};

/// An append that is ready for the writer.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// Observations that belong together.
    pub(crate) components: Vec<PreparedComponent>,
    /// Observations whose relations are crowded within this append alone. They are folded together.
    pub(crate) crowded: Vec<PreparedObservation>,
    /// The changes of the roll-ups by the events of all components, as if the ledger had no relatives.
    pub(crate) deltas: RollupDeltas,
    pub(crate) unknown: Unknown,
    /// What has been done so far. Observations that occur twice in this append are counted in advance.
    pub(crate) appended: Appended,
    /// How many components were appended. The writer may append them in several transactions.
    pub(crate) done: usize,
    /// The events of the remaining components are not in `deltas`.
    pub(crate) is_uncounted: bool,
}

impl Prepared {
    /// The number of observations that are left.
    pub(crate) fn size(&self) -> usize {
        let left = self.components.iter().skip(self.done);
        self.crowded.len() + left.map(|component| component.observations.len()).sum::<usize>()
    }
}

/// Observations of one append that belong together.
#[derive(Debug)]
pub(crate) struct PreparedComponent {
    pub(crate) observations: Vec<PreparedObservation>,
    pub(crate) events: Vec<PreparedEvent>,
}

#[derive(Debug)]
pub(crate) struct PreparedObservation {
    pub(crate) observation: Arc<Observation>,
    pub(crate) row: ObservationRow,
    pub(crate) keys: Keys,
}

/// An event of a component without stored relatives.
#[derive(Debug)]
pub(crate) struct PreparedEvent {
    pub(crate) row: EventRow,
    /// The observation whose number becomes that of the event's row.
    pub(crate) first: usize,
    /// The observation whose identifiers, usage object and cost lines the event has.
    pub(crate) evidence: Option<usize>,
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

/// Prepares observations.
pub(crate) fn prepare(
    observations: Vec<Observation>,
    words: &Words,
    seed: u64,
) -> Result<Prepared, RowError> {
    let observations: Vec<Arc<Observation>> = observations.into_iter().map(|o| Arc::new(o.bound())).collect();
    let Ok(related) = related(&observations, &mut Empty);
    let mut prepared = Prepared::default();
    prepared.appended.duplicates = related.duplicates.len();
    prepared.appended.refused = related.refused.into_iter().map(|(_, reason)| reason).collect();
    prepared.components.reserve(related.components.len());
    for component in related.components {
        prepared.unknown.next_component();
        let is_crowded = !component.crowded.is_empty();
        let members: Vec<PreparedObservation> = component
            .new
            .iter()
            .map(|(_, observation)| PreparedObservation {
                row: ObservationRow::new(observation, words, &mut prepared.unknown),
                keys: Keys::of(observation, seed),
                observation: Arc::clone(observation),
            })
            .collect();
        if is_crowded {
            prepared.crowded.extend(members);
            continue;
        }
        let mut events = Vec::new();
        for event in fold(&component) {
            let all = || members.iter().map(|member| &*member.observation).enumerate();
            let first = all().find(|(_, o)| o.event_id == event.event_id).map_or(0, |(index, _)| index);
            let evidence = evidence(&event, all());
            let observation =
                evidence.and_then(|index| members.get(index)).map(|member| &*member.observation);
            let row = EventRow::new(&event, observation, words, &mut prepared.unknown)?;
            prepared.deltas.add(&event, words, &mut prepared.unknown);
            events.push(PreparedEvent { row, first, evidence });
        }
        prepared.components.push(PreparedComponent { observations: members, events });
    }
    Ok(prepared)
}

/// The events of a component without stored relatives.
fn fold(component: &Component) -> Vec<CostEvent> {
    match component.lone() {
        Some((_, observation)) => vec![fold_lone(observation)],
        None => component.fold().events,
    }
}

/// The observation that has most of the event's values: its identifiers, its usage object and its cost
/// lines. The event's row then leaves them out.
pub(crate) fn evidence<'a, I: Copy>(
    event: &CostEvent,
    observations: impl Iterator<Item = (I, &'a Observation)>,
) -> Option<I> {
    let mut best = None;
    for (index, o) in observations {
        // A row without a value has that of its evidence, so the evidence must not have one that the event
        // lacks.
        let is_too_much = [
            (event.span_id.is_none(), o.span_id.is_some()),
            (event.trace_id.is_none(), o.trace_id.is_some()),
            (event.response_id.is_none(), o.response.is_some()),
            (event.parent_span_id.is_none(), o.parent_span_id.is_some()),
            (event.usage_raw.is_none(), o.usage_raw.is_some()),
        ];
        if is_too_much.contains(&(true, true)) {
            continue;
        }
        let matches = [
            event.span_id == o.span_id,
            event.trace_id == o.trace_id,
            event.response_id.as_deref() == o.response.as_ref().map(|response| response.id.as_str()),
            event.parent_span_id == o.parent_span_id,
            event.usage_raw == o.usage_raw,
            event.cost_lines == o.cost.as_ref().map_or(&[][..], |cost| &cost.lines),
        ];
        let score = matches.into_iter().filter(|is| *is).count();
        if score == matches.len() {
            return Some(index);
        }
        if best.is_none_or(|(known, _)| score > known) {
            best = Some((score, index));
        }
    }
    best.map(|(_, index)| index)
}
