//! `spanledger tail`.

use std::{process::ExitCode, time::Duration};

use spanledger_event::CostEvent;

use super::open_ledger;
use crate::{
    args::{TailArguments, TailFormat},
    render, shutdown, terminal,
};

/// The pause between two reads of the ledger. Reading does not block the writer.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The most events that are read at once.
const BATCH_MAX: usize = 1_000;

pub(crate) async fn run(arguments: &TailArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.ledger.ledger;
    let reader = open_ledger(path)?;
    let last = reader.summary()?.last_change;
    let back = i64::try_from(arguments.lines).unwrap_or(i64::MAX);
    let mut cursor = reader.nth_change_from_end(back)?;
    if last == 0 {
        let waiting = if arguments.no_follow { "" } else { "; events are shown as they arrive" };
        terminal::say(format!("the ledger {} has no events yet{waiting}", path.display()));
    }
    let mut shutdown = std::pin::pin!(async {
        // The signal is handled only from the first wait on. While older events are printed, Ctrl-C ends the
        // process at once.
        shutdown::signal()?.await;
        std::io::Result::Ok(())
    });
    loop {
        let changes = reader.changes_after(cursor, BATCH_MAX)?;
        if changes.is_empty() {
            if arguments.no_follow && cursor >= last {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::select! {
                stopped = &mut shutdown => {
                    stopped?;
                    return Ok(ExitCode::SUCCESS);
                }
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
        let mut text = String::new();
        for change in changes {
            cursor = change.seq;
            text.push_str(&show(&change.event, arguments.format)?);
            text.push('\n');
        }
        terminal::data(&text)?;
    }
}

fn show(event: &CostEvent, format: TailFormat) -> anyhow::Result<String> {
    Ok(match format {
        TailFormat::Text => render::event(event, terminal::width()),
        TailFormat::Json => render::text::escape_json(serde_json::to_string(event)?),
    })
}
