//! What an append may cost at most, counted in look-ups, loads and steps of the fold.

use super::*;

/// The greatest numbers of any append.
#[derive(Default, Debug)]
struct Worst {
    finds: usize,
    loads: usize,
    steps: u64,
}

/// Appends in batches of this size.
fn append(store: &mut Memory, all: &[Arc<Observation>], batch: usize) -> Worst {
    let mut worst = Worst::default();
    for batch in all.chunks(batch) {
        store.work();
        let (_, steps) = steps::of(|| store.append(Limits::DEFAULT, batch));
        let (finds, loads) = store.work();
        worst.finds = worst.finds.max(finds);
        worst.loads = worst.loads.max(loads);
        worst.steps = worst.steps.max(steps);
    }
    worst
}

fn assert_is_fold(store: &Memory) {
    let folded = without_revision(fold_within(Limits::DEFAULT, store.kept()));
    assert!(without_revision(store.events.clone().into_values()) == folded);
}

/// `per` steps for each of `count`.
fn steps_of(per: u64, count: usize) -> u64 {
    per * u64::try_from(count).unwrap()
}

#[test]
fn a_call_under_a_busy_agent_loads_at_most_the_limit_of_a_trace() {
    let call = |n: usize| new(span("t", &n.to_string()).in_trace("t", &n.to_string(), Some("agent")));
    let agent = new(span("t", "agent").aggregate(9));
    let calls: Vec<_> = std::iter::once(agent).chain((0..5_000).map(call)).collect();
    let mut store = Memory::default();
    let worst = append(&mut store, &calls[..=300], 1);
    assert!(worst.loads <= TRACE_LIMIT && worst.finds <= 5 * TRACE_LIMIT, "{worst:?}");
    assert!(worst.steps <= steps_of(100, TRACE_LIMIT), "{worst:?}");
    let worst = append(&mut store, &calls[301..], 1);
    assert_eq!((worst.loads, worst.finds), (0, 4), "beyond the limit an append costs what it adds");
    assert!(worst.steps <= 10, "{worst:?}");
    assert_is_fold(&store);
    let mut store = Memory::default();
    let worst = append(&mut store, &calls, calls.len());
    assert!(worst.loads == 0 && worst.finds <= 4 * calls.len(), "{worst:?}");
    assert!(worst.steps <= steps_of(50, calls.len()), "{worst:?}");
    assert_is_fold(&store);
}

#[test]
fn a_call_in_a_big_trace_without_an_aggregate_loads_nothing() {
    let call = |n: usize| new(span("t", &n.to_string()).in_trace("t", &n.to_string(), Some("server")));
    let calls: Vec<_> = (0..2_000).map(call).collect();
    let mut store = Memory::default();
    let worst = append(&mut store, &calls, 1);
    assert!((worst.finds, worst.loads) == (3, 0) && worst.steps <= 10, "{worst:?}");
}

#[test]
fn a_constant_request_id_loads_at_most_the_limit_of_an_event() {
    let calls: Vec<_> = (0..2_000).map(|n| new(record("constant", &format!("c{n}")))).collect();
    let mut store = Memory::default();
    let worst = append(&mut store, &calls[..300], 1);
    assert!(worst.loads <= EVENT_LIMIT && worst.finds <= 2 * EVENT_LIMIT, "{worst:?}");
    assert!(worst.steps <= steps_of(100, EVENT_LIMIT), "{worst:?}");
    let worst = append(&mut store, &calls[300..], 1);
    assert!((worst.finds, worst.loads) == (2, 0) && worst.steps <= 10, "{worst:?}");
    assert_is_fold(&store);
    let mut store = Memory::default();
    let worst = append(&mut store, &calls, calls.len());
    assert!(worst.finds <= 2 * calls.len() && worst.steps <= steps_of(50, calls.len()), "{worst:?}");
    assert_is_fold(&store);
}

#[test]
fn sightings_of_one_call_without_end_load_at_most_its_limit() {
    let sighting = |n: i64| new(record("r", "c").with(|o| o.end = Timestamp::from_nanos(n)));
    let sightings: Vec<_> = (0..20_000).map(sighting).collect();
    let mut store = Memory::default();
    let worst = append(&mut store, &sightings, 1_000);
    assert!(worst.loads <= CALL_LIMIT && worst.finds <= 2, "{worst:?}");
    assert!(worst.steps <= steps_of(8, 1_000), "{worst:?}");
    assert_eq!(store.observations.len(), CALL_LIMIT);
}

#[test]
fn chains_of_linked_ids_end_at_the_limit_of_a_component() {
    let chain: Vec<_> = (0..20_000).map(link).collect();
    let mut store = Memory::default();
    let worst = append(&mut store, &chain, chain.len());
    assert!(worst.finds <= 3 * chain.len() && worst.loads == 0, "{worst:?}");
    assert!(worst.steps <= steps_of(100, chain.len()), "{worst:?}");
    // The same chain in many appends: each loads at most what it may join.
    let mut store = Memory::default();
    let worst = append(&mut store, &chain[..4_500], 300);
    assert!(worst.loads <= 2 * COMPONENT_MAX && worst.finds <= 6 * COMPONENT_MAX + 3 * 300, "{worst:?}");
    assert!(worst.steps <= steps_of(200, COMPONENT_MAX), "{worst:?}");
    assert_is_fold(&store);
}

#[test]
fn nested_aggregates_cost_at_most_the_square_of_the_limit_of_a_trace() {
    let nested = |count: usize| -> Vec<_> {
        let one = |n: usize| {
            let parent = n.checked_sub(1).map(|n| n.to_string());
            new(span("t", &n.to_string()).in_trace("t", &n.to_string(), parent.as_deref()).aggregate(9))
        };
        (0..count).map(one).collect()
    };
    let mut store = Memory::default();
    let worst = append(&mut store, &nested(200), 200);
    assert!(worst.steps <= steps_of(3 * 200, 200), "{worst:?}");
    assert_eq!(store.events.values().filter(|event| event.counts()).count(), 1);
    let mut store = Memory::default();
    let worst = append(&mut store, &nested(1_000), 1_000);
    assert!(worst.steps <= steps_of(50, 1_000), "{worst:?}");
    assert_is_fold(&store);
}

#[test]
fn twenty_thousand_calls_and_their_gateways_sightings_cost_a_constant_each() {
    let client = |n: usize| {
        let id = n.to_string();
        new(record(&id, &id).in_trace(&id, "c", None).response_of_gateway("gateway", &id))
    };
    let gateway = |n: usize| new(span(&n.to_string(), "g").response(&n.to_string()));
    let count = 20_000;
    let all: Vec<_> = (0..count).map(client).chain((0..count).map(gateway)).collect();
    let mut store = Memory::default();
    let worst = append(&mut store, &all, all.len());
    assert!(worst.finds <= 4 * all.len() && worst.loads == 0, "{worst:?}");
    assert!(worst.steps <= steps_of(50, all.len()), "{worst:?}");
    assert_eq!(store.events.values().filter(|event| event.counts()).count(), count);
}

/// A stand-in answers everything with one id.
#[test]
fn one_response_id_for_everything_loads_at_most_its_limit() {
    let call = |n: u64| new(record(&format!("r{n}"), &format!("c{n}")).response("stub").tokens(n, 1));
    let calls: Vec<_> = (0..2_000).map(call).collect();
    let mut store = Memory::default();
    let worst = append(&mut store, &calls[..300], 1);
    assert!(worst.loads <= RESPONSE_LIMIT && worst.finds <= 3 * RESPONSE_LIMIT, "{worst:?}");
    assert!(worst.steps <= steps_of(2 * 256, RESPONSE_LIMIT), "{worst:?}");
    let worst = append(&mut store, &calls[300..], 1);
    assert!((worst.finds, worst.loads) == (3, 0) && worst.steps <= 10, "{worst:?}");
    assert_is_fold(&store);
}
