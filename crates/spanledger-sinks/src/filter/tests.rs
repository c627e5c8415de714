use super::*;

fn event(state: EventState) -> CostEvent {
    CostEvent {
        state,
        feature: Some("chat".into()),
        timestamp: Timestamp::from_nanos(100),
        ..CostEvent::default()
    }
}

#[test]
fn quarantined_events_are_given_only_when_asked_for() {
    use EventSelection::{All, Live, Quarantined};
    for (events, state, taken) in [
        (Live, EventState::Live, true),
        (Live, EventState::Void, true),
        (Live, EventState::Quarantined, false),
        (Quarantined, EventState::Live, false),
        (Quarantined, EventState::Void, false),
        (Quarantined, EventState::Quarantined, true),
        (All, EventState::Quarantined, true),
        (All, EventState::Live, true),
        (All, EventState::Void, true),
    ] {
        let filter = EventFilter { events, ..EventFilter::default() };
        assert_eq!(filter.takes(&event(state), false), taken, "{events:?} {state:?}");
    }
}

#[test]
fn an_event_that_is_quarantined_later_is_given_to_a_sink_that_has_it() {
    assert!(EventFilter::default().takes(&event(EventState::Quarantined), true));
    let quarantined = EventFilter { events: EventSelection::Quarantined, ..EventFilter::default() };
    assert!(quarantined.takes(&event(EventState::Void), true));
    assert!(!quarantined.takes(&event(EventState::Live), true));
}

#[test]
fn each_condition_must_hold() {
    let only = |name: &str, values: &[&str]| EventFilter {
        only: [(name.to_owned(), values.iter().map(|&value| value.to_owned()).collect())].into(),
        ..EventFilter::default()
    };
    let event = event(EventState::Live);
    assert!(only("feature", &["search", "chat"]).takes(&event, false));
    assert!(!only("feature", &["search"]).takes(&event, false));
    assert!(!only("route", &["chat"]).takes(&event, false), "an absent value is none of them");
    for (since, until, taken) in [(100, 101, true), (101, 200, false), (0, 100, false)] {
        let filter = EventFilter {
            since: Some(Timestamp::from_nanos(since)),
            until: Some(Timestamp::from_nanos(until)),
            ..EventFilter::default()
        };
        assert_eq!(filter.takes(&event, false), taken, "{since} {until}");
    }
}

#[test]
fn a_column_that_holds_no_text_is_refused() {
    let filter = |name: &str| EventFilter {
        only: [(name.to_owned(), vec!["x".to_owned()])].into(),
        ..EventFilter::default()
    };
    filter("customer_id").check().unwrap();
    for name in ["cost_usd", "dims", "customer", "prompt_tokens"] {
        assert!(filter(name).check().unwrap_err().to_string().contains(&format!("`{name}`")));
    }
}
