//! Measures how fast followers receive the changes of a ledger, from its file and from memory, and how much
//! they slow its intake down. The calls are those of the benchmark `append`: record and span of each.
//!
//! ```text
//! cargo bench -p spanledger-ledger --bench follow -- [options]
//!
//!   --calls N        calls in a ledger [200000]
//!   --batch N        changes in a batch [1000]
//!   --request N      observations in a request [1000]
//!   --appenders N    threads that append [4]
//!   --followers N    followers beside them [4]
//!   --rounds N       how often the intake is measured with and without followers, in turns [3]
//!   --parts P[,P…]   file, text, intake [all]
//!   --dir FOLDER     where the ledgers are made [the folder of temporary files]
//! ```
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its results")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

#[path = "../append/call.rs"]
mod call;
mod follower;
#[path = "../append/input.rs"]
mod input;
mod intake;
#[path = "../append/process.rs"]
#[expect(dead_code, reason = "the other benchmark needs more of it")]
mod process;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::{Duration, Instant},
};

use spanledger_ledger::{BatchRange, LedgerReader};

use crate::{input::Input, process::Counters};

/// The allocator of the program `spanledger`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone, Debug)]
struct Options {
    calls: u64,
    batch: usize,
    request: u64,
    appenders: usize,
    followers: usize,
    rounds: usize,
    parts: Vec<String>,
    dir: PathBuf,
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}; the options are explained at the top of benches/follow/main.rs");
            return ExitCode::from(2);
        }
    };
    let input = Input::new(1);
    let has = |part: &str| options.parts.iter().any(|one| one == part);
    println!("ledgers in {} ({})", options.dir.display(), process::file_system(&options.dir));
    if has("file") || has("text") {
        let folder = tempfile::tempdir_in(&options.dir).unwrap();
        let path = folder.path().join("bench.db");
        intake::run(&input, &options, &path, 0);
        if has("file") {
            for readers in [1, 2] {
                from_file(&path, readers, options.batch);
            }
        }
        if has("text") {
            texts(&path);
        }
    }
    if has("intake") {
        compare_intake(&input, &options);
    }
    ExitCode::SUCCESS
}

/// Reads all changes of a ledger, range by range, with so many readers beside each other.
fn from_file(path: &Path, readers: usize, batch: usize) {
    let last = LedgerReader::open(path).unwrap().last_change().unwrap();
    // Record and span are two numbers of the sequence, and one change.
    let width = i64::try_from(batch * 2).unwrap();
    let next = AtomicI64::new(0);
    let before = Counters::now();
    let began = Instant::now();
    let read_all = || {
        let reader = LedgerReader::open(path).unwrap();
        let (ledger, mut events) = (reader.ledger_id().unwrap(), 0);
        loop {
            let cursor = next.fetch_add(width, Ordering::Relaxed);
            if cursor >= last {
                return events;
            }
            let range = BatchRange {
                ledger: ledger.clone(),
                follower: "bench".to_owned(),
                cursor,
                last: cursor + width,
            };
            events += reader.batch(&range).unwrap().changes.len();
        }
    };
    let events: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..readers).map(|_| scope.spawn(read_all)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let elapsed = began.elapsed();
    let cpu = Counters::now().cpu.saturating_sub(before.cpu);
    println!(
        "from the file, {readers} reader(s): {events} events, {:.0} events/s, {:.2} µs of CPU an event",
        per_second(events, elapsed),
        micros(cpu, events),
    );
}

/// The time of an event's JSON text.
fn texts(path: &Path) {
    let changes = LedgerReader::open(path).unwrap().changes_after(0, 20_000).unwrap();
    let mut bytes = 0;
    let began = Instant::now();
    for change in &changes {
        bytes += serde_json::to_string(&**change.event).unwrap().len();
    }
    let by_serde = began.elapsed();
    let began = Instant::now();
    let same: usize = changes.iter().map(|change| change.event.to_json().len()).sum();
    assert_eq!(same, bytes, "both have the same text");
    println!(
        "JSON text of {} bytes: {:.2} µs by serde, {:.2} µs by `to_json`",
        bytes / changes.len(),
        micros(by_serde, changes.len()),
        micros(began.elapsed(), changes.len()),
    );
}

/// Measures the intake without followers and with them, in turns, so that both see the same machine.
fn compare_intake(input: &Input, options: &Options) {
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        for (which, followers) in [0, options.followers].into_iter().enumerate() {
            let folder = tempfile::tempdir_in(&options.dir).unwrap();
            let path = folder.path().join("bench.db");
            let run = intake::run(input, options, &path, followers);
            let calls = usize::try_from(options.calls).unwrap();
            rates[which].push(per_second(calls, run.elapsed));
            print!("intake, {followers} follower(s): {:.0} calls/s", per_second(calls, run.elapsed));
            if followers > 0 {
                let given = run.from_memory + run.from_file;
                print!(
                    "; {:.0} % of {given} events from memory, the last follower has all after {:.0} ms more",
                    100.0 * run.from_memory as f64 / given as f64,
                    run.behind.as_secs_f64() * 1e3,
                );
            }
            println!();
        }
    }
    let [alone, followed] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!(
        "median: {alone:.0} calls/s alone, {followed:.0} with {} followers: {:.1} % slower",
        options.followers,
        100.0 * (1.0 - followed / alone),
    );
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut this = Self {
            calls: 200_000,
            batch: 1_000,
            request: 1_000,
            appenders: 4,
            followers: 4,
            rounds: 3,
            parts: ["file", "text", "intake"].map(str::to_owned).into(),
            dir: std::env::temp_dir(),
        };
        while let Some(word) = words.next() {
            // Cargo passes `--bench` to every benchmark.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value or is no option"))?;
            let number = || {
                let number = value.replace('_', "").parse().ok().filter(|number: &usize| *number > 0);
                number.ok_or_else(|| format!("`{value}` is not a number above zero"))
            };
            match word.as_str() {
                "--calls" => this.calls = number()? as u64,
                "--batch" => this.batch = number()?,
                "--request" => this.request = number()? as u64,
                "--appenders" => this.appenders = number()?,
                "--followers" => this.followers = number()?,
                "--rounds" => this.rounds = number()?,
                "--parts" => this.parts = value.split(',').map(str::to_owned).collect(),
                "--dir" => this.dir = PathBuf::from(value),
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        Ok(this)
    }
}
