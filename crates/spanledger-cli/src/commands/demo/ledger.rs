//! The demo's ledger: it is empty at the start, and a demo that fails removes it.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use spanledger_ledger::Ledger;

#[cfg(test)]
mod tests;

/// The file that each demo makes anew.
const DEFAULT: &str = "spanledger-demo.db";

/// A ledger that this demo creates. When it is dropped before [`keep`](Self::keep), the files that
/// the demo created are removed, so that the next attempt finds the place free.
#[derive(Debug)]
pub(super) struct DemoLedger {
    path: PathBuf,
    /// The files that the demo created and has to remove if it fails.
    created: Vec<PathBuf>,
}

impl DemoLedger {
    /// A path without a ledger: the demo's own file is removed, no other one is.
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
                    // An error where it is in use, or not a ledger; nothing is removed then.
                    drop(Ledger::open(&path)?);
                }
                files_of(&path)
                    .iter()
                    .try_for_each(|file| remove(file))
                    .with_context(|| format!("the ledger of the last demo, {DEFAULT}, cannot be replaced"))?;
                path
            }
        };
        Ok(Self { path, created: Vec::new() })
    }

    /// Creates the ledger. A file that was here before, such as the `Cargo.lock` beside a ledger named
    /// `Cargo`, is another program's, and the demo never removes it.
    pub(super) fn open(&mut self) -> anyhow::Result<Ledger> {
        let absent: Vec<PathBuf> = files_of(&self.path).into_iter().filter(|file| !file.exists()).collect();
        let ledger = Ledger::open(&self.path)?;
        self.created = absent;
        Ok(ledger)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The demo succeeded: the files stay.
    pub(super) fn keep(mut self) -> PathBuf {
        self.created.clear();
        std::mem::take(&mut self.path)
    }
}

impl Drop for DemoLedger {
    fn drop(&mut self) {
        for file in &self.created {
            // The demo has failed already, and its error says why.
            drop(remove(file));
        }
    }
}

/// The ledger's file and those that SQLite and the lock need beside it.
fn files_of(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", ".lock"].map(|suffix| {
        let mut file = OsString::from(path);
        file.push(suffix);
        file.into()
    })
}

/// Removes a file if it exists.
fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
