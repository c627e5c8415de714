//! `spanledger sinks list`.

use std::process::ExitCode;

use serde::Serialize;

use crate::{
    args::{LedgerFormat, SinksListArguments},
    render::parts,
    sinks::SINKS,
    terminal,
};

#[derive(Serialize)]
struct JsonKind {
    kind: &'static str,
    summary: &'static str,
    is_built: bool,
    feature: Option<&'static str>,
}

pub(super) fn run(arguments: &SinksListArguments) -> anyhow::Result<ExitCode> {
    terminal::data(&match arguments.format {
        LedgerFormat::Table => table(),
        LedgerFormat::Json => {
            let kinds = SINKS.iter().map(|kind| JsonKind {
                kind: kind.name,
                summary: kind.summary,
                is_built: kind.missing_feature().is_none(),
                feature: kind.missing_feature(),
            });
            parts::json(&kinds.collect::<Vec<_>>())?
        }
    })?;
    let missing: Vec<&str> = SINKS.iter().filter_map(|kind| kind.missing_feature()).collect();
    if arguments.format == LedgerFormat::Table && !missing.is_empty() {
        terminal::say(format!(
            "this program was built without some of them; add them with `cargo install --path crates/spanledger-cli \
             --features {}`",
            missing.join(",")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn table() -> String {
    let row = |kind: &spanledger_sinks::SinkKind| {
        let state = if kind.missing_feature().is_some() { "not built" } else { "ready" };
        vec![kind.name.to_owned(), state.to_owned(), kind.summary.to_owned()]
    };
    parts::grid(&["kind", "", "what it does"], &[], SINKS.iter().map(row).collect(), false)
}
