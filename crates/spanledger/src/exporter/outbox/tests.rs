use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// An outbox with a clock that this test moves, and a receiver that is a function.
struct World {
    outbox: Outbox,
    now: Instant,
    requests: usize,
    acknowledged: Vec<u64>,
    lost: Vec<u64>,
}

impl World {
    fn new(records: u64) -> Self {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
        let mut outbox = Outbox::new(512, 1 << 20, backoff);
        (0..records).for_each(|number| outbox.push(record(number)));
        Self { outbox, now: Instant::now(), requests: 0, acknowledged: Vec::new(), lost: Vec::new() }
    }

    /// Sends until nothing is due within this time.
    fn run(&mut self, time: Duration, mut receiver: impl FnMut(&[u64]) -> Verdict) {
        let end = self.now + time;
        while let Some(due) = self.outbox.due(self.now).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let sent: Vec<u64> = match self.outbox.next(self.now) {
                Some(records) => records.map(number).collect(),
                None => panic!("nothing to send although it is due"),
            };
            self.requests += 1;
            let settled = self.outbox.answered(self.now, receiver(&sent), None);
            match settled {
                Settled::None => {}
                Settled::Acknowledged(records) => {
                    self.acknowledged.extend(records.iter().map(|record| record.number));
                }
                Settled::Lost(record) => self.lost.push(record.number),
            }
        }
        self.now = end;
    }

    fn sorted(&self) -> Vec<u64> {
        let mut acknowledged = self.acknowledged.clone();
        acknowledged.sort_unstable();
        acknowledged
    }
}

fn record(number: u64) -> Pending {
    Pending { bytes: number.to_le_bytes().to_vec(), number, source: Source::Call }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

/// A receiver that answers so to a request with one of these records, and acknowledges all others.
fn unless(poison: &[u64], verdict: Verdict) -> impl FnMut(&[u64]) -> Verdict {
    move |sent| if sent.iter().any(|n| poison.contains(n)) { verdict } else { Verdict::Acknowledged }
}

#[test]
fn a_record_that_the_receiver_fails_at_does_not_hold_up_the_others() {
    for poison in [vec![0], vec![700], vec![999], vec![7, 8, 9], vec![0, 255, 256, 511, 998, 999]] {
        let mut world = World::new(1_000);
        world.run(20 * SECOND, unless(&poison, Verdict::Failed));
        let expected: Vec<_> = (0..1_000).filter(|number| !poison.contains(number)).collect();
        assert_eq!(world.sorted(), expected, "{poison:?}");
        let waiting = world.outbox.unsettled_before(u64::MAX);
        assert_eq!((world.lost.as_slice(), waiting), (&[][..], poison.len()));
        assert!(world.requests < 40 * poison.len(), "{} requests", world.requests);

        // The receiver is mended.
        world.run(1_000 * SECOND, |_| Verdict::Acknowledged);
        assert_eq!(world.sorted().len(), 1_000);
        assert!(world.outbox.is_empty());
    }
}

#[test]
fn a_parked_record_is_sent_by_itself_from_time_to_time() {
    let mut world = World::new(3);
    world.run(10 * SECOND, unless(&[1], Verdict::Failed));
    assert_eq!(world.outbox.parked(), 1);
    let before = world.requests;
    world.run(Duration::from_hours(1), unless(&[1], Verdict::Failed));
    let attempts = world.requests - before;
    assert!((6..=20).contains(&attempts), "{attempts} attempts in an hour");
    world.outbox.attempt_now(world.now);
    world.run(Duration::ZERO, |_| Verdict::Acknowledged);
    assert!(world.outbox.is_empty());
}

#[test]
fn a_record_that_is_refused_is_lost_alone() {
    for poison in [vec![0], vec![400], vec![7, 8, 9]] {
        let mut world = World::new(512);
        world.run(20 * SECOND, unless(&poison, Verdict::Refused));
        assert_eq!((world.acknowledged.len(), world.lost.len()), (512 - poison.len(), poison.len()));
        assert!(world.outbox.is_empty());
    }
}

#[test]
fn a_request_that_is_too_large_is_split_at_once() {
    let mut world = World::new(512);
    world.run(Duration::ZERO, |sent| match sent {
        [7] => Verdict::TooLarge,
        sent if sent.len() > 100 || sent.contains(&7) => Verdict::TooLarge,
        _ => Verdict::Acknowledged,
    });
    assert_eq!((world.acknowledged.len(), world.lost.as_slice()), (511, &[7][..]));
}

/// Scenario: something answers 400 or 500 to everything, also to single records. Guarantees: nothing is lost, and
/// the attempts are few.
#[test]
fn a_receiver_that_refuses_everything_loses_nothing() {
    for (records, verdict) in
        [(1_000, Verdict::Refused), (1, Verdict::Refused), (1_000, Verdict::Failed), (3, Verdict::Failed)]
    {
        let mut world = World::new(records);
        world.run(Duration::from_hours(1), |_| verdict);
        assert!(world.outbox.is_probing() && world.lost.is_empty());
        assert!((120..320).contains(&world.requests), "{} requests in an hour", world.requests);
        // A record that is queued now is tried, too.
        world.outbox.push(record(records));
        world.run(Duration::from_mins(2), |_| Verdict::Acknowledged);
        assert_eq!(world.sorted(), (0..=records).collect::<Vec<_>>());
        assert!(!world.outbox.is_probing() && world.outbox.is_empty() && world.lost.is_empty());
    }
}

#[test]
fn an_hour_without_a_receiver_loses_nothing_and_one_flush_sends_all() {
    let mut world = World::new(1_000);
    world.run(Duration::from_hours(1), |_| Verdict::Unreachable);
    assert!((120..320).contains(&world.requests), "{} requests in an hour", world.requests);
    let before = world.requests;
    world.outbox.attempt_now(world.now);
    world.run(Duration::ZERO, |_| Verdict::Acknowledged);
    assert_eq!((world.sorted().len(), world.requests - before), (1_000, 2));
}

#[test]
fn a_wait_that_the_receiver_asks_for_is_kept_also_when_it_is_shorter() {
    let mut world = World::new(1);
    world.run(Duration::from_hours(1), |_| Verdict::Unreachable);
    let now = world.outbox.due(world.now).unwrap();
    assert_eq!(world.outbox.next(now).unwrap().count(), 1);
    drop(world.outbox.answered(now, Verdict::Unreachable, Some(SECOND)));
    assert_eq!(world.outbox.due(now), Some(now + SECOND));
    assert!(world.outbox.next(now).is_none());
}

/// Scenario: a flush begins while a request is on its way, and the request fails.
#[test]
fn a_flush_also_ends_the_wait_after_the_request_in_flight() {
    let mut world = World::new(1);
    let now = world.now;
    assert_eq!(world.outbox.next(now).unwrap().count(), 1);
    world.outbox.attempt_now(now);
    drop(world.outbox.answered(now, Verdict::Unreachable, None));
    assert_eq!(world.outbox.due(now), Some(now));
    assert_eq!(world.outbox.next(now).unwrap().count(), 1);
    drop(world.outbox.answered(now, Verdict::Unreachable, None));
    assert!(world.outbox.due(now) > Some(now));
}

#[test]
fn a_request_has_at_most_so_many_bytes() {
    let backoff = Backoff::new(SECOND, SECOND);
    let mut outbox = Outbox::new(512, 20, backoff);
    (0..5).for_each(|number| outbox.push(record(number)));
    outbox.push(Pending { bytes: vec![0; 100], ..record(5) });
    let now = Instant::now();
    let mut sizes = Vec::new();
    while let Some(size) = outbox.next(now).map(Iterator::count) {
        sizes.push(size);
        drop(outbox.answered(now, Verdict::Acknowledged, None));
    }
    assert_eq!(sizes, [2, 2, 1, 1]);
}

/// Scenario: requests fail and are acknowledged at random, and some records are refused for ever.
#[test]
fn every_record_is_settled_once_whatever_the_receiver_answers() {
    for seed in 0..200_u64 {
        let mut world = World::new(300);
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut verdict = |sent: &[u64]| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            match random % 8 {
                0 => Verdict::Unreachable,
                1 | 2 => Verdict::Failed,
                3 if sent.len() > 1 => Verdict::TooLarge,
                4 if sent.len() > 1 => Verdict::Refused,
                _ if sent.iter().any(|n| n % 97 == 5) => Verdict::Refused,
                _ => Verdict::Acknowledged,
            }
        };
        world.run(Duration::from_hours(10), &mut verdict);
        let mut all = world.acknowledged.clone();
        all.extend(&world.lost);
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<_>>(), "seed {seed}");
        assert!(world.lost.iter().all(|n| n % 97 == 5), "seed {seed}: {:?}", world.lost);
    }
}
