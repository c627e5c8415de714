//! `spanledger tail`.

use std::{process::ExitCode, time::Duration};

use spanledger_event::CostEvent;
use spanledger_ledger::LedgerReader;

use super::open_ledger;
use crate::{
    args::{TailArguments, TailFormat},
    render, shutdown, terminal,
};

/// How often the file is read: reading does not disturb the writer.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The most events that are read at once.
const BATCH_MAX: usize = 1_000;

pub(crate) async fn run(arguments: &TailArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.ledger.ledger;
    let mut reader = open_ledger(path)?;
    let last = reader.last_change()?;
    let back = i64::try_from(arguments.lines).unwrap_or(i64::MAX);
    let mut cursor = reader.nth_change_from_end(back)?;
    if last == 0 {
        let waiting = if arguments.no_follow { "" } else { "; events are shown as they arrive" };
        terminal::say(format!("the ledger {} has no events yet{waiting}", path.display()));
    }
    let mut stopped = std::pin::pin!(shutdown::signal()?);
    loop {
        if reader.is_outdated() {
            reader = LedgerReader::open(path)?;
        }
        let changes = reader.changes_after(cursor, BATCH_MAX)?;
        if changes.is_empty() && arguments.no_follow && cursor >= last {
            return Ok(ExitCode::SUCCESS);
        }
        let mut text = String::new();
        for change in changes {
            cursor = change.seq;
            text.push_str(&show(&change.event, arguments.format)?);
            text.push('\n');
        }
        let print_or_wait = async {
            if text.is_empty() {
                tokio::time::sleep(POLL_INTERVAL).await;
                return Ok(());
            }
            // A reader that is slow blocks the write; that must not keep a signal from being noticed.
            tokio::task::spawn_blocking(move || terminal::data(&text)).await?
        };
        tokio::select! {
            biased;
            // With --no-follow, the end comes before everything was printed.
            () = &mut stopped => {
                return Ok(if arguments.no_follow { ExitCode::FAILURE } else { ExitCode::SUCCESS });
            }
            printed = print_or_wait => printed?,
        }
    }
}

fn show(event: &CostEvent, format: TailFormat) -> anyhow::Result<String> {
    Ok(match format {
        TailFormat::Text => render::event(event, terminal::width()),
        TailFormat::Json => render::text::escape_json(serde_json::to_string(event)?),
    })
}
