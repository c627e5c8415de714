//! The subcommands, one file each.

pub(crate) mod check;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod report;
pub(crate) mod serve;
#[cfg(feature = "demo")]
pub(crate) mod stand_in;
pub(crate) mod tail;

use std::path::Path;

use spanledger_ledger::LedgerReader;

/// Opens a ledger. Fails if the file does not exist.
pub(crate) fn open_ledger(path: &Path) -> anyhow::Result<LedgerReader> {
    anyhow::ensure!(
        path.exists(),
        "there is no ledger at {} yet: start `spanledger serve`, or choose another file with --ledger",
        path.display()
    );
    Ok(LedgerReader::open(path)?)
}
