//! `spanledger ledger compact`.

use std::process::ExitCode;

use anyhow::Context as _;
use spanledger_ledger::Ledger;
use spanledger_receiver::{Compaction, Pace, UpkeepRequest, compact};

use crate::{
    args::{LedgerCompactArguments, LedgerFormat},
    commands::{open_ledger, work},
    render::{amount::grouped, parts},
    terminal,
};

pub(super) async fn run(arguments: &LedgerCompactArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.ledger.ledger;
    let request = UpkeepRequest { ledger: open_ledger(path)?.ledger_id()? };
    let done: Compaction = work::run(path, &arguments.admin, "compact", &request, here).await?;
    let bytes = |bytes: u64| grouped(i64::try_from(bytes).unwrap_or(i64::MAX));
    terminal::data(&match arguments.format {
        LedgerFormat::Table => {
            format!("{} bytes before, {} bytes now\n", bytes(done.bytes_before), bytes(done.bytes_after))
        }
        LedgerFormat::Json => parts::json(&done)?,
    })?;
    if done.file_bytes > done.bytes_after {
        terminal::say(format!(
            "the file still has {} bytes: it becomes smaller when `serve` next copies its write-ahead log, after \
             programs that read the ledger have ended",
            bytes(done.file_bytes)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Does the work in this process, which alone has the ledger.
async fn here(ledger: Ledger) -> anyhow::Result<Compaction> {
    if let Some(done) = compact(&ledger, Pace::alone()).await? {
        return Ok(done);
    }
    terminal::say("an earlier version made this ledger: its file is written anew once");
    let before = ledger.reader()?.pages()?;
    let rebuilt = ledger.clone();
    tokio::task::spawn_blocking(move || rebuilt.rebuild_file()).await?.context(
        "the file cannot be written anew and was left as it was: end the programs that read it, and check that there \
         is space for a copy of it, here and in the folder of temporary files (SQLITE_TMPDIR names another one)",
    )?;
    let after = ledger.reader()?.pages()?;
    let file_bytes = ledger.copy_log()?.database;
    Ok(Compaction {
        bytes_before: before.total * before.bytes,
        bytes_after: after.total * after.bytes,
        file_bytes,
    })
}
