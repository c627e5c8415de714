//! `spanledger prices diff`.

use std::process::ExitCode;

use rust_decimal::Decimal;
use serde::Serialize;
use spanledger_price::Meter;
use spanledger_pricelist::diff::{self, Change, Delta};

use super::{files, moment};
use crate::{
    args::{DiffArguments, DiffFormat},
    render::parts::{clean, counted, day, grid, rate},
    terminal,
};

#[derive(Serialize)]
struct Json<'a> {
    before: &'a str,
    after: &'a str,
    changes: &'a [Change],
}

pub(super) fn run(arguments: &DiffArguments) -> anyhow::Result<ExitCode> {
    let at = arguments.at.as_deref().map(|at| moment(Some(at))).transpose()?;
    let (before, after) = (files::book(&arguments.before)?, files::book(&arguments.after)?);
    let mut changes = diff::between(&before.book, &after.book, at);
    for side in [&before, &after].into_iter().filter(|side| side.is_one_file) {
        changes.retain(|change| side.book.provider(change.provider()).is_some());
    }
    let (before, after) = (before.book, after.book);
    terminal::data(&match arguments.format {
        DiffFormat::Table => table(&changes),
        DiffFormat::Json => {
            let whole = Json { before: before.version(), after: after.version(), changes: &changes };
            format!("{}\n", serde_json::to_string_pretty(&whole)?)
        }
    })?;
    let then = at.map(|at| format!(" at {}", day(at))).unwrap_or_default();
    let count = match changes.len() {
        0 => "no difference".to_owned(),
        count => counted(count, "difference"),
    };
    terminal::say(format_args!("{count}{then} between {} and {}", before.version(), after.version()));
    Ok(ExitCode::SUCCESS)
}

/// What stands where nothing is.
const NONE: &str = "–";

/// A table for each provider, with a heading in it for each model.
fn table(changes: &[Change]) -> String {
    let mut text = String::new();
    for of_provider in changes.chunk_by(|a, b| a.provider() == b.provider()) {
        let Some(first) = of_provider.first() else { continue };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}, in US dollars per million tokens or what is said\n", first.provider()));
        let mut rows: Vec<Vec<String>> = Vec::new();
        for of_model in of_provider.chunk_by(|a, b| a.model() == b.model()) {
            rows.push(heading(of_model));
            rows.extend(of_model.iter().filter_map(row));
        }
        let is_dated = rows.iter().any(|row| row.last().is_some_and(|since| !since.is_empty()));
        let titles = ["what", "before", "after", "change", "since"];
        let columns = if is_dated { titles.len() } else { titles.len() - 1 };
        for row in &mut rows {
            row.truncate(columns);
        }
        text.push_str(&grid(&titles[..columns], &[1, 2, 3], rows, false));
    }
    text
}

/// The model, and whether only one of the books has it.
fn heading(changes: &[Change]) -> Vec<String> {
    let model = changes.first().and_then(Change::model).unwrap_or("all models");
    let state = changes.iter().find_map(|change| match change {
        Change::Model { is_new: true, .. } => Some(": new"),
        Change::Model { is_new: false, .. } => Some(": withdrawn"),
        _ => None,
    });
    let mut row = vec![String::new(); 5];
    row[0] = format!("{model}{}", state.unwrap_or_default());
    row
}

fn row(change: &Change) -> Option<Vec<String>> {
    let (what, [before, after, percent], since) = match change {
        Change::Model { .. } => return None,
        Change::Rate { key, since, delta, .. } => {
            (format!("{key}{}", per(key.meter)), amounts(*delta), *since)
        }
        Change::Fee { meter, models, since, delta, .. } => {
            (format!("fee {} for {}{}", meter.name(), short(models), per(*meter)), amounts(*delta), *since)
        }
        Change::Discount { models, since, delta, .. } => {
            let off = |percent: Decimal| format!("{} % off", percent.normalize());
            let none = || NONE.to_owned();
            let (before, after, change) = match *delta {
                Delta::Added { to } => (none(), off(to), "new"),
                Delta::Removed { from } => (off(from), none(), "gone"),
                Delta::Changed { from, to } => (off(from), off(to), ""),
            };
            (format!("discount for {}", short(models)), [before, after, change.to_owned()], *since)
        }
        Change::Deployment { name, from, to, .. } => {
            let change = match (from, to) {
                (None, _) => "new",
                (_, None) => "gone",
                _ => "",
            };
            let [from, to] = [from, to].map(|model| model.as_deref().map_or_else(|| NONE.to_owned(), clean));
            (format!("deployment {}", clean(name)), [from, to, change.to_owned()], None)
        }
        Change::Rule { name, from, to, .. } => {
            // Of long lists only what differs.
            let without = |all: &str, other: &str| {
                let other: Vec<&str> = other.split(", ").collect();
                let left: Vec<&str> = all.split(", ").filter(|word| !other.contains(word)).collect();
                if left.is_empty() { NONE.to_owned() } else { left.join(", ") }
            };
            let both = if *name == "regional" {
                [from.clone(), to.clone()]
            } else {
                [without(from, to), without(to, from)]
            };
            let [from, to] = both;
            ((*name).to_owned(), [from, to, String::new()], None)
        }
        Change::Property { name, from, to, .. } => {
            ((*name).to_owned(), [from.clone(), to.clone(), String::new()], None)
        }
    };
    Some(vec![format!("  {what}"), before, after, percent, since.map(day).unwrap_or_default()])
}

/// Models in words, not more of them than a reader takes in.
fn short(models: &str) -> String {
    const NAMES_MAX: usize = 3;
    let names: Vec<&str> = models.split(", ").collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    let shown = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
    if more > 1 { format!("{shown} and {more} more") } else { models.to_owned() }
}

/// The unit, where it is another than that of most.
fn per(meter: Meter) -> String {
    if meter.unit() == "1M tokens" { String::new() } else { format!(" per {}", meter.unit()) }
}

fn amounts(delta: Delta) -> [String; 3] {
    let none = || NONE.to_owned();
    match delta {
        Delta::Added { to } => [none(), rate(to), "new".to_owned()],
        Delta::Removed { from } => [rate(from), none(), "gone".to_owned()],
        Delta::Changed { from, to } => [rate(from), rate(to), percent(from, to).unwrap_or_else(none)],
    }
}

/// How much more or less, in percent, to one place.
fn percent(from: Decimal, to: Decimal) -> Option<String> {
    let share = to.checked_sub(from)?.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(from)?.round_dp(1);
    let sign = if share.is_sign_negative() { "−" } else { "+" };
    Some(format!("{sign}{:.1} %", share.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_percent() {
        let percent = |from: &str, to: &str| percent(from.parse().unwrap(), to.parse().unwrap());
        assert_eq!(percent("4", "5").as_deref(), Some("+25.0 %"));
        assert_eq!(percent("3", "2").as_deref(), Some("−33.3 %"));
        assert_eq!(percent("0", "2"), None);
    }
}
