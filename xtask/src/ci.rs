//! `cargo xtask ci`: everything that a change must pass.
//!
//! `.ci/run` checks that there is a toolchain and runs this command. It can also be run by hand. The first
//! build of the peers is the slow part.

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context as _, ensure};

use crate::{generate, root, tidy};

/// One step: a program, its arguments, and the variables that it needs beside the common ones.
struct Step {
    program: &'static str,
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

const fn cargo(arguments: &'static [&'static str]) -> Step {
    Step { program: env!("CARGO"), arguments, variables: &[] }
}

/// The steps in their order. The cheap ones come first, so that a mistake is found early.
const STEPS: &[Step] = &[
    cargo(&["fmt", "--all", "--check"]),
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    // A build without default features leaves the demo and its stand-in provider out; it must compile.
    cargo(&["check", "--package", "spanledger-cli", "--no-default-features", "--locked"]),
    // The peers come before the tests, so that no test is skipped.
    Step { program: "tests/peers/install.sh", arguments: &[], variables: &[] },
    // All tests run with the peers and with a fixed seed, so that every run of CI has the same random cases.
    // Runs by hand use new cases.
    Step {
        program: env!("CARGO"),
        arguments: &["test", "--workspace", "--locked"],
        variables: &[("SPANLEDGER_REQUIRE_PEERS", "1"), ("PROPTEST_RNG_SEED", "20261121")],
    },
    // The features of the crate that services add: each alone, and all of them with the tests.
    cargo(&["check", "--package", "spanledger", "--features", "axum", "--locked"]),
    cargo(&["check", "--package", "spanledger", "--features", "grpc", "--locked"]),
    cargo(&["check", "--package", "spanledger", "--features", "spool", "--locked"]),
    cargo(&["check", "--package", "spanledger", "--features", "tls", "--locked"]),
    cargo(&["check", "--package", "spanledger", "--features", "tokenizer", "--locked"]),
    Step {
        program: env!("CARGO"),
        arguments: &["test", "--package", "spanledger", "--all-features", "--locked"],
        variables: &[("SPANLEDGER_REQUIRE_PEERS", "1"), ("PROPTEST_RNG_SEED", "20261121")],
    },
    // The instructions that the layer adds to a call, with their maxima. It needs valgrind.
    cargo(&["xtask", "instructions"]),
    // The fuzz targets are run by hand; here they only have to build.
    Step {
        program: env!("CARGO"),
        arguments: &["check", "--manifest-path", "fuzz/Cargo.toml", "--locked"],
        variables: &[("CARGO_TARGET_DIR", "target/fuzz")],
    },
    cargo(&["doc", "--workspace", "--no-deps", "--locked"]),
];

/// Runs all steps and stops at the first that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    println!("==> xtask tidy, gen --check");
    tidy::run()?;
    generate::check()?;
    for step in STEPS {
        execute(step.program, step.arguments, step.variables)?;
    }
    // The demo is the first command of the README. Its ledger is written to a temporary folder.
    let folder = std::env::temp_dir().join(format!("spanledger-ci-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let ledger = folder.join("demo.db");
    let demo = execute(
        env!("CARGO"),
        &["run", "--quiet", "--locked", "--", "demo", "--ledger", &ledger.to_string_lossy()],
        &[],
    );
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    demo
}

fn execute(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    println!("\n==> {name} {}", arguments.join(" "));
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .current_dir(root())
        // Only CI treats warnings as errors.
        .env("RUSTFLAGS", "-D warnings")
        .env("RUSTDOCFLAGS", "-D warnings")
        .envs(variables.iter().copied())
        .status()
        .with_context(|| format!("cannot start {name}"))?;
    println!("==> {name} took {} s", started.elapsed().as_secs());
    ensure!(status.success(), "`{name} {}` failed ({status})", arguments.join(" "));
    Ok(())
}
