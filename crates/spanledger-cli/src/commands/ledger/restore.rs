//! `spanledger ledger restore`.

use std::process::ExitCode;

use spanledger_ledger::restore;

use crate::{args::LedgerRestoreArguments, commands::open_ledger, render::parts::counted, terminal};

pub(super) fn run(arguments: &LedgerRestoreArguments) -> anyhow::Result<ExitCode> {
    let (copy, path) = (&arguments.copy, &arguments.ledger.ledger);
    anyhow::ensure!(
        copy.exists(),
        "there is no copy at {}: name a file that `spanledger ledger backup` made",
        copy.display()
    );
    let copy = open_ledger(copy)?;
    let restored = restore(&copy, path)?;
    let events = usize::try_from(restored.backup.summary.events)?;
    terminal::say(format!("{} has {}", path.display(), counted(events, "event")));
    if let Some(replaced) = restored.replaced {
        terminal::say(format!(
            "the ledger that was there is now {}: delete it when you no longer need it",
            replaced.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
