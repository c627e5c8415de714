use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{
    CostEvent, EventId, EventState, Flag, RelationKind, Timestamp,
    fold::{fold_within, steps},
    limits::{CALL_LIMIT, COMPONENT_MAX, EVENT_LIMIT, RESPONSE_LIMIT, TRACE_LIMIT},
    test_support::{ObservationBuilder, SECOND},
};

mod bounds;
mod cases;

/// Limits that small random sets reach.
const SMALL: Limits = Limits { event: 3, call: 3, response: 4, trace: 5, component: 14 };

/// A store in memory.
#[derive(Default)]
struct Memory {
    observations: Vec<Option<Arc<Observation>>>,
    index: BTreeMap<(RelationKind, String), Vec<u64>>,
    /// What a store would show: the events without their revisions, which are checked separately.
    events: BTreeMap<EventId, CostEvent>,
    /// Whether look-ups find other observations by mistake.
    is_imprecise: bool,
    finds: usize,
    loads: Cell<usize>,
}

impl Journal for Memory {
    type Error = Infallible;

    fn find(&mut self, relation: Relation<'_>, limit: usize) -> Result<Vec<u64>, Infallible> {
        self.finds += 1;
        let mut found =
            self.index.get(&(relation.kind, relation.value.to_owned())).cloned().unwrap_or_default();
        if self.is_imprecise {
            let room = limit.saturating_sub(1 + found.len());
            let others = (0..self.observations.len() as u64).filter(|number| number % 3 == 0).take(room);
            found.extend(others.collect::<Vec<_>>());
        }
        found.truncate(limit);
        Ok(found)
    }

    fn load(&mut self, number: u64) -> Result<Option<Arc<Observation>>, Infallible> {
        self.loads.set(self.loads.get() + 1);
        Ok(self.observations[usize::try_from(number).unwrap()].clone())
    }
}

impl Memory {
    fn append(&mut self, limits: Limits, new: &[Arc<Observation>]) -> Related {
        let Ok(related) = related_within(limits, new, self, |_| true);
        for component in &related.components {
            let folded = component.fold();
            for id in &folded.retired {
                self.events.remove(id);
            }
            for event in folded.events {
                self.events.insert(event.event_id.clone(), event);
            }
            for (_, observation) in &component.new {
                for relation in observation.relations() {
                    let key = (relation.kind, relation.value.to_owned());
                    self.index.entry(key).or_default().push(self.observations.len() as u64);
                }
                self.observations.push(Some(Arc::clone(observation)));
            }
        }
        related
    }

    /// The finds and loads since the last call.
    fn work(&mut self) -> (usize, usize) {
        (std::mem::take(&mut self.finds), self.loads.take())
    }

    fn prune(&mut self) {
        self.observations.fill(None);
    }

    fn kept(&self) -> impl Iterator<Item = &Observation> {
        self.observations.iter().flatten().map(|observation| &**observation)
    }
}

fn without_revision(events: impl IntoIterator<Item = CostEvent>) -> Vec<CostEvent> {
    events.into_iter().map(|event| CostEvent { revision: 0, ..event }).collect()
}

fn new(builder: ObservationBuilder) -> Arc<Observation> {
    Arc::new(builder.build())
}

fn record(request: &str, call: &str) -> ObservationBuilder {
    ObservationBuilder::record(request, call, 1).tokens(100, 10).cost_picos(110)
}

fn span(trace: &str, id: &str) -> ObservationBuilder {
    ObservationBuilder::span(trace, id, 1).tokens(100, 10).cost_picos(110)
}

/// A record that shares its event with one neighbour and its response with the other.
fn link(n: usize) -> Arc<Observation> {
    new(record(&format!("r{}", n / 2), &format!("c{n}")).response(&n.div_ceil(2).to_string()))
}

/// Observations that share everything with each other, in every combination.
fn hostile() -> impl Strategy<Value = Vec<Arc<Observation>>> {
    let ids = (0..5_usize, 0..8_usize, 0..6_usize, 0..5_usize, 0..5_usize);
    let rest = (0..4_i64, 0..2_u64, 0..3_usize, any::<bool>(), 0..6_usize);
    let one = (ids, rest).prop_map(
        |((request, call, response, trace, parent), (second, tokens, host, record, kind))| {
            let name = |number: usize| ["a", "b", "c", "d", "e", "f", "g", "h"][number];
            let mut builder = if record {
                ObservationBuilder::record(name(request), name(call), second)
            } else {
                ObservationBuilder::span("t", name(call), second).with(|o| {
                    o.call_id = name(call).to_owned();
                    if request > 2 {
                        o.event_id = EventId::of_request(name(request), 1);
                    }
                })
            };
            if trace < 3 {
                builder = builder.in_trace(name(trace), name(call), (parent < 4).then(|| name(parent)));
            }
            builder = match kind {
                0 => builder.failed("500"),
                1 => builder,
                _ => builder.tokens(100 + tokens, 10).cost_picos(i128::from(110 + tokens)),
            };
            if response < 4 && kind != 0 {
                builder = match host {
                    0 => builder.response(name(response)),
                    1 => builder.response_of_gateway("gateway", name(response)),
                    _ => builder.response(name(response)).with(|o| {
                        o.response.as_mut().unwrap().namespace = "azure".to_owned();
                    }),
                };
            }
            if kind == 5 {
                builder = builder.aggregate(second + 2);
            }
            Arc::new(builder.build())
        },
    );
    vec(one, 1..28)
}

/// Splits a list at these places.
fn split<'a, T>(list: &'a [T], at: &[Index]) -> Vec<&'a [T]> {
    let mut at: BTreeSet<usize> = at.iter().map(|index| index.index(list.len())).collect();
    at.insert(0);
    at.insert(list.len());
    let at: Vec<usize> = at.into_iter().collect();
    at.windows(2).map(|bounds| &list[bounds[0]..bounds[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn appends_in_any_split_give_the_fold_of_all_that_was_taken(
        observations in hostile(),
        at in vec(any::<Index>(), 0..20),
        component in 6..30_usize,
        is_small: bool,
    ) {
        let limits = if is_small { Limits { component, ..SMALL } } else { Limits::DEFAULT };
        let mut store = Memory { is_imprecise: !is_small, ..Memory::default() };
        for batch in split(&observations, &at) {
            let related = store.append(limits, batch);
            let taken: usize = related.components.iter().map(|component| component.new.len()).sum();
            let others = related.duplicates.len() + related.late.len() + related.refused.len();
            prop_assert_eq!(taken + others, batch.len());
            for component in &related.components {
                prop_assert!(component.new.len() + component.stored.len() <= limits.component);
            }
        }
        let folded = without_revision(fold_within(limits, store.kept()));
        prop_assert_eq!(without_revision(store.events.clone().into_values()), folded);
        // A second delivery of what was taken changes nothing.
        let again: Vec<_> = store.observations.iter().flatten().cloned().collect();
        let related = store.append(limits, &again);
        prop_assert_eq!(related.duplicates.len(), again.len());
        prop_assert!(related.components.is_empty());
    }

    #[test]
    fn order_and_repetition_change_nothing_when_relations_are_crowded(
        observations in hostile(),
        order in vec(any::<Index>(), 0..60),
    ) {
        let all = |observations: &[Arc<Observation>]| {
            fold_within(SMALL, observations.iter().map(|observation| &**observation))
        };
        let mut shuffled = observations.clone();
        for (at, index) in order.iter().enumerate() {
            let from = at % shuffled.len();
            shuffled.swap(from, index.index(observations.len()));
        }
        shuffled.extend(order.iter().map(|index| Arc::clone(index.get(&observations))));
        prop_assert_eq!(all(&shuffled), all(&observations));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A revision cannot tell two relations of one component that go over their limits from one, because
    /// that may separate the first from the event; a store then takes the next number.
    #[test]
    fn a_revision_grows_with_the_set(observations in hostile()) {
        let mut events: BTreeMap<EventId, CostEvent> = BTreeMap::new();
        for taken in 1..=observations.len() {
            let set = || observations[..taken].iter();
            let mut crowded: BTreeSet<Relation<'_>> = BTreeSet::new();
            for relation in set().flat_map(|o| o.relations()) {
                let distinct: BTreeSet<_> = set().filter(|o| o.relations().any(|r| r == relation)).collect();
                let ties = !matches!(relation.kind, RelationKind::Aggregate | RelationKind::Call);
                if ties && distinct.len() > SMALL.of(relation.kind) {
                    crowded.insert(relation);
                }
            }
            if crowded.len() > 1 {
                break;
            }
            for event in fold_within(SMALL, set().map(|o| &**o)) {
                if let Some(earlier) = events.get(&event.event_id) {
                    prop_assert!(earlier.revision <= event.revision);
                    prop_assert!(earlier == &event || earlier.revision < event.revision, "{earlier:#?} {event:#?}");
                }
                events.insert(event.event_id.clone(), event);
            }
        }
    }
}
