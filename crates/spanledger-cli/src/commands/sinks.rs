//! `spanledger sinks`, one file for each of its commands.

mod check;
mod ddl;
mod dead;
mod list;
mod replay;
mod status;

use std::{path::PathBuf, process::ExitCode};

use spanledger_sinks::ConfiguredSink;

pub(crate) use self::check::open_for_check;
use crate::{
    args::{SinksArguments, SinksCommand, SinksConfigArguments},
    config::{Config, Options},
    render::parts::{clean, list as words},
};

pub(crate) async fn run(arguments: &SinksArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        SinksCommand::List(arguments) => list::run(arguments),
        SinksCommand::Check(arguments) => check::run(arguments).await,
        SinksCommand::Status(arguments) => status::run(arguments).await,
        SinksCommand::Ddl(arguments) => ddl::run(arguments),
        SinksCommand::Replay(arguments) => replay::run(arguments).await,
        SinksCommand::Dead(arguments) => dead::run(&arguments.command).await,
    }
}

/// The sinks of the configuration, and its ledger.
fn configured(arguments: &SinksConfigArguments) -> anyhow::Result<(Vec<ConfiguredSink>, PathBuf)> {
    let options = Options { ledger: arguments.ledger.clone(), ..Options::default() };
    let config = Config::load(arguments.config.as_deref(), options)?;
    anyhow::ensure!(
        !config.sinks.is_empty(),
        "the configuration has no sinks: name its file with --config, and give it a table [sinks.NAME]"
    );
    Ok((config.sinks, config.ledger))
}

/// The sink of this name.
fn named(sinks: Vec<ConfiguredSink>, name: &str) -> anyhow::Result<ConfiguredSink> {
    let known = words(sinks.iter().map(|sink| clean(&sink.name)), "and");
    sinks
        .into_iter()
        .find(|sink| sink.name == name)
        .ok_or_else(|| anyhow::anyhow!("the configuration has no sink `{}`: it has {known}", clean(name)))
}
