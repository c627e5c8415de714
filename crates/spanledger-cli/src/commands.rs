//! The subcommands, one file each.

pub(crate) mod check;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod ledger;
pub(crate) mod report;
pub(crate) mod reprice;
pub(crate) mod serve;
pub(crate) mod sinks;
#[cfg(feature = "demo")]
pub(crate) mod stand_in;
pub(crate) mod tail;
mod work;

use std::path::Path;

use spanledger_ledger::LedgerReader;

use crate::terminal;

/// Opens a ledger. Fails if the file does not exist.
pub(crate) fn open_ledger(path: &Path) -> anyhow::Result<LedgerReader> {
    anyhow::ensure!(
        path.exists(),
        "there is no ledger at {} yet: start `spanledger serve`, or choose another file with --ledger",
        path.display()
    );
    let reader = LedgerReader::open(path)?;
    if reader.is_snapshot() {
        terminal::say(
            "this user may not create files beside the ledger, so that what follows is the ledger as it is at this \
             moment: what a writer adds from now on is not seen",
        );
    }
    Ok(reader)
}

/// Fails if a writer changed the file while it was read without notice of changes.
pub(crate) fn ensure_current(reader: &LedgerReader) -> anyhow::Result<()> {
    anyhow::ensure!(
        !reader.is_outdated(),
        "the ledger was changed while it was read, and this user may not create the files that would make that \
         safe: run the command again, or as a user who may write to the ledger's folder"
    );
    Ok(())
}
