use std::collections::BTreeSet;

use spanledger_event::{EventState, Timestamp};

use super::*;

fn event() -> CostEvent {
    CostEvent {
        timestamp: Timestamp::from_nanos(1),
        attempts: 3,
        prompt_tokens: Some(100),
        completion_tokens: Some(7),
        cost_usd: Some(Usd::from_picos(2_000_001)),
        retry_cost_usd: Some(Usd::from_picos(1_999_999)),
        error_code: Some("500".into()),
        ..CostEvent::default()
    }
}

fn totals(event: &CostEvent) -> Totals {
    let mut sums = contributions(event).into_iter();
    Totals::read(|| sums.next().ok_or("there are fewer integers than measures")).unwrap()
}

#[test]
fn an_event_contributes_what_the_table_says() {
    let expected = Totals {
        requests: 1,
        attempts: 3,
        failed: 1,
        retried: 1,
        unpriced: 1,
        prompt_tokens: 100,
        completion_tokens: 7,
        // The billed amount is unknown, so the known parts are summed.
        billed: Usd::from_picos(4_000_000),
        retry: Usd::from_picos(1_999_999),
        ..Totals::default()
    };
    assert_eq!(totals(&event()), expected);

    let billed = CostEvent { billed_usd: Some(Usd::from_picos(5)), ..event() };
    assert_eq!(totals(&billed), Totals { billed: Usd::from_picos(5), unpriced: 0, ..expected });
    assert_eq!(totals(&CostEvent { state: EventState::Quarantined, ..event() }), expected);
    assert_eq!(totals(&CostEvent { state: EventState::Void, ..event() }), Totals::default());
}

#[test]
fn totals_are_added_measure_by_measure() {
    let one = totals(&event());
    let both = one.plus(&one);
    for measure in MEASURES {
        let double = match (measure.get)(&one) {
            Amount::Count(count) => Amount::Count(2 * count),
            Amount::Dollars(usd) => Amount::Dollars(usd + usd),
        };
        assert_eq!((measure.get)(&both), double, "{}", measure.name);
    }
}

#[test]
fn every_measure_has_unique_names_and_documentation() {
    let names: BTreeSet<_> = MEASURES.iter().map(|measure| measure.name).collect();
    let titles: BTreeSet<_> = MEASURES.iter().map(|measure| measure.title).collect();
    assert_eq!((names.len(), titles.len()), (MEASURES.len(), MEASURES.len()));
    for measure in MEASURES {
        assert!(measure.doc.len() > 8, "{} has no documentation", measure.name);
        let is_dollars = measure.kind == MeasureKind::Dollars;
        assert_eq!(is_dollars, measure.title.ends_with("_usd"), "{}", measure.title);
    }
}
