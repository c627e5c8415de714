//! `cargo xtask ci`: everything that a change must pass.
//!
//! `.ci/run` checks that there is a toolchain and runs this command. It can also be run by hand. The first
//! build of the peers is the slow part.

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context as _, ensure};
use cargo_metadata::{MetadataCommand, Package};

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
    // All features of the crate that services add. Every other set of them is only checked, see `feature_sets`.
    Step {
        program: env!("CARGO"),
        arguments: &["test", "--package", "spanledger", "--all-features", "--locked"],
        variables: &[("SPANLEDGER_REQUIRE_PEERS", "1"), ("PROPTEST_RNG_SEED", "20261121")],
    },
    // The sinks that are built only with a feature.
    cargo(&[
        "clippy",
        "--package",
        "spanledger-sinks",
        "--all-features",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]),
    Step {
        program: env!("CARGO"),
        arguments: &["test", "--package", "spanledger-sinks", "--all-features", "--locked"],
        variables: &[("SPANLEDGER_REQUIRE_PEERS", "1"), ("PROPTEST_RNG_SEED", "20261121")],
    },
    // The program with every sink.
    cargo(&["check", "--package", "spanledger-cli", "--all-features", "--locked"]),
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
    let service_crate = service_crate()?;
    for features in feature_sets(&service_crate) {
        execute(
            env!("CARGO"),
            &["check", "--quiet", "--package", SERVICE_CRATE, "--features", &features, "--locked"],
            &[],
        )?;
    }
    lowest_rust(&service_crate)?;
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

/// The crate that services add.
const SERVICE_CRATE: &str = "spanledger";

fn service_crate() -> anyhow::Result<Package> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec()?;
    let package = metadata.packages.into_iter().find(|package| package.name.as_str() == SERVICE_CRATE);
    package.with_context(|| format!("the workspace has no package `{SERVICE_CRATE}`"))
}

/// Every set of features, as an argument, but for the set of all.
fn feature_sets(package: &Package) -> Vec<String> {
    let features: Vec<&str> = package.features.keys().map(String::as_str).collect();
    let set = |bits: usize| {
        let has = |(n, feature): (usize, &&str)| (bits >> n & 1 == 1).then(|| (*feature).to_owned());
        features.iter().enumerate().filter_map(has).collect::<Vec<_>>().join(",")
    };
    (0..(1 << features.len()) - 1).map(set).collect()
}

/// Checks with the lowest Rust version that the crate states, which is what its dependencies need.
fn lowest_rust(package: &Package) -> anyhow::Result<()> {
    let version = package.rust_version.as_ref().context("the crate states no Rust version")?.to_string();
    if Command::new("rustup").arg("--version").output().is_err() {
        println!("\n==> SKIPPED: the check with Rust {version} needs rustup");
        return Ok(());
    }
    let install = ["toolchain", "install", &version, "--profile", "minimal", "--no-self-update"];
    if let Err(error) = execute("rustup", &install, &[]) {
        // A machine may reach the registries of packages and no server of toolchains. Clippy still compares the
        // version with what the code uses of the standard library.
        println!("\n==> SKIPPED: the check with Rust {version}, because {error}");
        return Ok(());
    }
    execute(
        "rustup",
        &["run", &version, "cargo", "check", "--package", SERVICE_CRATE, "--all-features", "--locked"],
        // An older compiler may warn of what a newer one accepts.
        &[("CARGO_TARGET_DIR", "target/lowest-rust"), ("RUSTFLAGS", "")],
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_features_is_checked_once() {
        let package = service_crate().unwrap();
        let sets = feature_sets(&package);
        let all = package.features.keys().cloned().collect::<Vec<_>>().join(",");
        let unique: std::collections::BTreeSet<_> = sets.iter().collect();
        assert_eq!(sets.len() + 1, 1 << package.features.len());
        assert!(unique.len() == sets.len() && unique.contains(&String::new()) && !unique.contains(&all));
    }
}
