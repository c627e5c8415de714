//! `spanledger reprice`.

mod folder;
mod preview;

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp as Moment;
use spanledger_event::Timestamp;
use spanledger_receiver::{Pace, RepriceRequest, RepriceSelection, Repricing, reprice};

use super::{ensure_current, open_ledger, work};
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
    let request = RepriceRequest {
        ledger: reader.ledger_id()?,
        since: selection.since.map(|at| at.to_string()),
        until: selection.until.map(|at| at.to_string()),
        unpriced_only: selection.unpriced_only,
        prices: files,
    };
    let done: Repricing = work::run(path, &arguments.admin, "reprice", &request, async |ledger| {
        Ok(reprice(&ledger, &book, selection, Pace::alone()).await?)
    })
    .await?;
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
