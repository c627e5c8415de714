//! `spanledger ledger backup`.

use std::process::ExitCode;

use crate::{
    args::LedgerBackupArguments,
    commands::{ensure_current, open_ledger},
    render::parts::counted,
    terminal,
};

pub(super) fn run(arguments: &LedgerBackupArguments) -> anyhow::Result<ExitCode> {
    let reader = open_ledger(&arguments.ledger.ledger)?;
    let backup = reader.backup(&arguments.target)?;
    if let Err(changed) = ensure_current(&reader) {
        // A writer changed the file while it was copied without any lock: the copy may mix two moments.
        std::fs::remove_file(&arguments.target)?;
        return Err(changed);
    }
    let (events, bytes) = (usize::try_from(backup.summary.events)?, usize::try_from(backup.bytes)?);
    terminal::say(format!(
        "{} has {} in {}; it was checked, and is on the disk",
        arguments.target.display(),
        counted(events, "event"),
        counted(bytes, "byte"),
    ));
    Ok(ExitCode::SUCCESS)
}
