use super::*;

#[tokio::test(start_paused = true)]
async fn the_lag_is_the_wait_of_the_oldest_event_that_the_sink_does_not_have() {
    let mut lag = Lag::default();
    assert_eq!(lag.since(Instant::now()), Duration::ZERO);
    lag.note(10, Instant::now());
    tokio::time::advance(Duration::from_secs(5)).await;
    lag.note(20, Instant::now());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(lag.since(Instant::now()), Duration::from_secs(7));
    lag.pass(10);
    assert_eq!(lag.since(Instant::now()), Duration::from_secs(2));
    lag.pass(20);
    assert_eq!(lag.since(Instant::now()), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_keeps_the_first_moment_and_few_others() {
    let mut lag = Lag::default();
    for number in 0..100_000 {
        lag.note(number, Instant::now());
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert!(lag.0.len() <= SAMPLES_MAX);
    assert_eq!(lag.since(Instant::now()), Duration::from_secs(100_000));
}
