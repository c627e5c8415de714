use super::*;

const OPTIONS: DeliveryOptions = DeliveryOptions {
    backoff: Duration::from_secs(1),
    backoff_max: Duration::from_secs(5),
    blocked: Duration::from_mins(1),
};

#[test]
fn waits_double_up_to_the_longest_and_begin_again() {
    let mut backoff = Backoff::new(OPTIONS);
    for seconds in [1.0, 2.0, 4.0, 5.0, 5.0] {
        let wait = backoff.after(None).as_secs_f64();
        assert!((seconds / 2.0..=seconds).contains(&wait), "{wait} of {seconds}");
    }
    backoff.reset();
    assert!(backoff.after(None) <= Duration::from_secs(1));
}

#[test]
fn the_wait_that_a_destination_asks_for_is_kept_up_to_an_hour() {
    let mut backoff = Backoff::new(OPTIONS);
    assert_eq!(backoff.after(Some(Duration::from_secs(40))), Duration::from_secs(40));
    assert_eq!(backoff.after(Some(Duration::from_hours(50))), RETRY_AFTER_MAX);
}
