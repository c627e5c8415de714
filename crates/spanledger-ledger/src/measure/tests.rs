use std::collections::BTreeSet;

use spanledger_event::{EventState, Flag, Timestamp};

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
fn counts_that_were_not_stated_are_not_summed_as_zero() {
    let unstated = totals(&event());
    assert_eq!((unstated.cached_tokens, unstated.cache_known_prompt_tokens), (0, 0));
    let stated = totals(&CostEvent { cached_tokens: Some(40), ..event() });
    assert_eq!((stated.cached_tokens, stated.cache_known_prompt_tokens), (40, 100));
    let both = unstated.plus(&stated);
    assert_eq!((both.prompt_tokens, both.cached_tokens, both.cache_known_prompt_tokens), (200, 40, 100));
}

#[test]
fn requests_whose_cost_is_not_exact_are_counted() {
    let with = |flags: &[Flag]| {
        let totals = totals(&CostEvent { flags: flags.to_vec(), ..event() });
        (totals.cost_upper_bound, totals.cost_uncertain)
    };
    assert_eq!(with(&[Flag::PossibleDuplicate]), (0, 0));
    assert_eq!(with(&[Flag::PossibleDuplicate, Flag::CostUpperBound]), (1, 0));
    assert_eq!(with(&[Flag::CostUncertain]), (0, 1));
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
