//! The intake of a ledger, with followers beside it.

use std::{
    mem,
    path::Path,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use spanledger_event::Observation;
use spanledger_ledger::Ledger;
use tokio::runtime::Builder;

use crate::{
    Options,
    follower::{self, Followed},
    input::{Input, Kind},
};

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    /// The time until all calls were acknowledged.
    pub(crate) elapsed: Duration,
    /// The time after it until the last follower had all events.
    pub(crate) behind: Duration,
    /// Events that the followers were given with the batch, all followers together.
    pub(crate) from_memory: usize,
    /// Events that they read from the file.
    pub(crate) from_file: usize,
}

/// Appends record and span of each call to a new ledger, while followers read it.
pub(crate) fn run(input: &Input, options: &Options, path: &Path, followers: usize) -> Run {
    let requests = make(input, options);
    let ledger = Ledger::open(path).unwrap();
    let names: Vec<String> = (0..followers).map(|number| format!("sink-{number}")).collect();
    let (next, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let start = Barrier::new(options.appenders + followers + 1);
    let append_all = || {
        let runtime = Builder::new_current_thread().build().unwrap();
        start.wait();
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let observations = mem::take(&mut *request.lock().unwrap());
            let sent = observations.len();
            assert_eq!(runtime.block_on(ledger.append(observations)).unwrap().new, sent);
        }
    };
    let mut run = Run::default();
    let followed: Vec<Followed> = thread::scope(|scope| {
        let appenders: Vec<_> = (0..options.appenders).map(|_| scope.spawn(append_all)).collect();
        let followers: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(|| follower::follow(&ledger, name, options.batch, &start, &is_done)))
            .collect();
        start.wait();
        let began = Instant::now();
        for thread in appenders {
            thread.join().unwrap();
        }
        run.elapsed = began.elapsed();
        is_done.store(true, Ordering::Release);
        let followed = followers.into_iter().map(|thread| thread.join().unwrap()).collect();
        run.behind = began.elapsed().saturating_sub(run.elapsed);
        followed
    });
    for one in followed {
        assert_eq!((one.from_memory + one.from_file) as u64, options.calls, "a follower lacks events");
        run.from_memory += one.from_memory;
        run.from_file += one.from_file;
    }
    run
}

/// The observations of each request.
fn make(input: &Input, options: &Options) -> Vec<Mutex<Vec<Observation>>> {
    let calls_per_request = (options.request / 2).max(1);
    let firsts: Vec<u64> = (0..options.calls).step_by(usize::try_from(calls_per_request).unwrap()).collect();
    let made = |first: &u64| {
        let calls = *first..options.calls.min(first + calls_per_request);
        let kinds = [Kind::Record, Kind::Span];
        Mutex::new(calls.flat_map(|call| kinds.map(|kind| input.observation(kind, call))).collect())
    };
    thread::scope(|scope| {
        let parts = firsts.chunks(firsts.len().div_ceil(2).max(1));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(made).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}
