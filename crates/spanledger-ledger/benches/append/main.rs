//! Measures the ledger with realistic calls: priced, attributed, with response ids, usage objects and cost
//! lines, dated 2026, from appenders that wait for each answer.
//!
//! ```text
//! cargo bench -p spanledger-ledger --bench append -- [options]
//!
//!   --calls N[,N…]        calls in a ledger; with several numbers the ledger grows to each [100000]
//!   --singles N           at most as many calls in requests of less than 100 observations [5000]
//!   --requests N[,N…]     observations in one request; `together` has at least 2 [1,100,1000,4000]
//!   --scenarios S[,S…]    lone, together, apart, replay [all]
//!   --appenders N         threads that append [4]
//!   --seed N              another input [1]
//!   --dir FOLDER          where the ledgers are made [the folder of temporary files]
//!   --json                prints one JSON object per line
//! ```
//!
//! `cargo xtask bench-ledger --against COMMIT` compares an earlier commit with the present one.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its results")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod call;
mod input;
mod process;
mod run;
mod table;

use std::{path::PathBuf, process::ExitCode};

use crate::{input::Input, run::Scenario};

/// Requests with fewer observations than this are measured with `--singles` calls at most.
const SMALL_REQUEST: u64 = 100;

/// The allocator of the program `spanledger`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Options {
    calls: Vec<u64>,
    singles: u64,
    requests: Vec<u64>,
    scenarios: Vec<Scenario>,
    appenders: usize,
    seed: u64,
    dir: PathBuf,
    json: bool,
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}; the options are explained at the top of benches/append/main.rs");
            return ExitCode::from(2);
        }
    };
    let input = Input::new(options.seed);
    if !options.json {
        println!(
            "{} threads append to a ledger in {} ({})",
            options.appenders,
            options.dir.display(),
            process::file_system(&options.dir),
        );
        println!("{}", table::header());
    }
    for &scenario in &options.scenarios {
        for &size in &options.requests {
            let marks: Vec<u64> = if size < SMALL_REQUEST {
                vec![options.singles.min(options.calls[0])]
            } else {
                options.calls.clone()
            };
            for measured in run::measure(&input, scenario, size, &marks, options.appenders, &options.dir) {
                if options.json {
                    println!("{}", table::json(scenario, size, &measured));
                } else {
                    println!("{}", table::row(scenario, size, &measured));
                }
            }
        }
    }
    if !options.json {
        println!();
        for column in &table::COLUMNS {
            println!("{:>9}  {}", column.title, column.meaning);
        }
    }
    ExitCode::SUCCESS
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut this = Self {
            calls: vec![100_000],
            singles: 5_000,
            requests: vec![1, 100, 1_000, 4_000],
            scenarios: Scenario::ALL.to_vec(),
            appenders: 4,
            seed: 1,
            dir: std::env::temp_dir(),
            json: false,
        };
        while let Some(word) = words.next() {
            // Cargo passes `--bench` to every benchmark.
            match word.as_str() {
                "--bench" => continue,
                "--json" => {
                    this.json = true;
                    continue;
                }
                _ => {}
            }
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value or is no option"))?;
            match word.as_str() {
                "--calls" => this.calls = numbers(&value)?,
                "--singles" => this.singles = number(&value)?,
                "--requests" => this.requests = numbers(&value)?,
                "--scenarios" => {
                    this.scenarios = value.split(',').map(scenario).collect::<Result<_, _>>()?;
                }
                "--appenders" => this.appenders = usize::try_from(number(&value)?).unwrap(),
                "--seed" => this.seed = number(&value)?,
                "--dir" => this.dir = PathBuf::from(value),
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        if !this.calls.is_sorted_by(|a, b| a < b) {
            return Err("the numbers of --calls must ascend".to_owned());
        }
        Ok(this)
    }
}

fn number(text: &str) -> Result<u64, String> {
    let number = text.replace('_', "").parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is not a number above zero"))
}

fn numbers(text: &str) -> Result<Vec<u64>, String> {
    text.split(',').map(number).collect()
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let known = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
    known.ok_or_else(|| format!("`{name}` is no scenario"))
}
