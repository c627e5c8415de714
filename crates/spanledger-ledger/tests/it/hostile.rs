//! A campaign of random hostile requests: nesting, linking, repeating, reordering, absurd counts. Whatever
//! is sent, the ledger is in the end the fold of everything that it accepted, and holds each of them once.
//!
//! The ordinary test is small. A long campaign, whose slowest appends are printed, is run with
//!
//! ```text
//! SPANLEDGER_HOSTILE_REQUESTS=10000 SPANLEDGER_HOSTILE_SIZE=2000 SPANLEDGER_HOSTILE_SEED=1 \
//!     cargo test --release -p spanledger-ledger --test it hostile -- --nocapture
//! ```

mod requests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures_util::future::join;
use spanledger_event::{CostEvent, EventId, EventState, Observation, fold};
use spanledger_ledger::Ledger;

use self::requests::Sender;
use crate::support::{call, folder, runtime, stored};

/// The time of an append, and how many observations the hostile request had.
type Slowest = (Duration, usize);

#[test]
fn after_hostile_requests_the_ledger_is_the_fold_of_what_it_accepted() {
    let option = |name: &str, default: usize| {
        std::env::var(name)
            .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
    };
    let requests = option("SPANLEDGER_HOSTILE_REQUESTS", 250);
    let size_max = option("SPANLEDGER_HOSTILE_SIZE", 24);
    let seed = option("SPANLEDGER_HOSTILE_SEED", 1);
    println!("SPANLEDGER_HOSTILE_SEED={seed}: {requests} requests of at most {size_max} observations");

    let (_folder, path) = folder();
    let mut accepted = BTreeSet::new();
    // The slowest append of each kind, and the slowest append of somebody else beside it.
    let mut slowest: BTreeMap<&str, [Slowest; 2]> = BTreeMap::new();
    let (mut sent, mut refused) = (0, 0);
    let slowest = runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let mut sender = Sender::new(u64::try_from(seed).unwrap(), size_max);
        for number in 0..requests {
            let (kind, request) = sender.request();
            let what = format!("request {number}, {kind}, {} observations", request.len());
            // Somebody else's call, which is appended at the same time.
            let id = format!("neighbour-{number}");
            let neighbour = vec![call(&id, &id, i64::try_from(number).unwrap(), 3)];
            let (hostile, other) =
                join(timed(&ledger, request.clone()), timed(&ledger, neighbour.clone())).await;
            let [of_kind, beside] = slowest.entry(kind).or_default();
            *of_kind = (*of_kind).max((hostile.0, request.len()));
            *beside = (*beside).max((other.0, request.len()));
            assert_eq!((other.1, other.2), (1, 0), "{what}: the neighbour's call was not accepted");
            accepted.extend(neighbour);

            sent += request.len();
            let refused_now = request.len() - hostile.1 - hostile.2;
            refused += refused_now;
            if refused_now == 0 {
                accepted.extend(request);
            } else {
                // The answer does not say which were refused. Those that were accepted are duplicates now.
                for observation in request {
                    let again = ledger.append(vec![observation.clone()]).await.unwrap();
                    assert_eq!(again.new, 0, "{what}: what was refused is accepted when it is repeated");
                    if again.duplicates == 1 {
                        accepted.insert(observation);
                    }
                }
            }
            if number % (requests / 10).max(1) == 0 {
                compare(&ledger, &accepted, &what);
            }
        }
        compare(&ledger, &accepted, "the end");
        assert_eq!(ledger.reader().unwrap().integrity().unwrap(), Vec::<String>::new());
        slowest
    });
    println!("{sent} observations were sent, {} different ones accepted, {refused} refused", accepted.len());
    println!(
        "the slowest append of each kind and its observations, and the slowest append beside such a one:"
    );
    for (kind, [of_kind, beside]) in slowest {
        println!("{:>9.1?} {:>5} {:>9.1?} {:>5}  {kind}", of_kind.0, of_kind.1, beside.0, beside.1);
    }
}

/// The time of an append, and how many observations were new and known.
async fn timed(ledger: &Ledger, observations: Vec<Observation>) -> (Duration, usize, usize) {
    let before = Instant::now();
    let appended = ledger.append(observations).await.unwrap();
    (before.elapsed(), appended.new, appended.duplicates)
}

/// Every event of the fold is in the ledger. What the ledger has besides is void: an event of a request id
/// that turned out to be reused was perhaps delivered, so it is not removed.
fn compare(ledger: &Ledger, accepted: &BTreeSet<Observation>, when: &str) {
    let reader = ledger.reader().unwrap();
    assert_eq!(usize::try_from(reader.summary().unwrap().observations).unwrap(), accepted.len(), "{when}");
    let mut events: BTreeMap<EventId, CostEvent> =
        stored(&reader).into_iter().map(|event| (event.event_id.clone(), event)).collect();
    for expected in fold(accepted) {
        let Some(mut event) = events.remove(&expected.event_id) else {
            panic!("{when}: the ledger lacks {expected:?}")
        };
        assert!(event.revision > 0, "{when}");
        event.revision = expected.revision;
        assert_eq!(event, expected, "{when}");
    }
    assert!(events.values().all(|event| event.state == EventState::Void), "{when}");
}
