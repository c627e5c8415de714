//! One measurement: appenders bring the calls of a scenario into a ledger of their own.

use std::{
    path::Path,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use spanledger_ledger::{Ledger, LedgerReader};
use tokio::runtime::Builder;

use crate::{
    input::{Input, Kind},
    process::{self, Counters},
};

/// In the scenario [`Apart`](Scenario::Apart), the requests of records between a record and its span.
const REQUESTS_APART: u64 = 10;
/// How many observations are made to measure what making one costs.
const MADE: u64 = 20_000;

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
    pub(crate) input_cpu: Duration,
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
    let cost_of_input = cost_of_input(input, scenario);
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
        let Run { elapsed, latencies, observations } = run(input, &requests, &ledger, appenders, expected);
        let after = Counters::now();
        let before_closing = Instant::now();
        drop(ledger);
        let close = before_closing.elapsed();
        let closed = Counters::now();
        check(&path, mark, mark * scenario.kinds().len() as u64);
        let input_cpu = cost_of_input * u32::try_from(observations).unwrap();
        results.push(Measured {
            calls: mark - from,
            observations,
            elapsed,
            latencies,
            writer_cpu: after.writer_cpu.saturating_sub(before.writer_cpu),
            ledger_cpu: after.cpu.saturating_sub(before.cpu + input_cpu),
            input_cpu,
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

struct Run {
    elapsed: Duration,
    latencies: Vec<Duration>,
    observations: u64,
}

/// Appends all requests. Each appender waits for the answer before it makes its next request.
fn run(input: &Input, requests: &[Request], ledger: &Ledger, appenders: usize, expected: Expected) -> Run {
    let next = AtomicUsize::new(0);
    let start = Barrier::new(appenders + 1);
    let append_all = || {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (mut latencies, mut count) = (Vec::new(), 0);
        start.wait();
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let calls = request.first..request.end;
            let observations: Vec<_> = calls
                .flat_map(|call| request.kinds.iter().map(move |kind| input.observation(*kind, call)))
                .collect();
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
        start.wait();
        let began = Instant::now();
        let (mut latencies, mut observations) = (Vec::new(), 0);
        for thread in threads {
            let (of_thread, count) = thread.join().unwrap();
            latencies.extend(of_thread);
            observations += count;
        }
        let elapsed = began.elapsed();
        latencies.sort_unstable();
        Run { elapsed, latencies, observations }
    })
}

/// The CPU time that making one observation takes.
fn cost_of_input(input: &Input, scenario: Scenario) -> Duration {
    let before = process::own_cpu();
    for number in 0..MADE {
        for kind in scenario.kinds() {
            std::hint::black_box(input.observation(*kind, number));
        }
    }
    process::own_cpu().saturating_sub(before) / u32::try_from(MADE * scenario.kinds().len() as u64).unwrap()
}

/// Stops the program if the ledger does not hold every call once.
fn check(path: &Path, calls: u64, observations: u64) {
    let summary = LedgerReader::open(path).unwrap().summary().unwrap();
    let held = (u64::try_from(summary.events).unwrap(), u64::try_from(summary.observations).unwrap());
    assert_eq!(held, (calls, observations), "the ledger does not hold every call once: {summary:?}");
}
