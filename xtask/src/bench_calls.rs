//! `cargo xtask bench-calls`: runs the benchmark of calls with the official instrumentations of Python beside it, in
//! one run.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, bail};

use crate::{benchmark, root};

/// The environments of `tests/peers/install.sh`: the instrumentation as `bench_calls.py` names it, the folder and the
/// peer.
const PYTHONS: [(&str, &str, &str); 2] =
    [("genai", "venv", "python"), ("openai_v2", "venv-openai-v2", "openai-v2")];

/// Runs the benchmark. The options are its own.
pub(crate) fn run(options: &[&str]) -> anyhow::Result<()> {
    let peers = std::env::var_os("SPANLEDGER_PEERS_DIR").map_or_else(|| root().join(".peers"), PathBuf::from);
    println!("building the benchmark …");
    let program = benchmark::build(&root(), "spanledger", "call")?;
    let mut command = Command::new(program);
    command.args(options);
    for (name, folder, peer) in PYTHONS {
        let python = peers.join(folder).join("bin/python");
        if python.exists() {
            command.arg("--python").arg(format!("{name}={}", python.display()));
        } else {
            println!(
                "ABSENT: Python's {name} is not measured, because {} does not exist; run tests/peers/install.sh {peer}",
                python.display()
            );
        }
    }
    let status = command.status().context("cannot start the benchmark")?;
    if !status.success() {
        bail!("the benchmark failed: {status}");
    }
    Ok(())
}
