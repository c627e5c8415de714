//! `spanledger sinks check`.

use std::{path::Path, process::ExitCode, time::Duration};

use spanledger_ledger::LedgerReader;
use spanledger_sinks::{ConfiguredSink, Opening, Purpose};

use super::{configured, named};
use crate::{args::SinksCheckArguments, commands::check::Findings, terminal};

/// The longest wait for a destination.
const TIMEOUT: Duration = Duration::from_secs(40);
/// The id that is used where there is no ledger yet.
const NO_LEDGER: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn run(arguments: &SinksCheckArguments) -> anyhow::Result<ExitCode> {
    let (mut sinks, ledger) = configured(&arguments.config)?;
    if let Some(name) = &arguments.name {
        sinks = vec![named(sinks, name)?];
    }
    let mut findings = Findings::default();
    for sink in &sinks {
        findings.add(&sink.name, open_for_check(sink, &ledger).await);
    }
    terminal::data(findings.text())?;
    Ok(if findings.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Opens the destination of a sink without changing it.
pub(crate) async fn open_for_check(sink: &ConfiguredSink, ledger: &Path) -> Result<String, String> {
    let id = LedgerReader::open(ledger).and_then(|reader| reader.ledger_id());
    let opening = Opening {
        ledger: id.unwrap_or_else(|_| NO_LEDGER.to_owned()),
        sink: sink.name.clone(),
        purpose: Purpose::Check,
    };
    let mut made = sink.make().map_err(|error| error.to_string())?;
    let opened = tokio::time::timeout(TIMEOUT, made.open(&opening))
        .await
        .map_err(|_| format!("{sink}: the destination did not answer within {} seconds", TIMEOUT.as_secs()))?
        .map_err(|fault| format!("{sink}: {fault}"))?;
    drop(tokio::time::timeout(TIMEOUT, made.close()).await);
    let mut words = format!("{sink} can be used");
    if let Some(cursor) = opened.cursor.filter(|cursor| *cursor > 0) {
        words.push_str(&format!("; it has the changes up to {cursor}"));
    }
    for remark in opened.remarks {
        words.push_str(&format!("; {remark}"));
    }
    Ok(words)
}
