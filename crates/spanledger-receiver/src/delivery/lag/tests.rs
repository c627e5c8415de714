use super::*;

#[test]
fn the_lag_is_the_wait_of_the_oldest_event_that_the_sink_does_not_have() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut lag = Lag::default();
    assert_eq!(lag.since(start), Duration::ZERO);
    lag.note(10, start);
    lag.note(20, after(5));
    assert_eq!(lag.since(after(7)), Duration::from_secs(7));
    lag.pass(10);
    assert_eq!(lag.since(after(7)), Duration::from_secs(2));
    lag.pass(20);
    assert_eq!(lag.since(after(7)), Duration::ZERO);
}

#[test]
fn a_long_outage_keeps_the_first_moment_and_few_others() {
    let start = Instant::now();
    let mut lag = Lag::default();
    for number in 0..100_000 {
        lag.note(number, start + Duration::from_secs(number.unsigned_abs()));
    }
    assert!(lag.moments.len() <= SAMPLES_MAX);
    assert_eq!(lag.since(start + Duration::from_secs(100_000)), Duration::from_secs(100_000));
}

/// An observation that belongs to an older event has a number of its own, and is no change.
#[test]
fn numbers_without_a_change_are_not_waited_for() {
    let start = Instant::now();
    let mut lag = Lag::default();
    lag.note(12, start);
    lag.is_empty_after(10, 12);
    lag.pass(9);
    assert_eq!(lag.since(start + Duration::from_secs(1)), Duration::from_secs(1));
    lag.pass(10);
    assert_eq!(lag.since(start + Duration::from_secs(1)), Duration::ZERO);
}
