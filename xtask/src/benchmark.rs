//! Builds a benchmark without running it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::root;

/// Builds a benchmark of the workspace in this folder, in the target folder of the present one. Returns the
/// program.
pub(crate) fn build(workspace: &Path, package: &str, name: &str) -> anyhow::Result<PathBuf> {
    let build = Command::new(env!("CARGO"))
        .current_dir(workspace)
        .args(["bench", "--no-run", "--package", package, "--bench", name, "--message-format", "json"])
        .arg("--target-dir")
        .arg(root().join("target"))
        .output()
        .context("cannot start cargo")?;
    if !build.status.success() {
        bail!(
            "the benchmark of {} does not build:\n{}",
            workspace.display(),
            String::from_utf8_lossy(&build.stderr)
        );
    }
    cargo_metadata::Message::parse_stream(build.stdout.as_slice())
        .filter_map(|message| match message {
            Ok(cargo_metadata::Message::CompilerArtifact(artifact)) => artifact.executable,
            _ => None,
        })
        .last()
        .map(PathBuf::from)
        .context("cargo names no executable of the benchmark")
}
