//! `spanledger sinks ddl`.

use std::process::ExitCode;

use spanledger_sinks::table::{Dialect, Table, TableName};

use crate::{args::SinksDdlArguments, sinks::SINKS, terminal};

pub(super) fn run(arguments: &SinksDdlArguments) -> anyhow::Result<ExitCode> {
    // The statements of a database need no connection, so that a program without its sink has them, too.
    if let Some(dialect) = Dialect::named(&arguments.kind) {
        let table = match &arguments.table {
            Some(name) => Table::new(dialect, TableName::parse(dialect, name)?),
            None => Table::default_of(dialect),
        };
        terminal::data(&table.script())?;
        return Ok(ExitCode::SUCCESS);
    }
    let kind = SINKS.iter().find(|kind| kind.name == arguments.kind);
    let Some(kind) = kind else { anyhow::bail!("`{}` is not a kind of sink", arguments.kind) };
    if let Some(feature) = kind.missing_feature() {
        anyhow::bail!(
            "this program was built without sinks of kind `{}`: build it with `cargo install --path \
             crates/spanledger-cli --features {feature}`",
            kind.name
        );
    }
    let Some(ddl) = kind.ddl(arguments.table.as_deref()) else {
        anyhow::bail!("a sink of kind `{}` has no table", kind.name);
    };
    terminal::data(&ddl)?;
    Ok(ExitCode::SUCCESS)
}
