use super::*;

#[test]
fn waits_double_up_to_the_maximum_and_start_again_after_a_reset() {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
    for full in [200, 400, 800, 1_000, 1_000].map(Duration::from_millis) {
        let wait = backoff.wait();
        assert!(full / 2 <= wait && wait <= full, "{wait:?} of {full:?}");
    }
    backoff.reset();
    assert!(backoff.wait() <= Duration::from_millis(200));
}

#[test]
fn two_services_do_not_wait_equally_long() {
    let waits = || {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        (0..8).map(|_| backoff.wait()).collect::<Vec<_>>()
    };
    assert_ne!(waits(), waits());
}
