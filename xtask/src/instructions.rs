//! `cargo xtask instructions`: counts the instructions of one priced call. Unlike a time, the count does not
//! depend on the load of the machine.

use std::process::Command;

use anyhow::{Context as _, bail};

/// The numbers of calls that the two runs price. Nothing else differs between the runs.
const RUNS: [u64; 2] = [1_000, 11_000];

/// Builds the benchmark, runs it under Valgrind's callgrind, and returns instructions per call.
pub(crate) fn per_call() -> anyhow::Result<u64> {
    let build = Command::new(env!("CARGO"))
        .args(["bench", "--no-run", "--package", "spanledger-price", "--bench", "instructions"])
        .args(["--message-format", "json"])
        .output()
        .context("cannot start cargo")?;
    if !build.status.success() {
        bail!("the benchmark does not build:\n{}", String::from_utf8_lossy(&build.stderr));
    }
    let executable = cargo_metadata::Message::parse_stream(build.stdout.as_slice())
        .filter_map(|message| match message {
            Ok(cargo_metadata::Message::CompilerArtifact(artifact)) => artifact.executable,
            _ => None,
        })
        .last()
        .context("cargo names no executable of the benchmark")?;
    let [few, many] = RUNS.map(|calls| count(executable.as_str(), calls));
    Ok((many? - few?) / (RUNS[1] - RUNS[0]))
}

fn count(executable: &str, calls: u64) -> anyhow::Result<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", executable])
        .env("CALLS", calls.to_string())
        .output()
        .context("cannot start valgrind: install the package of that name")?;
    let output = String::from_utf8_lossy(&run.stderr);
    if !run.status.success() {
        bail!("valgrind failed:\n{output}");
    }
    // Callgrind prints the count in a line such as `==123== Collected : 456`.
    let counted = output.lines().find_map(|line| line.split_once("Collected :"));
    let (_, number) = counted.with_context(|| format!("the output of valgrind has no count:\n{output}"))?;
    number.trim().parse().with_context(|| format!("`{number}` is not a number of instructions"))
}
