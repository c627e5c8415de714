//! `spanledger ledger refold`.

use std::process::ExitCode;

use spanledger_receiver::{Pace, Refolding, UpkeepRequest, refold};

use crate::{
    args::{LedgerFormat, LedgerRefoldArguments},
    commands::{open_ledger, work},
    render::parts::{self, counted},
    terminal,
};

pub(super) async fn run(arguments: &LedgerRefoldArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.ledger.ledger;
    let request = UpkeepRequest { ledger: open_ledger(path)?.ledger_id()? };
    let done: Refolding = work::run(path, &arguments.admin, "refold", &request, async |ledger| {
        Ok(refold(&ledger, Pace::alone()).await?)
    })
    .await?;
    terminal::data(&match arguments.format {
        LedgerFormat::Table => format!(
            "{} folded, {} corrected\n",
            counted(done.observations, "observation"),
            counted(done.corrected, "event")
        ),
        LedgerFormat::Json => parts::json(&done)?,
    })?;
    if done.corrected > 0 {
        terminal::say(
            "the sums of reports were moved by what the corrected events had before: `spanledger ledger check` \
             compares them with the events",
        );
    }
    if done.unreadable > 0 {
        terminal::say(format!(
            "{} cannot be read, or what belongs to them, and their events were left as they are: restore the ledger \
             from a backup",
            counted(done.unreadable, "observation")
        ));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
