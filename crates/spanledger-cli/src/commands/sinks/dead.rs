//! `spanledger sinks dead`.

use std::process::ExitCode;

use serde::Serialize;
use spanledger_event::CostEvent;
use spanledger_receiver::{DeadLetterAction, DeadLetterRequest, RetriedDeadLetters, retry_dead_letters};

use super::{configured, named};
use crate::{
    args::{
        LedgerFormat, SinksDeadCommand, SinksDeadDropArguments, SinksDeadListArguments,
        SinksDeadRetryArguments,
    },
    commands::{open_ledger, work},
    render::parts::{self, clean, counted},
    terminal,
};

pub(super) async fn run(command: &SinksDeadCommand) -> anyhow::Result<ExitCode> {
    match command {
        SinksDeadCommand::List(arguments) => list(arguments),
        SinksDeadCommand::Retry(arguments) => retry(arguments).await,
        SinksDeadCommand::Drop(arguments) => drop_letters(arguments).await,
    }
}

#[derive(Serialize)]
struct JsonLetter {
    number: i64,
    at: String,
    reason: String,
    event: CostEvent,
}

fn list(arguments: &SinksDeadListArguments) -> anyhow::Result<ExitCode> {
    let letters = open_ledger(&arguments.ledger.ledger)?.dead_letters(&arguments.name)?;
    terminal::data(&match arguments.format {
        LedgerFormat::Table if letters.is_empty() => {
            format!("the sink {} has no dead letters\n", clean(&arguments.name))
        }
        LedgerFormat::Table => {
            let rows = letters.iter().map(|stored| {
                let letter = &stored.letter;
                vec![
                    stored.number.to_string(),
                    stored.at.to_string(),
                    letter.event_id.as_str().to_owned(),
                    letter.revision.to_string(),
                    clean(&letter.reason),
                ]
            });
            parts::grid(
                &["number", "refused at", "event", "revision", "reason"],
                &[0, 3],
                rows.collect(),
                false,
            )
        }
        LedgerFormat::Json => {
            let letters = letters.into_iter().map(|stored| JsonLetter {
                number: stored.number,
                at: stored.at.to_string(),
                reason: stored.letter.reason,
                event: stored.letter.event,
            });
            parts::json(&letters.collect::<Vec<_>>())?
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn retry(arguments: &SinksDeadRetryArguments) -> anyhow::Result<ExitCode> {
    let (sinks, path) = configured(&arguments.config)?;
    let sink = named(sinks, &arguments.name)?;
    let request = DeadLetterRequest {
        ledger: open_ledger(&path)?.ledger_id()?,
        sink: sink.name.clone(),
        action: DeadLetterAction::Retry,
    };
    let retried: RetriedDeadLetters =
        work::run(&path, &arguments.admin, "dead-letters", &request, async |ledger| {
            Ok(retry_dead_letters(&ledger, &sink).await?)
        })
        .await?;
    terminal::data(&format!(
        "{} delivered, {} refused again\n",
        counted(retried.delivered, "event"),
        counted(retried.refused, "event")
    ))?;
    if let Some(fault) = retried.fault {
        anyhow::bail!("the rest was not tried: {fault}");
    }
    Ok(if retried.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn drop_letters(arguments: &SinksDeadDropArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.ledger.ledger;
    let reader = open_ledger(path)?;
    let numbers = if arguments.all {
        reader.dead_letter_positions(&arguments.name)?.into_iter().map(|(number, _)| number).collect()
    } else {
        arguments.numbers.clone()
    };
    let request = DeadLetterRequest {
        ledger: reader.ledger_id()?,
        sink: arguments.name.clone(),
        action: DeadLetterAction::Drop(numbers.clone()),
    };
    let removed: usize = work::run(path, &arguments.admin, "dead-letters", &request, async |ledger| {
        Ok(ledger.remove_dead_letters(&arguments.name, numbers).await?)
    })
    .await?;
    terminal::data(&format!("{} removed\n", counted(removed, "dead letter")))?;
    Ok(ExitCode::SUCCESS)
}
