//! `spanledger reprice`.

mod preview;

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp as Moment;
use spanledger_event::Timestamp;
use spanledger_ledger::{Ledger, LedgerError};
use spanledger_receiver::{RepriceRequest, RepriceSelection, Repricing, reprice};

use super::{ensure_current, open_ledger};
use crate::{
    args::{LedgerFormat, RepriceArguments},
    prices,
    render::parts,
    terminal, time,
};

pub(crate) async fn run(arguments: &RepriceArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.ledger.ledger;
    let selection = selection(arguments, Moment::now())?;
    let files = prices::texts(&arguments.book)?;
    let book = prices::book(&arguments.book)?;
    let reader = open_ledger(path)?;
    if !arguments.apply {
        let preview = preview::make(&reader, &book, selection).await?;
        ensure_current(&reader)?;
        terminal::data(&preview.text(arguments.format)?)?;
        if preview.events > 0 {
            terminal::say("nothing was changed: repeat the command with --apply to make the change");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let done = match Ledger::open(path) {
        Ok(ledger) => reprice(&ledger, &book, selection).await?,
        Err(LedgerError::InUse { .. }) => {
            let request = RepriceRequest {
                ledger: reader.ledger_id()?,
                since: selection.since.map(|at| at.to_string()),
                until: selection.until.map(|at| at.to_string()),
                unpriced_only: selection.unpriced_only,
                prices: files,
            };
            let address = arguments.admin_addr.0;
            ask(&format!("http://{address}/api/reprice"), &request)
                .await
                .with_context(|| format!("another process has the ledger open, and is asked at {address}"))?
        }
        Err(error) => return Err(error.into()),
    };
    let text = format!("{} have a new cost\n", parts::counted(done.events, "event"));
    terminal::data(&match arguments.format {
        LedgerFormat::Table => text,
        LedgerFormat::Json => parts::json(&done)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn selection(arguments: &RepriceArguments, now: Moment) -> anyhow::Result<RepriceSelection> {
    let moment = |text: &Option<String>, flag: &str| -> anyhow::Result<Option<Timestamp>> {
        let parse = |text: &str| time::parse(text, now).with_context(|| format!("--{flag} {text}"));
        text.as_deref().map(parse).transpose()
    };
    let since = moment(&arguments.since, "since")?;
    let until = moment(&arguments.until, "until")?;
    Ok(RepriceSelection { since, until, unpriced_only: arguments.unpriced_only })
}

/// Lets the `serve` at that address make the change.
async fn ask(url: &str, request: &RepriceRequest) -> anyhow::Result<Repricing> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let body = serde_json::to_string(request)?;
    let remedy = "give the address of its admin port with --admin-addr, or stop it";
    let answer = client
        .post(url)
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await
        .context(remedy)?;
    let (status, text) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        let words = serde_json::from_str::<serde_json::Value>(&text).ok();
        let words = words.and_then(|answer| answer["error"].as_str().map(str::to_owned)).unwrap_or(text);
        anyhow::bail!("it answered {status}: {words}; {remedy}");
    }
    serde_json::from_str(&text).context("its answer is not one of this version of spanledger")
}
