use std::collections::BTreeSet;

use super::*;
use crate::test_support::ObservationBuilder;

fn kinds(observation: &Observation) -> Vec<RelationKind> {
    observation.relations().map(|relation| relation.kind).collect()
}

#[test]
fn an_observation_is_filed_under_what_it_states() {
    use RelationKind::{Aggregate, Call, Event, Response, Trace};
    let record = ObservationBuilder::record("r", "c", 1).build();
    assert_eq!(kinds(&record), [Event, Call]);
    let call = ObservationBuilder::span("t", "s", 1).response_of_gateway("host", "a");
    assert_eq!(kinds(&call.clone().build()), [Event, Call, Response, Trace]);
    let aggregate = call.aggregate(2).build();
    assert_eq!(kinds(&aggregate), [Event, Call, Response, Trace, Aggregate]);
    assert_eq!(aggregate.relation(Response).unwrap().value, "a", "the host is not part of it");
}

#[test]
fn a_hash_depends_on_the_kind_the_value_and_the_seed() {
    let mut hashes = BTreeSet::new();
    for kind in RelationKind::ALL {
        for value in ["", "a", "b"] {
            for seed in [0, 1 << 32] {
                let relation = Relation { kind, value };
                assert_eq!(relation.hash(seed), relation.hash(seed));
                assert!(hashes.insert(relation.hash(seed)), "{relation:?}");
            }
        }
    }
}
