//! Rules of the architecture, written as absences (docs/ARCHITECTURE.md, "Invariants").

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::{links, published, root};

/// The layers: a crate depends on crates of lower layers only.
const LAYERS: [(&str, u8); 9] = [
    ("spanledger-event", 0),
    ("spanledger-price", 1),
    ("spanledger-pricelist", 2),
    ("spanledger-otlp", 2),
    ("spanledger", 3),
    ("spanledger-ledger", 3),
    ("spanledger-sinks", 3),
    ("spanledger-receiver", 5),
    ("spanledger-cli", 6),
];

/// Crates without I/O and without a clock: the same input always gives the same output.
const PURE: [&str; 4] = ["spanledger-event", "spanledger-price", "spanledger-pricelist", "spanledger-otlp"];
/// The dependencies that a pure crate must not have, and below them the words that its code must not contain.
const IMPURE_CRATES: [&str; 6] = ["tokio", "reqwest", "hyper", "rusqlite", "rand", "tracing"];
const IMPURE_WORDS: [&str; 7] =
    ["std::fs", "std::net", "std::env", "std::thread", "SystemTime", "Instant::now", "Timestamp::now"];
/// Crates whose code must not use floats.
const EXACT: [&str; 3] = ["spanledger-event", "spanledger-price", "spanledger-pricelist"];
/// Namespaces of vendors' attributes, each with the only file that may spell them, whether or not it
/// exists yet: a dialect can be read, changed and removed as one file.
const VENDORS: [(&str, &str); 7] = [
    ("ai.", "vercel_ai.rs"),
    ("langfuse.", "langfuse.rs"),
    ("litellm.", "litellm.rs"),
    ("logfire.", "logfire.rs"),
    ("openinference.", "openinference.rs"),
    ("pydantic_ai.", "pydantic_ai.rs"),
    ("traceloop.", "openllmetry.rs"),
];
/// The most lines of a source file, without its tests.
const LINES_MAX: usize = 450;

/// Fails if a rule is broken; the error lists all broken rules, one per line.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut broken = check()?;
    broken.extend(links::broken()?);
    broken.extend(published::broken()?);
    ensure!(broken.is_empty(), "the tree is not tidy:\n{}", broken.join("\n"));
    Ok(())
}

/// One message for each place that breaks a rule of this file.
fn check() -> anyhow::Result<Vec<String>> {
    let mut broken = layers()?;
    let keys = attribute_names()?;
    for file in sources()? {
        let text = fs::read_to_string(&file.path).with_context(|| file.path.display().to_string())?;
        // Tests are at the end of a file or in files of their own.
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        broken.extend(lines(&file, code, &keys));
    }
    Ok(broken)
}

fn layers() -> anyhow::Result<Vec<String>> {
    let layers: BTreeMap<&str, u8> = LAYERS.into();
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec()?;
    let mut broken = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(&layer) = layers.get(name) else { continue };
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let other = dependency.name.as_str();
            if layers.get(other).is_some_and(|&lower| lower >= layer) {
                broken.push(format!(
                    "{name} (layer {layer}) depends on {other}, which is not in a lower layer"
                ));
            }
            if PURE.contains(&name) && IMPURE_CRATES.contains(&other) {
                broken.push(format!("{name} does no I/O, but depends on {other}"));
            }
            if other == "clap" && name != "spanledger-cli" {
                broken.push(format!("{name} depends on clap: only spanledger-cli parses arguments"));
            }
        }
    }
    for (name, _) in LAYERS {
        if !metadata.packages.iter().any(|package| package.name.as_str() == name) {
            broken.push(format!(
                "the crate {name} does not exist: correct the table of layers in xtask/src/tidy.rs"
            ));
        }
    }
    Ok(broken)
}

/// The attribute names of `keys.rs`, in quotes, except `spanledger.call`: that is also the name of a
/// `tracing` span, and the macro of `tracing` accepts only a literal.
fn attribute_names() -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root().join("crates/spanledger-event/src/keys.rs"))?;
    let names = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2));
    Ok(names
        .filter(|name| name.contains('.') && *name != "spanledger.call")
        .map(|name| format!("\"{name}\""))
        .collect())
}

struct Source {
    krate: String,
    path: PathBuf,
    /// The path relative to the root of the repository.
    name: String,
}

/// Source files that are not tests.
fn sources() -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for krate in fs::read_dir(root().join("crates"))? {
        let krate = krate?;
        let mut folders = vec![krate.path().join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let path = entry?.path();
                let name = path.strip_prefix(root())?.display().to_string();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs")
                    && path.file_stem().is_some_and(|stem| stem != "tests" && stem != "test_support")
                {
                    sources.push(Source {
                        krate: krate.file_name().to_string_lossy().into_owned(),
                        path,
                        name,
                    });
                }
            }
        }
    }
    Ok(sources)
}

fn lines(file: &Source, code: &str, keys: &[String]) -> Vec<String> {
    let mut broken = Vec::new();
    let krate = file.krate.as_str();
    for (number, line) in code.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        let mut say = |rule: &str| broken.push(format!("{}:{}: {rule}: {line}", file.name, number + 1));
        if PURE.contains(&krate) && IMPURE_WORDS.iter().any(|word| line.contains(word)) {
            say("a pure crate must not use I/O or a clock");
        }
        if EXACT.contains(&krate)
            && line.split(|c: char| !c.is_alphanumeric()).any(|w| w == "f32" || w == "f64")
        {
            say("amounts of money must be exact: this crate must not use floats");
        }
        if krate != "spanledger-event" && keys.iter().any(|key| line.contains(key.as_str())) {
            say("only spanledger-event may spell attribute names, in keys.rs");
        }
        for (namespace, dialect) in VENDORS {
            if line.contains(&format!("\"{namespace}"))
                && !file.name.ends_with(&format!("/dialect/{dialect}"))
            {
                say("only the file of its dialect may spell a vendor's attribute names");
            }
        }
    }
    let count = code.lines().count();
    if count > LINES_MAX {
        broken.push(format!(
            "{}: {count} lines without tests: the limit is {LINES_MAX}, so split the file",
            file.name
        ));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let broken = check().unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn a_broken_rule_is_found() {
        let keys = attribute_names().unwrap();
        assert!(keys.len() > 50);
        let file = |krate: &str| Source { krate: krate.into(), path: PathBuf::new(), name: "x.rs".into() };
        for (krate, code) in [
            ("spanledger-price", "let rate: f64 = 1.0;"),
            ("spanledger-otlp", "let now = SystemTime::now();"),
            ("spanledger-receiver", "let key = \"gen_ai.system\";"),
            ("spanledger-otlp", "let key = \"traceloop.entity.name\";"),
        ] {
            assert_eq!(lines(&file(krate), code, &keys).len(), 1, "{code}");
        }
        assert_eq!(lines(&file("spanledger"), &"x\n".repeat(451), &keys).len(), 1);
        assert!(lines(&file("spanledger"), "// \"gen_ai.system\" f64", &keys).is_empty());
    }
}
