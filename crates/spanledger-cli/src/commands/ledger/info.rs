//! `spanledger ledger info`.

use std::process::ExitCode;

use spanledger_ledger::{GroupBy, Query};

use crate::{
    args::LedgerInfoArguments,
    commands::{ensure_current, open_ledger},
    render, terminal,
};

pub(super) fn run(arguments: &LedgerInfoArguments) -> anyhow::Result<ExitCode> {
    let reader = open_ledger(&arguments.ledger.ledger)?;
    let everything = Query::by(GroupBy::Feature);
    let view = render::LedgerView {
        path: reader.path(),
        info: &reader.info()?,
        period: reader.period(&everything)?,
        reasons: &reader.reasons(&everything)?,
    };
    let text = render::ledger(&view, arguments.format, terminal::width())?;
    ensure_current(&reader)?;
    terminal::data(&text)?;
    Ok(ExitCode::SUCCESS)
}
