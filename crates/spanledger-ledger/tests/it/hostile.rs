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

mod slowest;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use futures_util::future::{join, poll_immediate};
use spanledger_event::{CostEvent, EventId, EventState, Observation, fold};
use spanledger_ledger::{Appended, Ledger};

use self::{
    requests::Sender,
    slowest::{Slowest, Took},
};
use crate::support::{call, folder, runtime, stored};

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
    let mut slowest = Slowest::default();
    let (mut sent, mut refused) = (0, 0);
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let mut sender = Sender::new(u64::try_from(seed).unwrap(), size_max);
        for number in 0..requests {
            let (kind, request) = sender.request();
            let what = format!("request {number}, {kind}, {} observations", request.len());
            // Somebody else's call, which is appended at the same time.
            let id = format!("neighbour-{number}");
            let neighbour = vec![call(&id, &id, i64::try_from(number).unwrap(), 3)];
            let ((hostile, took), (other, beside)) =
                join(timed(&ledger, request.clone()), timed(&ledger, neighbour.clone())).await;
            assert_eq!(
                (other.new, other.refused.len()),
                (1, 0),
                "{what}: the neighbour's call was not accepted"
            );
            accepted.extend(neighbour);

            sent += request.len();
            let refused_now = hostile.refused.len();
            assert_eq!(hostile.new + hostile.duplicates + refused_now, request.len(), "{what}");
            slowest.add(kind, &what, &hostile, took, beside);
            refused += refused_now;
            if refused_now == 0 {
                accepted.extend(request);
            } else {
                // The answer does not say which were refused. Those that were accepted are duplicates now. One
                // that did not fit together with its neighbours may fit alone.
                for observation in request {
                    let again = ledger.append(vec![observation.clone()]).await.unwrap();
                    if again.new + again.duplicates == 1 {
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
    });
    println!("{sent} observations were sent, {} different ones accepted, {refused} refused", accepted.len());
    print!("{slowest}");
}

/// Appends, and measures how long that took.
async fn timed(ledger: &Ledger, observations: Vec<Observation>) -> (Appended, Took) {
    let health = ledger.health();
    let commits = || (health.commits(), health.commit_latency().total);
    let (commits_before, committing_before) = commits();
    let before = Instant::now();
    let mut append = Box::pin(ledger.append(observations));
    // Until it waits for the first time, an append is prepared in the caller's task.
    let answer = poll_immediate(&mut append).await;
    let preparation = before.elapsed();
    let appended = match answer {
        Some(answer) => answer,
        None => append.await,
    };
    let whole = before.elapsed();
    let (commits, committing) = commits();
    let took = Took {
        whole,
        preparation,
        commits: commits - commits_before,
        committing: committing.saturating_sub(committing_before),
    };
    (appended.unwrap(), took)
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
