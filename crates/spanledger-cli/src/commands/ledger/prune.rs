//! `spanledger ledger prune`.

use std::{process::ExitCode, time::SystemTime};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp as Moment};
use serde::Serialize;
use spanledger_event::Timestamp;
use spanledger_ledger::{LedgerReader, PrunePreview};
use spanledger_receiver::{Pace, PruneRequest, Pruning, Retention, prune};

use crate::{
    args::{LedgerFormat, LedgerPruneArguments},
    commands::{ensure_current, open_ledger, work},
    render::{
        amount::grouped,
        parts::{self, clean, counted, list},
    },
    terminal, time,
};

/// Younger events are not deleted: other sightings of their calls may still be on the way.
const AGE_MIN: SignedDuration = SignedDuration::from_hours(1);

pub(super) async fn run(arguments: &LedgerPruneArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.ledger.ledger;
    let before = before(arguments, Moment::now())?;
    let reader = open_ledger(path)?;
    if !arguments.apply {
        return preview(&reader, before, arguments.format);
    }
    let request = PruneRequest { ledger: reader.ledger_id()?, before: before.to_string() };
    drop(reader);
    let done: Pruning = work::run(path, &arguments.admin, "prune", &request, async |ledger| {
        Ok(prune(&ledger, before, Pace::alone()).await?)
    })
    .await?;
    terminal::data(&match arguments.format {
        LedgerFormat::Table => {
            let mut text = format!(
                "{} deleted, with {}\n",
                counted(done.events, "event"),
                counted(done.observations, "observation")
            );
            let related = done.kept - done.held - done.unreadable;
            if done.held > 0 {
                text.push_str(&format!(
                    "{} kept until the sinks have received them: {}\n",
                    counted(done.held, "old event"),
                    list(done.held_by.iter().map(|sink| clean(sink)), "and")
                ));
            }
            if related > 0 {
                let kept = counted(related, "old event");
                text.push_str(&format!("{kept} kept, because they belong together with later ones\n"));
            }
            if done.unreadable > 0 {
                let kept = counted(done.unreadable, "old event");
                text.push_str(&format!("{kept} kept, because their observations cannot be read\n"));
            }
            text
        }
        LedgerFormat::Json => parts::json(&done)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The moment before which events are old.
fn before(arguments: &LedgerPruneArguments, now: Moment) -> anyhow::Result<Timestamp> {
    if let Some(days) = arguments.keep_days {
        return Ok(Retention::days(days).before(SystemTime::from(now)));
    }
    let text = arguments.before.as_deref().unwrap_or_default();
    let before = time::parse(text, now).with_context(|| format!("--before {text}"))?;
    let latest = now.checked_sub(AGE_MIN)?.as_nanosecond();
    anyhow::ensure!(
        i128::from(before.nanos()) <= latest,
        "--before {text} is less than an hour ago or in the future: other sightings of such calls may still arrive, \
         so choose an earlier moment"
    );
    Ok(before)
}

#[derive(Serialize)]
struct JsonPreview<'a> {
    before: String,
    old_events: i64,
    prunable_events: i64,
    held_by: &'a std::collections::BTreeMap<String, i64>,
    oldest_event: Option<String>,
}

/// Shows what would be deleted.
fn preview(reader: &LedgerReader, before: Timestamp, format: LedgerFormat) -> anyhow::Result<ExitCode> {
    let found = reader.prune_preview(before)?;
    ensure_current(reader)?;
    terminal::data(&match format {
        LedgerFormat::Table => text(&found, before),
        LedgerFormat::Json => parts::json(&JsonPreview {
            before: before.to_string(),
            old_events: found.old,
            prunable_events: found.prunable,
            held_by: &found.held_by,
            oldest_event: found.oldest.map(|at| at.to_string()),
        })?,
    })?;
    if found.prunable > 0 {
        terminal::say("nothing was deleted: repeat the command with --apply to delete the events");
    }
    Ok(ExitCode::SUCCESS)
}

fn text(found: &PrunePreview, before: Timestamp) -> String {
    let events = |count: i64| counted(usize::try_from(count).unwrap_or_default(), "event");
    let mut text = format!("{} began before {before}", events(found.old));
    if let Some(oldest) = found.oldest {
        text.push_str(&format!(", the first at {oldest}"));
    }
    text.push('\n');
    if found.old == 0 {
        return text;
    }
    text.push_str(&format!(
        "{} would be deleted, except those that belong together with later ones; the sums of reports and the keys of \
         the calls are kept\n",
        events(found.prunable)
    ));
    for (sink, held) in &found.held_by {
        text.push_str(&format!(
            "{} would be kept, because the sink {} has not received them; if this sink no longer exists, run \
             `spanledger ledger forget`\n",
            grouped(*held),
            clean(sink)
        ));
    }
    text
}
