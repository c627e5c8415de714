//! `spanledger ledger forget`.

use std::process::ExitCode;

use spanledger_receiver::{ForgetRequest, Forgetting};

use crate::{
    args::LedgerForgetArguments,
    commands::{open_ledger, work},
    render::{
        amount::grouped,
        parts::{clean, list},
    },
    terminal,
};

pub(super) async fn run(arguments: &LedgerForgetArguments) -> anyhow::Result<ExitCode> {
    let (path, sink) = (&arguments.ledger.ledger, &arguments.sink);
    let info = open_ledger(path)?.info()?;
    let Some(follower) = info.followers.iter().find(|follower| follower.name == *sink) else {
        let known = list(info.followers.iter().map(|follower| clean(&follower.name)), "and");
        let known = if known.is_empty() { "no sink".to_owned() } else { known };
        anyhow::bail!("the ledger does not know the sink `{}`: it knows {known}", clean(sink));
    };
    let (name, behind) = (clean(sink), grouped(follower.behind));
    if !arguments.apply {
        terminal::data(&format!("the sink {name} has {behind} changes still to receive\n"))?;
        terminal::say("nothing was changed: repeat the command with --apply to forget the sink");
        return Ok(ExitCode::SUCCESS);
    }
    let request = ForgetRequest { ledger: info.id.clone(), sink: sink.clone() };
    let _: Forgetting = work::run(path, &arguments.admin, "forget", &request, async |ledger| {
        Ok(Forgetting { forgotten: ledger.forget(sink).await? })
    })
    .await?;
    terminal::data(&format!("the sink {name} is forgotten; it had {behind} changes still to receive\n"))?;
    Ok(ExitCode::SUCCESS)
}
