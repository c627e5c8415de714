//! Single cases: what is a duplicate, late or refused, and what a crowded relation means.

use super::*;

fn flags(store: &Memory) -> BTreeSet<Flag> {
    store.events.values().flat_map(|event| event.flags.iter().copied()).collect()
}

fn counting(store: &Memory) -> usize {
    store.events.values().filter(|event| event.counts()).count()
}

#[test]
fn an_observation_that_differs_only_in_its_cost_is_a_duplicate() {
    let mut store = Memory::default();
    let first = new(record("r", "c"));
    let again = new(record("r", "c").cost_picos(7));
    assert_eq!(store.append(Limits::DEFAULT, &[first, Arc::clone(&again)]).duplicates, [1]);
    store.work();
    assert_eq!(store.append(Limits::DEFAULT, &[again]).duplicates, [0]);
    assert_eq!(store.work(), (1, 1), "nothing but its call was looked up");
    let other = new(record("r", "c").with(|o| o.region = Some("eu".into())));
    assert!(store.append(Limits::DEFAULT, &[other]).duplicates.is_empty());
}

#[test]
fn an_ordinary_call_is_lone_and_costs_four_look_ups() {
    let mut store = Memory::default();
    store.append(Limits::DEFAULT, &[new(span("t", "a").response("1"))]);
    store.work();
    let related = store.append(Limits::DEFAULT, &[new(span("t", "b").response("2"))]);
    assert_eq!(store.work(), (4, 0));
    assert_eq!(related.components[0].lone().map(|(index, _)| index), Some(0));
    let related = store.append(Limits::DEFAULT, &[new(span("t", "c").response("2"))]);
    assert!(related.components[0].lone().is_none());
}

#[test]
fn what_several_new_observations_belong_to_is_loaded_once_and_no_more_are_looked_at_than_wanted() {
    let mut store = Memory::default();
    let in_agent = |id: &str| new(span("t", id).in_trace("t", id, Some("agent")));
    let stored: Vec<_> = (0..20).map(|number| in_agent(&format!("stored-{number}"))).collect();
    store.append(Limits::DEFAULT, &[new(span("t", "agent").aggregate(9))]);
    store.append(Limits::DEFAULT, &stored);
    store.work();
    let fresh: Vec<_> = (0..10).map(|number| in_agent(&format!("new-{number}"))).collect();
    let Ok(related) = related_while(&fresh, &mut store, |next| next < 7);
    assert_eq!(store.work().1, 21, "the agent and its calls");
    assert_eq!((related.seen, related.components.len()), (7, 1));
    assert_eq!((related.components[0].stored.len(), related.components[0].new.len()), (21, 7));
    let Ok(none) = related_while(&fresh, &mut store, |_| false);
    assert_eq!((none.seen, none.components.len(), store.work()), (0, 0, (0, 0)));
}

#[test]
fn a_sighting_of_a_pruned_event_is_late() {
    let mut store = Memory::default();
    store.append(
        Limits::DEFAULT,
        &[
            new(record("r", "c").response("a").in_trace("t", "s", None)),
            new(record("q", "d").response_of_gateway("host", "g")),
            new(span("t", "agent").aggregate(9)),
        ],
    );
    store.prune();
    let is_late = |store: &mut Memory, builder: ObservationBuilder| {
        !store.append(Limits::DEFAULT, &[new(builder)]).late.is_empty()
    };
    assert!(is_late(&mut store, record("r", "another")));
    assert!(is_late(&mut store, record("another", "c")));
    assert!(is_late(&mut store, span("u", "s").response("a")));
    let gateway = span("u", "v").response_of_gateway("host", "g");
    assert!(!is_late(&mut store, gateway), "the id may be of another response");
    assert!(!is_late(&mut store, span("t", "w")), "the trace goes on");
    assert!(is_late(&mut store, span("t", "agent").aggregate(9)), "its calls may have counted");
    assert!(!is_late(&mut store, span("v", "agent").aggregate(9)), "nothing of the trace was pruned");
}

#[test]
fn a_call_takes_no_more_sightings_than_its_limit() {
    let mut store = Memory::default();
    let sighting = |n: i64| new(record("r", "c").with(|o| o.end = Timestamp::from_nanos(n)));
    let all: Vec<_> = (0..40).map(sighting).collect();
    let related = store.append(Limits::DEFAULT, &all[..20]);
    assert!(related.refused.is_empty());
    let related = store.append(Limits::DEFAULT, &all);
    assert_eq!((related.duplicates.len(), related.refused.len()), (20, 8));
    let is_expected = |(index, reason): &(usize, RefusedReason)| {
        *index >= CALL_LIMIT && *reason == RefusedReason::SightingsOfCall
    };
    assert!(related.refused.iter().all(is_expected));
    let related = store.append(Limits::DEFAULT, &all);
    assert_eq!((related.duplicates.len(), related.refused.len()), (32, 8), "the same ones are refused again");
}

#[test]
fn an_event_id_that_too_many_observations_state_is_no_request() {
    let mut store = Memory::default();
    let call = |n: usize| new(record("health", &format!("c{n}")));
    let calls: Vec<_> = (0..=EVENT_LIMIT + 1).map(call).collect();
    store.append(Limits::DEFAULT, &calls[..EVENT_LIMIT]);
    assert_eq!(store.events[&calls[0].event_id].attempts, 256);
    assert_eq!(counting(&store), 1);
    let last = &calls[EVENT_LIMIT..=EVENT_LIMIT];
    let Ok(related) = related(last, &mut store);
    let retired: BTreeSet<EventId> = related.components.iter().flat_map(|c| c.fold().retired).collect();
    assert_eq!(retired, BTreeSet::from([calls[0].event_id.clone()]));
    store.append(Limits::DEFAULT, last);
    assert_eq!((store.events.len(), counting(&store)), (257, 257));
    assert_eq!(flags(&store), BTreeSet::from([Flag::RequestIdReused]));
    for event in store.events.values() {
        assert_eq!((event.request_id.as_deref(), event.attempts), (Some("health"), 1));
        assert_eq!(event.event_id.as_str()[..13], calls[0].event_id.as_str()[..13], "the time is kept");
    }
    store.work();
    let related = store.append(Limits::DEFAULT, &calls[EVENT_LIMIT + 1..]);
    assert_eq!(store.work(), (2, 0));
    assert_eq!(related.components.len(), 1);
    assert!(related.components[0].fold().retired.is_empty(), "it was retired before");
    assert!(related.components[0].lone().is_none(), "its event has another id");
}

#[test]
fn a_response_id_that_too_many_observations_state_joins_nothing() {
    let mut store = Memory::default();
    let client = |n: u64| new(record(&format!("r{n}"), &format!("c{n}")).tokens(n, 1).response("stub"));
    let gateway = |n: u64| new(span("t", &n.to_string()).tokens(n, 1).response("stub"));
    for n in 0..128 {
        store.append(Limits::DEFAULT, &[client(n), gateway(n)]);
    }
    assert_eq!((store.events.len(), counting(&store)), (256, 128));
    assert_eq!(flags(&store), BTreeSet::from([Flag::PossibleDuplicate]));
    store.append(Limits::DEFAULT, &[client(128)]);
    assert_eq!((store.events.len(), counting(&store)), (257, 257));
    assert_eq!(flags(&store), BTreeSet::from([Flag::ResponseIdReused]));
}

/// A client polls a background response, and each poll is a span.
#[test]
fn polls_of_one_response_do_not_take_its_id_over_the_limit() {
    let mut store = Memory::default();
    let poll = |n: usize| new(span("t", &n.to_string()).response("background"));
    let polls: Vec<_> = (0..300).map(poll).collect();
    let refused: Vec<_> =
        polls.chunks(50).flat_map(|polls| store.append(Limits::DEFAULT, polls).refused).collect();
    assert_eq!(refused.len(), 300 - RESPONSE_LIMIT);
    assert!(refused.iter().all(|(_, reason)| *reason == RefusedReason::KnownResponse));
    assert_eq!(counting(&store), 1);
    let other = new(span("t", "other").tokens(7, 7).response("background"));
    let related = store.append(Limits::DEFAULT, &[other]);
    assert!(related.refused.is_empty(), "another charge under the id is taken");
    assert_eq!(counting(&store), 257);
}

#[test]
fn aggregates_of_a_long_trace_do_not_count() {
    let mut store = Memory::default();
    let agent = || span("t", "agent").aggregate(9).tokens(10_000, 1_000).cost_picos(11_000);
    let call = |n: usize| new(span("t", &n.to_string()).in_trace("t", &n.to_string(), Some("agent")));
    let calls: Vec<_> = (0..TRACE_LIMIT).map(call).collect();
    store.append(Limits::DEFAULT, &[new(agent())]);
    store.append(Limits::DEFAULT, &calls[1..]);
    let of_agent = EventId::of_span("t", "agent", Timestamp::from_nanos(SECOND));
    assert!(store.events[&of_agent].superseded_by.is_some() && flags(&store).is_empty());
    store.append(Limits::DEFAULT, &calls[..1]);
    let event = &store.events[&of_agent];
    assert_eq!((event.state, &event.superseded_by), (EventState::Void, &None));
    assert_eq!(event.flags, [Flag::LongTrace]);
    assert_eq!(counting(&store), TRACE_LIMIT);
    // A later aggregate is the same, and costs no load.
    store.work();
    let late = new(agent().with(|o| {
        o.call_id = "late".into();
        o.event_id = EventId::from_text("late");
    }));
    let related = store.append(Limits::DEFAULT, &[late]);
    assert_eq!(store.work(), (3, 0));
    assert_eq!(related.components[0].fold().events[0].flags, [Flag::LongTrace]);
}

#[test]
fn an_observation_that_would_tie_too_much_together_is_refused() {
    let mut store = Memory::default();
    let limits = Limits { component: 10, ..Limits::DEFAULT };
    let chain: Vec<_> = (0..20).map(link).collect();
    let related = store.append(limits, &chain);
    assert_eq!(related.refused, [(10, RefusedReason::ComponentFull)]);
    let related = store.append(limits, &chain[10..11]);
    assert_eq!(related.refused, [(0, RefusedReason::ComponentFull)], "it would join the two halves");
}

/// The fold joins a gateway's sighting only with one that states both its trace and its response id.
#[test]
fn trace_and_response_id_are_paired_within_one_sighting() {
    let gateway = || record("r", "t:c").in_trace("t", "c", None).response_of_gateway("gateway", "a");
    let provider = |trace: &str| span(trace, "g").in_trace(trace, "g", Some("c")).response("a");
    // The provider's sighting has its id in another trace; its call was also seen in the trace `t`.
    let elsewhere = new(provider("u"));
    let without_id = new(span("t", "h").with(|o| {
        o.call_id.clone_from(&elsewhere.call_id);
        o.event_id.clone_from(&elsewhere.event_id);
    }));
    let all = [new(gateway()), elsewhere, without_id];
    for split in [1, 2, 3] {
        let mut store = Memory::default();
        for batch in all.chunks(split) {
            store.append(Limits::DEFAULT, batch);
        }
        assert_eq!(counting(&store), 2, "{split}");
        assert_eq!(flags(&store), BTreeSet::from([Flag::PossibleDuplicate]));
    }
    let mut store = Memory::default();
    store.append(Limits::DEFAULT, &[new(gateway()), new(provider("t"))]);
    assert_eq!(counting(&store), 1);
}

#[test]
fn the_same_response_at_another_host_is_flagged_when_model_and_tokens_agree() {
    let here = || new(record("r", "c").response("a"));
    let there = |tokens| new(span("u", "s").tokens(tokens, 10).response_of_gateway("gateway", "a"));
    let mut store = Memory::default();
    store.append(Limits::DEFAULT, &[here()]);
    store.append(Limits::DEFAULT, &[there(100)]);
    assert_eq!(counting(&store), 2);
    assert!(store.events.values().all(|event| event.flags == [Flag::PossibleDuplicate]));
    let mut store = Memory::default();
    store.append(Limits::DEFAULT, &[here(), there(101)]);
    assert!(flags(&store).is_empty(), "it is another call");
}

#[test]
fn void_events_come_before_those_that_count() {
    let both = [new(record("r", "c").response("a")), new(span("t", "s").response("a"))];
    let Ok(related) = related(&both, &mut Memory::default());
    let states: Vec<bool> = related.components[0].fold().events.iter().map(CostEvent::counts).collect();
    assert_eq!(states, [false, true]);
}

#[test]
fn a_component_names_its_crowded_relations() {
    let limits = Limits { event: 1, ..Limits::DEFAULT };
    let both = [new(record("r", "c")), new(record("r", "d"))];
    let Ok(related) = related_within(limits, &both, &mut Memory::default(), |_| true);
    assert_eq!(related.components.len(), 2);
    for component in &related.components {
        let [crowded] = component.crowded.as_slice() else { panic!("{component:?}") };
        let expected = Relation { kind: RelationKind::Event, value: both[0].event_id.as_str() };
        assert_eq!((crowded.relation(), crowded.is_new), (expected, true));
    }
}
