//! `cargo xtask instructions`: counts the instructions of a priced call, and of what the crate `spanledger` adds to
//! a call and to a chunk of a stream. Unlike a time, a count does not depend on the load of the machine.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::{benchmark, root};

/// The numbers of repetitions of two runs. Nothing else differs between them, so that their difference is without
/// the start of the program.
const RUNS: [u64; 2] = [100, 1_100];

/// How far a count may be above its maximum, in percent. Compilers and libraries change a little.
const TOLERANCE_PERCENT: u64 = 10;

/// What is counted.
struct Measure {
    name: &'static str,
    package: &'static str,
    /// The variable with the number of repetitions.
    repetitions: &'static str,
    /// The other variables of the run.
    with: &'static [(&'static str, &'static str)],
    /// The variables of a run whose count is subtracted.
    without: Option<&'static [(&'static str, &'static str)]>,
    /// The greatest count on the thread that makes the calls.
    max: u64,
}

const MEASURES: [Measure; 3] = [
    Measure {
        name: "one priced text call",
        package: "spanledger-price",
        repetitions: "CALLS",
        with: &[],
        without: None,
        max: 4_000,
    },
    Measure {
        name: "the layer, for each call of 1 kB",
        package: "spanledger",
        repetitions: "CALLS",
        with: &[("LAYER", "1")],
        without: Some(&[]),
        max: 45_000,
    },
    Measure {
        name: "the layer, for each chunk of a stream",
        package: "spanledger",
        repetitions: "CHUNKS",
        with: &[("LAYER", "1"), ("CALLS", "10")],
        without: Some(&[("CALLS", "10")]),
        max: 1_500,
    },
];

/// Counts and prints every measure. Fails if a count is above its maximum.
pub(crate) fn check() -> anyhow::Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("SKIPPED: the instructions were not counted, because valgrind is not installed");
        return Ok(());
    }
    let mut too_many = Vec::new();
    for measure in &MEASURES {
        let executable = benchmark::build(&root(), measure.package, "instructions")?;
        let added = |all: Count, base: Count| Count {
            caller: all.caller.saturating_sub(base.caller),
            others: all.others.saturating_sub(base.others),
        };
        let mut count = difference(&executable, measure, measure.with)?;
        if let Some(without) = measure.without {
            count = added(count, difference(&executable, measure, without)?);
        }
        println!(
            "{}: {} instructions on the caller's thread (at most {}), {} on other threads",
            measure.name, count.caller, measure.max, count.others
        );
        if count.caller * 100 > measure.max * (100 + TOLERANCE_PERCENT) {
            too_many.push(measure.name);
        }
    }
    if !too_many.is_empty() {
        bail!("too many instructions: {}", too_many.join(", "));
    }
    Ok(())
}

/// Instructions of a run, or of one repetition.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Those of the thread that makes the calls.
    caller: u64,
    /// Those of all other threads.
    others: u64,
}

/// The instructions of one repetition.
fn difference(executable: &Path, measure: &Measure, with: &[(&str, &str)]) -> anyhow::Result<Count> {
    let [few, many] = RUNS.map(|repetitions| count(executable, measure.repetitions, repetitions, with));
    let (few, many) = (few?, many?);
    let inner = match with.iter().find(|(name, _)| *name == "CALLS") {
        Some((_, calls)) => calls.parse().context("the number of calls")?,
        None => 1,
    };
    let each = |many: u64, few: u64| many.saturating_sub(few) / ((RUNS[1] - RUNS[0]) * inner);
    Ok(Count { caller: each(many.caller, few.caller), others: each(many.others, few.others) })
}

fn count(executable: &Path, name: &str, repetitions: u64, with: &[(&str, &str)]) -> anyhow::Result<Count> {
    let folder = std::env::temp_dir().join(format!("spanledger-instructions-{}", std::process::id()));
    fs::create_dir_all(&folder).context("cannot make a folder for the counts")?;
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", folder.join("count").display()))
        .arg(executable)
        .envs(with.iter().copied())
        .env(name, repetitions.to_string())
        .output()
        .context("cannot start valgrind: install the package of that name")?;
    if !run.status.success() {
        bail!("valgrind failed:\n{}", String::from_utf8_lossy(&run.stderr));
    }
    let mut count = Count::default();
    for entry in fs::read_dir(&folder).context("cannot read the counts")? {
        let path = entry.context("cannot read the counts")?.path();
        let text = fs::read_to_string(&path).context("cannot read a count")?;
        // A file of each thread has its sum in a line such as `totals: 456`; the first thread's name ends in `-01`.
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let Some(total) = total.and_then(|number| number.trim().parse::<u64>().ok()) else { continue };
        if path.to_string_lossy().ends_with("-01") {
            count.caller += total;
        } else {
            count.others += total;
        }
    }
    fs::remove_dir_all(&folder).context("cannot remove the counts")?;
    if count.caller == 0 {
        bail!("the output of valgrind has no count:\n{}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(count)
}
