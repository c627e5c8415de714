//! Runs the program to its end.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// A command for the program, without the environment variables of this process that would change its
/// behaviour.
pub(crate) fn spanledger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger-under-test"));
    for (name, _) in std::env::vars() {
        if name.starts_with("SPANLEDGER_") || name.starts_with("OTEL_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program with an empty standard input.
pub(crate) fn run(arguments: &[&str]) -> Output {
    spanledger().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs the program with this text on standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = spanledger()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // The input is written on another thread: the program stops reading when the pipe of its output is full,
    // and this thread reads the output. Writing fails if the program ends before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
