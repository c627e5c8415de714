//! The project's own commands.
//!
//! ```text
//! cargo xtask tidy            check the rules that the compiler does not know
//! cargo xtask golden          accept the present output as the golden files
//! cargo xtask instructions    count the instructions of one priced call (needs valgrind)
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks")]

mod instructions;
mod tidy;

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => match tidy::check() {
            Ok(broken) if broken.is_empty() => {
                println!("tidy");
                ExitCode::SUCCESS
            }
            Ok(broken) => {
                for rule in broken {
                    eprintln!("{rule}");
                }
                ExitCode::FAILURE
            }
            Err(error) => fail(&error),
        },
        ["golden"] => {
            // expect-test writes what it got when this variable is set.
            let status =
                Command::new(env!("CARGO")).args(["test", "--workspace"]).env("UPDATE_EXPECT", "1").status();
            match status {
                Ok(status) if status.success() => ExitCode::SUCCESS,
                Ok(_) => ExitCode::FAILURE,
                Err(error) => fail(&error.into()),
            }
        }
        ["instructions"] => match instructions::per_call() {
            Ok(count) => {
                println!("{count} instructions a priced text call");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        _ => {
            eprintln!("usage: cargo xtask tidy | golden | instructions");
            ExitCode::from(2)
        }
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
