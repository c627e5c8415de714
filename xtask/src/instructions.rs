//! `cargo xtask instructions`: counts the instructions of one priced call. Unlike a time, the count does not
//! depend on the load of the machine.

use std::{path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::{benchmark, root};

/// The numbers of calls that the two runs price. Nothing else differs between the runs.
const RUNS: [u64; 2] = [1_000, 11_000];

/// Builds the benchmark, runs it under Valgrind's callgrind, and returns instructions per call.
pub(crate) fn per_call() -> anyhow::Result<u64> {
    let executable = benchmark::build(&root(), "spanledger-price", "instructions")?;
    let [few, many] = RUNS.map(|calls| count(&executable, calls));
    Ok((many? - few?) / (RUNS[1] - RUNS[0]))
}

fn count(executable: &Path, calls: u64) -> anyhow::Result<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(executable)
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
