//! `spanledger ledger check`.

use std::{ops::ControlFlow, process::ExitCode};

use spanledger_event::ErrorChain;
use spanledger_ledger::{GroupBy, LedgerError, LedgerReader, SumsDiffer};

use crate::{
    args::LedgerCheckArguments,
    commands::{check::Findings, ensure_current, open_ledger},
    render::parts::{self, counted},
    terminal,
};

/// So many events are read in one transaction.
const STEP: usize = 10_000;
/// The most findings of one kind that are named.
const NAMED_MAX: usize = 10;
/// What to do about damage.
const REMEDY: &str = "restore the ledger from a backup";

pub(super) fn run(arguments: &LedgerCheckArguments) -> anyhow::Result<ExitCode> {
    let reader = open_ledger(&arguments.ledger.ledger)?;
    let mut findings = Findings::default();
    terminal::say("checking the pages of the database");
    // What cannot be read is a finding, and the other checks may find more.
    pages(&mut findings, &reader).unwrap_or_else(|error| unreadable(&mut findings, "pages", &error));
    terminal::say("reading all events");
    events(&mut findings, &reader).unwrap_or_else(|error| unreadable(&mut findings, "events", &error));
    terminal::say("comparing the sums of the reports with the events");
    sums(&mut findings, &reader).unwrap_or_else(|error| unreadable(&mut findings, "sums", &error));
    ensure_current(&reader)?;
    terminal::data(findings.text())?;
    Ok(if findings.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn unreadable(findings: &mut Findings, what: &str, error: &LedgerError) {
    findings.add(what, Err(format!("{}; {REMEDY}", ErrorChain(error))));
}

fn pages(findings: &mut Findings, reader: &LedgerReader) -> Result<(), LedgerError> {
    let damage = reader.integrity()?;
    if damage.is_empty() {
        findings.add("pages", Ok("every page and every index is sound".to_owned()));
    }
    for finding in damage.iter().take(NAMED_MAX) {
        findings.add("pages", Err(format!("the database is damaged: {finding}; {REMEDY}")));
    }
    Ok(())
}

fn events(findings: &mut Findings, reader: &LedgerReader) -> Result<(), LedgerError> {
    let (mut last, mut events, mut damaged) = (i64::MIN, 0, 0);
    while let Some(read) = reader.read_events(last, STEP)? {
        (last, events) = (read.last, events + read.events);
        for row in read.unreadable {
            damaged += 1;
            if damaged <= NAMED_MAX {
                let words = format!(
                    "the event of change {} is damaged: {}; {REMEDY}",
                    row.seq,
                    ErrorChain(&row.error)
                );
                findings.add("events", Err(words));
            }
        }
    }
    let words = format!("{} can be read", counted(events, "event"));
    findings
        .add("events", if damaged == 0 { Ok(words) } else { Err(format!("{words}, and {damaged} cannot")) });
    Ok(())
}

fn sums(findings: &mut Findings, reader: &LedgerReader) -> Result<(), LedgerError> {
    let mut count = 0;
    let compared = reader.compare_sums(|differ| {
        findings.add("sums", Err(sentence(&differ)));
        count += 1;
        if count < NAMED_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if count == 0 {
        let words =
            format!("the sums of the reports are those of the events, on {}", counted(compared.days, "day"));
        let pruned = match compared.pruned {
            0 => String::new(),
            count => format!("; {} cannot be compared, because events were pruned", counted(count, "period")),
        };
        let words = words + &pruned;
        findings.add("sums", Ok(words));
    }
    Ok(())
}

fn sentence(differ: &SumsDiffer) -> String {
    let by = match differ.group_by {
        GroupBy::Feature => "feature",
        GroupBy::Route => "route",
        GroupBy::Customer => "customer",
        GroupBy::Model => "model",
        _ => "day",
    };
    format!(
        "the sums by {by} {} differ from those of the events: reports count {} requests, and the events are {}; {REMEDY}",
        parts::period(differ.since, differ.until),
        differ.requests_of_rollups,
        differ.requests_of_events,
    )
}
