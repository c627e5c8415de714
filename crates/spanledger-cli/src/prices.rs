//! `spanledger prices`: the price book.

mod check;
mod diff;
mod files;
mod import;
mod list;
mod provenance;
mod show;
mod suggest;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use jiff::Timestamp as Moment;
use spanledger_event::Timestamp;
use spanledger_price::{PriceBook, Provider};

pub(crate) use self::{
    provenance::Provenance,
    suggest::{similar_models, unknown_provider},
};
use crate::{
    args::{BookArguments, PricesArguments, PricesCommand},
    time,
};

pub(crate) fn run(arguments: &PricesArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        PricesCommand::List(arguments) => list::run(arguments),
        PricesCommand::Show(arguments) => show::run(arguments),
        PricesCommand::Check(arguments) => check::run(arguments),
        PricesCommand::Diff(arguments) => diff::run(arguments),
        PricesCommand::Import(arguments) => import::run(arguments),
    }
}

/// The built-in book, with the files laid over it.
pub(crate) fn book(arguments: &BookArguments) -> anyhow::Result<PriceBook> {
    let (builtin, files) = (PriceBook::builtin(), texts(arguments)?);
    if files.is_empty() {
        return Ok(builtin.clone());
    }
    Ok(builtin.layered(files::borrowed(&files))?)
}

/// The names and texts of the files.
pub(crate) fn texts(arguments: &BookArguments) -> anyhow::Result<Vec<(String, String)>> {
    // An environment variable that is set to nothing names no file.
    let named: Vec<PathBuf> =
        arguments.files.iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    files::read(&named)
}

/// The moment of `--at`.
pub(crate) fn moment(at: Option<&str>) -> anyhow::Result<Timestamp> {
    // No price changes within a second, so the fraction is left out.
    let now = Moment::from_second(Moment::now().as_second())?;
    match at {
        Some(text) => time::parse(text, now).with_context(|| format!("--at {text}")),
        None => Ok(Timestamp::from_nanos(i64::try_from(now.as_nanosecond())?)),
    }
}

/// Today, as the book writes days.
fn today() -> anyhow::Result<String> {
    Ok(moment(None)?.to_string().chars().take_while(|&c| c != 'T').collect())
}

/// The provider of that name, or all providers if no name is given.
fn providers<'b>(book: &'b PriceBook, name: Option<&str>) -> anyhow::Result<Vec<&'b Provider>> {
    let Some(name) = name else { return Ok(book.providers().iter().collect()) };
    let provider = book.provider(name).map(|provider| vec![provider]);
    provider.ok_or_else(|| unknown_provider(book, name))
}
