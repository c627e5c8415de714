//! `spanledger sinks status`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use spanledger_ledger::FollowerInfo;
use spanledger_receiver::{SinkReport, SinksAnswer, SinksRequest};

use crate::{
    args::{LedgerFormat, SinksStatusArguments},
    commands::{open_ledger, work},
    render::{
        amount::grouped,
        parts::{self, clean},
    },
    terminal,
};

/// What is known about a sink.
#[derive(Serialize)]
struct Row {
    name: String,
    cursor: i64,
    behind: i64,
    dead_letters: i64,
    /// What the running `serve` says; without one, nothing.
    #[serde(flatten)]
    live: Option<SinkReport>,
}

pub(super) async fn run(arguments: &SinksStatusArguments) -> anyhow::Result<ExitCode> {
    let info = open_ledger(&arguments.ledger.ledger)?.info()?;
    let request = SinksRequest { ledger: info.id.clone(), retry_now: arguments.retry_now };
    let asked: anyhow::Result<SinksAnswer> = work::ask(&arguments.admin, "sinks", &request).await;
    let (reports, why) = match asked {
        Ok(answer) => (answer.sinks.into_iter().chain(answer.replays).collect(), None),
        Err(error) if arguments.retry_now => return Err(error),
        Err(error) => (Vec::new(), Some(error)),
    };
    let rows = rows(info.followers, reports);
    terminal::data(&match arguments.format {
        LedgerFormat::Table if rows.is_empty() => "the ledger has no sinks\n".to_owned(),
        LedgerFormat::Table => table(&rows),
        LedgerFormat::Json => parts::json(&rows).context("the status is written as JSON")?,
    })?;
    if let Some(why) = why {
        terminal::say(format!(
            "this is what the ledger knows; what the sinks are doing is known only while `serve` runs ({why:#})"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(followers: Vec<FollowerInfo>, mut reports: Vec<SinkReport>) -> Vec<Row> {
    let mut rows: Vec<Row> = followers
        .into_iter()
        .map(|follower| {
            let live = reports.iter().position(|report| report.name == follower.name);
            Row {
                cursor: follower.cursor,
                behind: follower.behind,
                dead_letters: follower.dead_letters,
                live: live.map(|index| reports.remove(index)),
                name: follower.name,
            }
        })
        .collect();
    // Replays that ended have no cursor in the ledger any more.
    rows.extend(reports.into_iter().map(|report| Row {
        name: report.name.clone(),
        cursor: report.cursor,
        behind: 0,
        dead_letters: 0,
        live: Some(report),
    }));
    rows
}

fn table(rows: &[Row]) -> String {
    let row = |row: &Row| {
        let live = row.live.as_ref();
        let of_live = |words: &dyn Fn(&SinkReport) -> String| live.map_or_else(|| "–".to_owned(), words);
        vec![
            clean(&row.name),
            of_live(&|live| live.kind.clone()),
            of_live(&|live| live.state.as_str().to_owned()),
            grouped(row.behind),
            of_live(&|live| format!("{:.0} s", live.lag_seconds)),
            of_live(&|live| grouped(i64::try_from(live.delivered).unwrap_or(i64::MAX))),
            of_live(&|live| grouped(i64::try_from(live.failures).unwrap_or(i64::MAX))),
            grouped(row.dead_letters),
        ]
    };
    let mut text = parts::grid(
        &["sink", "kind", "state", "behind", "waiting", "delivered", "failures", "dead letters"],
        &[3, 4, 5, 6, 7],
        rows.iter().map(row).collect(),
        false,
    );
    for live in rows.iter().filter_map(|row| row.live.as_ref()) {
        let name = clean(&live.name);
        for remark in &live.remarks {
            text.push_str(&format!("\n{name}: {}\n", clean(remark)));
        }
        if let (Some(error), Some(at)) = (&live.last_error, &live.last_error_at) {
            text.push_str(&format!("\n{name}: the last failure, at {at}: {}\n", clean(error)));
        }
    }
    text
}
