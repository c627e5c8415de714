//! `spanledger tail`.

use std::{process::ExitCode, time::Duration};

use spanledger_event::CostEvent;

use crate::{
    args::{TailArguments, TailFormat},
    render, report,
    serve::shutdown_signal,
    terminal,
};

/// How often the file is asked: reading beside the writer costs it nothing.
const POLL: Duration = Duration::from_millis(200);
/// Events that are read at once.
const BATCH_MAX: usize = 1_000;

pub(crate) async fn run(arguments: &TailArguments) -> anyhow::Result<ExitCode> {
    let reader = report::open(&arguments.ledger.ledger)?;
    let last = reader.summary()?.last_change;
    let back = i64::try_from(arguments.lines).unwrap_or(i64::MAX);
    let mut cursor = reader.nth_change_from_end(back)?;
    let mut interrupted = std::pin::pin!(shutdown_signal());
    loop {
        let changes = reader.changes_after(cursor, BATCH_MAX)?;
        if changes.is_empty() {
            if arguments.no_follow && cursor >= last {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::select! {
                () = &mut interrupted => return Ok(ExitCode::SUCCESS),
                () = tokio::time::sleep(POLL) => {}
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
        TailFormat::Text => render::line(event),
        TailFormat::Json => serde_json::to_string(event)?,
    })
}
