//! `cargo xtask bench-ledger --against COMMIT`: runs the ledger's benchmark at an earlier commit and at the
//! present state, in turns, so that both see the same machine.
//!
//! Both sides run the present benchmark: its files replace those of the earlier commit. It uses only
//! `Ledger::open`, `append` and `LedgerReader::summary`, which both have.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::{benchmark, root};

const PACKAGE: &str = "spanledger-ledger";
const BENCH: &str = "append";
/// The folder of the benchmark in a workspace.
const BENCHES: &str = "crates/spanledger-ledger/benches";
/// The dependencies of the benchmark, as arguments of `cargo add`: an earlier commit may lack them.
const DEPENDENCIES: [&[&str]; 5] = [
    &["mimalloc", "--no-default-features"],
    &["opentelemetry-proto"],
    &["spanledger-otlp"],
    &["spanledger-price"],
    &["spanledger-testkit", "--features", "otlp"],
];
/// What is measured when the options do not say it. Both are options of the benchmark.
const SCENARIOS: &str = "lone,together,apart,replay";
const REQUESTS: &str = "1,100,1000,4000";
/// The measures that are compared, and whether a greater one is better.
const MEASURES: [(&str, bool); 6] = [
    ("calls/s", true),
    ("writer µs", false),
    ("ledger µs", false),
    ("p99 ms", false),
    ("rest B", false),
    ("written B", false),
];

/// Compares the commit with the present state. The options are those of the benchmark.
pub(crate) fn compare(commit: &str, options: &[&str]) -> anyhow::Result<()> {
    let (scenarios, requests, others) = split(options)?;
    let earlier = check_out(commit)?;
    println!("building {PACKAGE} at {commit} and at the present state …");
    let programs = [benchmark::build(&earlier, PACKAGE, BENCH)?, benchmark::build(&root(), PACKAGE, BENCH)?];
    println!("each cell: at {commit}, now, and how many times better now is");
    let titles = MEASURES.map(|(title, _)| format!("{title:>23}")).join(" ");
    println!("{:<8} {:>7} {titles}", "scenario", "request");
    for scenario in scenarios.split(',') {
        for size in requests.split(',') {
            let [before, after] = [&programs[0], &programs[1]].map(|program| {
                run(program, &[&["--scenarios", scenario, "--requests", size], others.as_slice()].concat())
            });
            for (before, after) in before?.iter().zip(&after?) {
                let cells = MEASURES.iter().map(|measure| cell(*measure, before, after));
                let cells = cells.collect::<anyhow::Result<Vec<_>>>()?.join(" ");
                println!("{scenario:<8} {size:>7} {cells}");
            }
        }
    }
    Ok(())
}

/// The scenarios, the sizes of requests and the other options.
fn split<'a>(options: &[&'a str]) -> anyhow::Result<(&'a str, &'a str, Vec<&'a str>)> {
    let (mut scenarios, mut requests, mut others) = (SCENARIOS, REQUESTS, vec!["--json"]);
    let (pairs, rest) = options.as_chunks::<2>();
    ensure!(rest.is_empty(), "`{}` needs a value", rest.join(" "));
    for &[name, value] in pairs {
        match name {
            "--scenarios" => scenarios = value,
            "--requests" => requests = value,
            _ => others.extend([name, value]),
        }
    }
    Ok((scenarios, requests, others))
}

/// Writes the files of a commit to a folder of the target folder, with the present benchmark.
fn check_out(commit: &str) -> anyhow::Result<PathBuf> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(root()).args(arguments);
        git
    };
    let id = succeed(&mut git(&["rev-parse", "--verify", &format!("{commit}^{{commit}}")]))?;
    let folders = root().join("target/bench-ledger");
    let folder = folders.join(id.trim());
    if !folder.exists() {
        let archive = folders.join("archive.tar");
        let unpacked = folders.join("unpacked");
        // A folder with the commit's name is always complete: an interrupted run leaves `unpacked`.
        if unpacked.exists() {
            fs::remove_dir_all(&unpacked)?;
        }
        fs::create_dir_all(&unpacked)?;
        succeed(git(&["archive", "--format=tar", id.trim(), "--output"]).arg(&archive))?;
        succeed(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&unpacked))?;
        for dependency in DEPENDENCIES {
            let mut add = Command::new(env!("CARGO"));
            add.current_dir(&unpacked)
                .args(["add", "--quiet", "--dev", "--package", PACKAGE])
                .args(dependency);
            succeed(&mut add)?;
        }
        fs::remove_file(archive)?;
        fs::rename(unpacked, &folder)?;
    }
    fs::remove_dir_all(folder.join(BENCHES))?;
    copy(&root().join(BENCHES), &folder.join(BENCHES))?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The rows that the benchmark prints.
fn run(program: &Path, options: &[&str]) -> anyhow::Result<Vec<Value>> {
    let output = succeed(Command::new(program).args(options))?;
    output.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}

fn cell((title, is_more_better): (&str, bool), before: &Value, after: &Value) -> anyhow::Result<String> {
    let number =
        |row: &Value| row[title].as_f64().with_context(|| format!("the benchmark prints no `{title}`"));
    let (before, after) = (number(before)?, number(after)?);
    let times = if is_more_better { after / before } else { before / after };
    // Nothing was needed before or now: there is no ratio.
    let times = if times.is_finite() { format!("{times:.1}×") } else { "–".to_owned() };
    let decimals = usize::from(before.min(after) < 100.0);
    let cell = format!("{before:.decimals$} {after:.decimals$} {times}");
    Ok(format!("{cell:>23}"))
}

/// Runs a command and returns its output.
fn succeed(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
