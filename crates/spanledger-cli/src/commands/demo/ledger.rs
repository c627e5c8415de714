//! The demo's ledger: each demo starts with an empty one, and a demo that fails removes it.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use spanledger_ledger::Ledger;

/// The default file, which each demo replaces.
const DEFAULT: &str = "spanledger-demo.db";

/// The path of a ledger that this demo creates. If the value is dropped before [`keep`](Self::keep), the
/// file is removed, so that the next demo can use the path.
#[derive(Debug)]
pub(super) struct DemoLedger {
    path: PathBuf,
    is_kept: bool,
}

impl DemoLedger {
    /// Chooses a path without a ledger. The demo's default file is removed; another file must not exist.
    pub(super) fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        let path = match given {
            Some(path) => {
                anyhow::ensure!(
                    !path.exists(),
                    "{} exists, and the demo begins with an empty ledger: choose another file with --ledger",
                    path.display()
                );
                path
            }
            None => {
                let path = PathBuf::from(DEFAULT);
                if path.exists() {
                    // Fails if the file is in use or is not a ledger; then nothing is removed.
                    drop(Ledger::open(&path)?);
                }
                remove(&path)
                    .with_context(|| format!("the ledger of the last demo, {DEFAULT}, cannot be replaced"))?;
                path
            }
        };
        Ok(Self { path, is_kept: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file, because the demo succeeded.
    pub(super) fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        std::mem::take(&mut self.path)
    }
}

impl Drop for DemoLedger {
    fn drop(&mut self) {
        if !self.is_kept {
            // The demo has failed already, and its error says why.
            drop(remove(&self.path));
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut file = OsString::from(path);
        file.push(suffix);
        match fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
