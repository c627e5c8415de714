//! One measurement: appenders bring the calls of a scenario into a ledger of their own.

use std::{
    mem,
    path::Path,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use spanledger_event::Observation;
use spanledger_ledger::{Ledger, LedgerReader};
use tokio::runtime::Builder;

use crate::{
    input::{Input, Kind},
    process::{self, Counters},
};

/// In the scenario [`Apart`](Scenario::Apart), the requests of records between a record and its span.
const REQUESTS_APART: u64 = 10;
/// So many observations are made before they are appended.
const MADE_AHEAD: u64 = 400_000;

/// Which observations a call has, and in which requests they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Spans that nothing else reports.
    Lone,
    /// Record and span of each call, in the same request.
    Together,
    /// Requests of records and requests of spans. A span comes ten requests after its record.
    Apart,
    /// Lone spans that were all appended before.
    Replay,
}

impl Scenario {
    pub(crate) const ALL: [Self; 4] = [Self::Lone, Self::Together, Self::Apart, Self::Replay];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lone => "lone",
            Self::Together => "together",
            Self::Apart => "apart",
            Self::Replay => "replay",
        }
    }

    /// The sightings of one call.
    const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Lone | Self::Replay => &[Kind::Lone],
            Self::Together | Self::Apart => &[Kind::Record, Kind::Span],
        }
    }

    /// The requests that bring the calls `from..to` in.
    fn requests(self, size: u64, from: u64, to: u64) -> Vec<Request> {
        let kinds = self.kinds();
        let calls_per_request = match self {
            Self::Together => (size / 2).max(1),
            _ => size,
        };
        let blocks = (to - from).div_ceil(calls_per_request);
        let request = |block: u64, kinds| {
            let first = from + block * calls_per_request;
            Request { kinds, first, end: to.min(first + calls_per_request) }
        };
        match self {
            Self::Apart => (0..blocks + REQUESTS_APART)
                .flat_map(|block| {
                    let records = (block < blocks).then(|| request(block, &kinds[..1]));
                    let spans = block.checked_sub(REQUESTS_APART).map(|block| request(block, &kinds[1..]));
                    records.into_iter().chain(spans)
                })
                .collect(),
            _ => (0..blocks).map(|block| request(block, kinds)).collect(),
        }
    }
}

/// One append: these sightings of the calls `first..end`.
#[derive(Debug)]
struct Request {
    kinds: &'static [Kind],
    first: u64,
    end: u64,
}

impl Request {
    const fn observations(&self) -> u64 {
        (self.end - self.first) * self.kinds.len() as u64
    }
}

/// What one measurement found. CPU times and bytes are per call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) calls: u64,
    pub(crate) observations: u64,
    pub(crate) elapsed: Duration,
    /// The time from each request to its answer, in ascending order.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) writer_cpu: Duration,
    /// CPU time of the ledger: its threads, and `append` in the threads that call it.
    pub(crate) ledger_cpu: Duration,
    pub(crate) bytes_written: u64,
    pub(crate) bytes_to_disk: u64,
    /// All files of the closed ledger, by all calls in it.
    pub(crate) bytes_at_rest: u64,
    pub(crate) calls_at_rest: u64,
    pub(crate) close: Duration,
    pub(crate) open: Duration,
}

/// Measures a scenario on a new ledger that grows to each of the marks, which are numbers of calls in
/// ascending order. The ledger is closed and opened again at each mark. Returns one result for each mark:
/// it covers the calls since the mark before.
pub(crate) fn measure(
    input: &Input,
    scenario: Scenario,
    size: u64,
    marks: &[u64],
    appenders: usize,
    folder: &Path,
) -> Vec<Measured> {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("bench.db");
    let mut results = Vec::new();
    let mut from = 0;
    for &mark in marks {
        let requests = scenario.requests(size, from, mark);
        if scenario == Scenario::Replay {
            let ledger = Ledger::open(&path).unwrap();
            run(input, &requests, &ledger, appenders, Expected::New);
        }
        let expected = if scenario == Scenario::Replay { Expected::Duplicates } else { Expected::New };
        let before_opening = Instant::now();
        let ledger = Ledger::open(&path).unwrap();
        let open = before_opening.elapsed();
        let before = Counters::now();
        let run = run(input, &requests, &ledger, appenders, expected);
        let before_closing = Instant::now();
        drop(ledger);
        let close = before_closing.elapsed();
        let closed = Counters::now();
        check(&path, mark, mark * scenario.kinds().len() as u64);
        results.push(Measured {
            calls: mark - from,
            observations: run.observations,
            elapsed: run.elapsed,
            latencies: run.latencies,
            writer_cpu: run.writer_cpu,
            ledger_cpu: run.ledger_cpu,
            bytes_written: closed.bytes_written - before.bytes_written,
            bytes_to_disk: closed.bytes_to_disk - before.bytes_to_disk,
            bytes_at_rest: process::bytes_of_files(folder.path()),
            calls_at_rest: mark,
            close,
            open,
        });
        from = mark;
    }
    results
}

/// What the ledger has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    New,
    Duplicates,
}

#[derive(Default)]
struct Run {
    elapsed: Duration,
    writer_cpu: Duration,
    ledger_cpu: Duration,
    latencies: Vec<Duration>,
    observations: u64,
}

/// Appends all requests. Each appender waits for the answer before it sends its next request.
///
/// The clock stands still while the observations of the next requests are made, because in a receiver that is
/// the work of others. So many are made in advance as fit into memory; most measurements need one turn.
fn run(input: &Input, requests: &[Request], ledger: &Ledger, appenders: usize, expected: Expected) -> Run {
    let mut run = Run::default();
    let mut rest = requests;
    while !rest.is_empty() {
        let mut size = 0;
        let fits = |request: &&Request| {
            size += request.observations();
            size <= MADE_AHEAD
        };
        let (turn, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        run_made(&make(input, turn, appenders), ledger, appenders, expected, &mut run);
        rest = later;
    }
    run.latencies.sort_unstable();
    run
}

/// The observations of each request.
fn make(input: &Input, requests: &[Request], threads: usize) -> Vec<Mutex<Vec<Observation>>> {
    let made = |request: &Request| {
        let calls = request.first..request.end;
        let kinds = request.kinds;
        Mutex::new(
            calls.flat_map(|call| kinds.iter().map(move |kind| input.observation(*kind, call))).collect(),
        )
    };
    thread::scope(|scope| {
        let parts = requests.chunks(requests.len().div_ceil(threads).max(1));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(made).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn run_made(
    requests: &[Mutex<Vec<Observation>>],
    ledger: &Ledger,
    appenders: usize,
    expected: Expected,
    run: &mut Run,
) {
    let next = AtomicUsize::new(0);
    let start = Barrier::new(appenders + 1);
    let append_all = || {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (mut latencies, mut count) = (Vec::new(), 0);
        start.wait();
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let observations = mem::take(&mut *request.lock().unwrap());
            let sent = observations.len();
            let before = Instant::now();
            let appended = runtime.block_on(ledger.append(observations)).unwrap();
            latencies.push(before.elapsed());
            let answer = match expected {
                Expected::New => appended.new,
                Expected::Duplicates => appended.duplicates,
            };
            assert_eq!(answer, sent, "the ledger answered something else than expected: {appended:?}");
            count += sent as u64;
        }
        (latencies, count)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..appenders).map(|_| scope.spawn(append_all)).collect();
        let before = Counters::now();
        start.wait();
        let began = Instant::now();
        for thread in threads {
            let (of_thread, count) = thread.join().unwrap();
            run.latencies.extend(of_thread);
            run.observations += count;
        }
        run.elapsed += began.elapsed();
        let after = Counters::now();
        run.writer_cpu += after.writer_cpu.saturating_sub(before.writer_cpu);
        run.ledger_cpu += after.cpu.saturating_sub(before.cpu);
    });
}

/// Stops the program if the ledger does not hold every call once.
fn check(path: &Path, calls: u64, observations: u64) {
    let summary = LedgerReader::open(path).unwrap().summary().unwrap();
    let held = (u64::try_from(summary.events).unwrap(), u64::try_from(summary.observations).unwrap());
    assert_eq!(held, (calls, observations), "the ledger does not hold every call once: {summary:?}");
}
