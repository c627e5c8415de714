//! `spanledger sinks replay`.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::Context as _;
use jiff::Timestamp as Moment;
use spanledger_ledger::{Ledger, LedgerError};
use spanledger_receiver::{
    DeliveryOptions, Replay, ReplayRequest, ReplaySelection, SinkReport, SinkState, SinksAnswer,
    SinksRequest, StartedReplay,
};
use tokio::time::Instant;

use super::{configured, named};
use crate::{
    args::SinksReplayArguments,
    commands::{open_ledger, work},
    render::{amount::grouped, parts::clean},
    shutdown, terminal, time,
};

/// How often the progress is shown.
const EVERY: Duration = Duration::from_millis(250);
/// The time for the batches that are under way when the command is interrupted.
const SHUTDOWN: Duration = Duration::from_secs(10);

pub(super) async fn run(arguments: &SinksReplayArguments) -> anyhow::Result<ExitCode> {
    terminal::init_logs("warn");
    let selection = selection(arguments)?;
    let selected = selection.clone();
    let (sinks, path) = configured(&arguments.config)?;
    let id = open_ledger(&path)?.ledger_id()?;
    let report = match Ledger::open(&path) {
        Ok(ledger) => here(ledger, named(sinks, &arguments.name)?, &selection).await?,
        Err(LedgerError::InUse { .. }) => {
            let request = ReplayRequest { ledger: id, sink: arguments.name.clone(), selection };
            by_serve(arguments, &request).await?
        }
        Err(error) => return Err(error.into()),
    };
    terminal::progress("");
    let delivered = grouped(i64::try_from(report.delivered).unwrap_or(i64::MAX));
    if report.until.is_some_and(|until| report.cursor >= until) {
        terminal::data(&format!(
            "{delivered} events were sent to the sink {} again\n",
            clean(&arguments.name)
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let why = report.last_error.unwrap_or_else(|| "it was interrupted".to_owned());
    let moment = |option: &str, text: &Option<String>| {
        text.as_ref().map(|text| format!(" {option} {text}")).unwrap_or_default()
    };
    anyhow::bail!(
        "the replay is not complete: {delivered} events were sent, and then: {why}; the same command goes on where it \
         stopped, with{}{} if it has times; `spanledger ledger forget {}` gives it up",
        moment("--since", &selected.since),
        moment("--until", &selected.until),
        clean(&report.name),
    )
}

/// Runs the replay in this process.
async fn here(
    ledger: Ledger,
    sink: spanledger_sinks::ConfiguredSink,
    selection: &ReplaySelection,
) -> anyhow::Result<SinkReport> {
    let replay = Replay::prepare(&ledger, &sink, selection).await?;
    let status = replay.status().clone();
    let stopped = shutdown::signal()?;
    let interrupted = async {
        stopped.await;
        Instant::now() + SHUTDOWN
    };
    let mut running = std::pin::pin!(replay.run(DeliveryOptions::default(), interrupted));
    loop {
        tokio::select! {
            ended = &mut running => {
                ended?;
                return Ok(status.report());
            }
            () = tokio::time::sleep(EVERY) => show(&status.report()),
        }
    }
}

/// Lets `serve` run the replay, and shows its progress.
async fn by_serve(arguments: &SinksReplayArguments, request: &ReplayRequest) -> anyhow::Result<SinkReport> {
    let asked = async {
        let started: StartedReplay = work::ask(&arguments.admin, "replay", request).await?;
        terminal::say("`serve` sends the events, also if this command is interrupted");
        loop {
            let request = SinksRequest { ledger: request.ledger.clone(), retry_now: false };
            let answer: SinksAnswer = work::ask(&arguments.admin, "sinks", &request).await?;
            let report = answer.replays.into_iter().find(|replay| replay.name == started.name);
            let report = report.context("`serve` was started again meanwhile: run the command again")?;
            if report.state == SinkState::Stopped {
                return Ok(report);
            }
            show(&report);
            tokio::time::sleep(EVERY).await;
        }
    };
    asked.await
}

fn show(report: &SinkReport) {
    if !terminal::shows_progress() {
        return;
    }
    let percent = report.cursor.saturating_mul(100) / report.until.unwrap_or_default().max(1);
    let filled = usize::try_from(percent.clamp(0, 100) / 5).unwrap_or_default();
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(20 - filled));
    let delivered = grouped(i64::try_from(report.delivered).unwrap_or(i64::MAX));
    let state = match report.state {
        SinkState::Delivering => String::new(),
        state => format!("  {}", state.as_str()),
    };
    terminal::progress(format_args!("{bar} {percent:>3} %  {delivered} events{state}"));
}

fn selection(arguments: &SinksReplayArguments) -> anyhow::Result<ReplaySelection> {
    let now = Moment::now();
    let moment = |option: &str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let moment = time::parse(text, now).with_context(|| format!("{option} {text}"))?;
        anyhow::Ok(Some(moment.to_string()))
    };
    let mut only: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (column, value) in &arguments.conditions {
        only.entry(column.clone()).or_default().push(value.clone());
    }
    Ok(ReplaySelection {
        since: moment("--since", &arguments.since)?,
        until: moment("--until", &arguments.until)?,
        only,
    })
}
