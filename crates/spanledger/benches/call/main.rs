//! Measures what the layer adds to a call, to a chunk of a stream, and to 1,000 streams at once. Clients with and
//! without the layer take turns, each in a process of its own; the bare client has none of Spanledger's code.
//!
//! ```text
//! cargo bench -p spanledger --bench call -- [options]
//!
//!   --scenarios S[,S…]     call, chunk, http-call, http-chunk, streams, http-streams, paced-streams [all]
//!   --rounds N             rounds after each start of the processes; a quarter for many streams at once [16]
//!   --starts N             how often the processes are started [5]
//!   --python NAME=PROGRAM  also measures an instrumentation of Python, as tests/peers/bench_calls.py names it
//! ```
//!
//! `cargo xtask bench-calls` finds the environments of Python and measures everything in one run.
//!
//! Records and spans go to the real receiver, which has a process of its own. They are exported after each round, so
//! that the exporter does not compete with the calls for the processors; its CPU time is in a column of its own.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its results")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod client;
mod cpu;
mod memory;
mod order;
mod process;
mod run;
mod scenario;
mod server;
mod subject;
mod table;

use std::process::ExitCode;

use crate::{
    run::{Python, Repetitions},
    scenario::Scenario,
    subject::Kind,
};

struct Options {
    scenarios: Vec<Scenario>,
    repetitions: Repetitions,
    pythons: Vec<Python>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        // The processes that a run starts.
        ["--servers"] => server::run(),
        ["--subject", kind, http, grpc] => {
            let kind = Kind::ALL.into_iter().find(|known| known.name() == *kind).unwrap();
            subject::run(kind, http, grpc);
        }
        words => match Options::parse(words) {
            Ok(options) => compare(&options),
            Err(problem) => {
                eprintln!("error: {problem}; the options are explained at the top of benches/call/main.rs");
                return ExitCode::from(2);
            }
        },
    }
    ExitCode::SUCCESS
}

fn compare(options: &Options) {
    println!(
        "The first line of each table is the time of a client. The other lines are what is added to it: the"
    );
    println!(
        "median of all rounds, and the quartiles. \"Again\" is the same client in another process: its line"
    );
    println!("shows how exact the others are.");
    if options.pythons.is_empty() {
        println!("ABSENT: the instrumentations of Python are measured only by `cargo xtask bench-calls`");
    }
    for &scenario in &options.scenarios {
        let (order, series) = run::run(scenario, &options.pythons, options.repetitions);
        table::print(scenario, &order, &series);
    }
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut this = Self {
            scenarios: Scenario::ALL.to_vec(),
            repetitions: Repetitions { starts: 5, rounds: 16 },
            pythons: Vec::new(),
        };
        // Cargo passes `--bench` to every benchmark.
        let mut words = words.iter().copied().filter(|word| *word != "--bench");
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value or is no option"))?;
            match word {
                "--scenarios" => {
                    this.scenarios = value.split(',').map(scenario).collect::<Result<_, _>>()?;
                }
                "--rounds" => this.repetitions.rounds = number(value)?,
                "--starts" => this.repetitions.starts = number(value)?,
                "--python" => {
                    let (name, program) =
                        value.split_once('=').ok_or_else(|| format!("`{value}` is not NAME=PROGRAM"))?;
                    this.pythons.push(Python { instrumentation: name.to_owned(), program: program.into() });
                }
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        Ok(this)
    }
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is not a number above zero"))
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let known = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
    known.ok_or_else(|| format!("`{name}` is no scenario"))
}
