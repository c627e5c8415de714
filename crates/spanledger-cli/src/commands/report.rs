//! `spanledger report`.

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp as Moment;
use spanledger_event::Timestamp;
use spanledger_ledger::{GroupBy, Query};

use super::{ensure_current, open_ledger};
use crate::{
    args::{By, ReportArguments},
    render, terminal, time,
};

pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let query = query(arguments, Moment::now())?;
    let reader = open_ledger(&arguments.ledger.ledger)?;
    let report = reader.report(&query)?;
    let view = render::View {
        ledger: &arguments.ledger.ledger,
        by: arguments.by,
        query: &query,
        period: reader.period(&query)?,
        report: &report,
        reasons: &reader.reasons(&query)?,
    };
    let text = render::report(&view, arguments.format, terminal::width())?;
    ensure_current(&reader)?;
    terminal::data(&text)?;
    if report.total.requests == 0 {
        terminal::say("no requests match; `spanledger tail` shows what the ledger has");
    }
    Ok(ExitCode::SUCCESS)
}

fn query(arguments: &ReportArguments, now: Moment) -> anyhow::Result<Query> {
    let moment = |text: &Option<String>, flag: &str| -> anyhow::Result<Option<Timestamp>> {
        let parse = |text: &str| time::parse(text, now).with_context(|| format!("--{flag} {text}"));
        text.as_deref().map(parse).transpose()
    };
    let since = moment(&arguments.since, "since")?;
    let until = moment(&arguments.until, "until")?;
    if let (Some(since), Some(until)) = (since, until) {
        anyhow::ensure!(
            since < until,
            "--until ({until}) is not after --since ({since}), so that no event can match: --until is the moment \
             before which the report ends"
        );
    }
    let environment = arguments.environment.clone();
    Ok(Query { group_by: arguments.by.into(), since, until, environment })
}

impl From<By> for GroupBy {
    fn from(by: By) -> Self {
        match by {
            By::Feature => Self::Feature,
            By::Route => Self::Route,
            By::Customer => Self::Customer,
            By::Model => Self::Model,
            By::Day => Self::Day,
        }
    }
}
