//! `cargo xtask golden`: accepts the present output as the expected one.

use std::process::Command;

use anyhow::{Context as _, ensure};

/// Runs all tests in the mode in which `expect-test` and the scenarios write the actual output to their
/// files.
///
/// Read the difference before you commit it.
pub(crate) fn accept() -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        // A test that fails for another reason must not leave the files of later crates as they were.
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("UPDATE_EXPECT", "1")
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "a test failed for another reason than its expected output");
    Ok(())
}
