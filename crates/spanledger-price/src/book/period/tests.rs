use spanledger_event::Timestamp;

use super::Period;

/// A period of days in January 2026; 0 means an open side.
fn days(from: u32, until: u32) -> Period {
    let day = |day: u32| (day > 0).then(|| Timestamp::parse(&format!("2026-01-{day:02}T00:00:00Z")).unwrap());
    Period::new(day(from), day(until))
}

fn without(a: Period, b: Period) -> Vec<Period> {
    a.without(b).collect()
}

#[test]
fn the_start_is_included_and_the_end_is_not() {
    let period = days(2, 4);
    let contains = |day: u32| period.contains(days(day, 0).from().unwrap());
    assert_eq!([1, 2, 3, 4].map(contains), [false, true, true, false]);
    assert!(Period::default().contains(Timestamp::default()), "a period without sides is all of time");
}

#[test]
fn the_intersection_has_the_common_moments_of_two_periods() {
    for (a, b, both) in [
        (days(1, 5), days(3, 9), Some(days(3, 5))),
        (days(0, 5), days(3, 0), Some(days(3, 5))),
        (days(0, 0), days(2, 3), Some(days(2, 3))),
        (days(1, 3), days(3, 5), None),
        (days(0, 3), days(3, 0), None),
    ] {
        assert_eq!((a.intersection(b), b.intersection(a)), (both, both), "{a:?} {b:?}");
    }
}

#[test]
fn a_period_without_another_one_has_the_parts_before_and_after() {
    assert_eq!(without(days(1, 9), days(3, 5)), [days(1, 3), days(5, 9)]);
    assert_eq!(without(days(0, 0), days(3, 5)), [days(0, 3), days(5, 0)]);
    assert_eq!(without(days(3, 9), days(3, 5)), [days(5, 9)]);
    assert_eq!(without(days(3, 5), days(1, 0)), []);
    assert_eq!(without(days(1, 3), days(3, 5)), [days(1, 3)], "periods that only touch share no moment");
}

#[test]
fn a_period_covers_another_one_or_ends_before_it() {
    assert!(days(1, 9).covers(days(1, 9)) && days(0, 0).covers(days(1, 0)));
    assert!(!days(1, 9).covers(days(1, 0)) && !days(2, 9).covers(days(0, 3)));
    assert!(days(1, 3).ends_before(days(3, 5)) && !days(1, 4).ends_before(days(3, 5)));
    assert!(!days(1, 0).ends_before(days(3, 5)) && !days(1, 3).ends_before(days(0, 5)));
}
