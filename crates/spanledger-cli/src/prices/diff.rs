//! `spanledger prices diff`.

use std::process::ExitCode;

use rust_decimal::Decimal;
use serde::Serialize;
use spanledger_price::Meter;
use spanledger_pricelist::diff::{self, Change, Delta, Subject, Value};

use super::{files, moment};
use crate::{
    args::{DiffArguments, DiffFormat},
    render::parts::{self, clean, counted, day, grid, rate},
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
        changes.retain(|change| side.book.provider(&change.provider).is_some());
    }
    let (before, after) = (before.book, after.book);
    terminal::data(&match arguments.format {
        DiffFormat::Table => table(&changes),
        DiffFormat::Json => {
            let whole = Json { before: before.version(), after: after.version(), changes: &changes };
            parts::json(&whole)?
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

/// The text of a cell without a value.
const NONE: &str = "–";

/// A table for each provider, with a heading row for each model.
fn table(changes: &[Change]) -> String {
    let mut text = String::new();
    for of_provider in changes.chunk_by(|a, b| a.provider == b.provider) {
        let Some(first) = of_provider.first() else { continue };
        if !text.is_empty() {
            text.push('\n');
        }
        let provider = clean(&first.provider);
        text.push_str(&format!("{provider}, in US dollars per million tokens or per the unit named\n"));
        let mut rows: Vec<[String; 5]> = Vec::new();
        for of_model in of_provider.chunk_by(|a, b| a.model == b.model) {
            rows.push(heading(of_model));
            rows.extend(of_model.iter().filter_map(row));
        }
        let titles = ["what", "before", "after", "change", "since"];
        let is_dated = rows.iter().any(|[.., since]| !since.is_empty());
        let columns = if is_dated { titles.len() } else { titles.len() - 1 };
        let rows = rows.into_iter().map(|row| row.into_iter().take(columns).collect());
        text.push_str(&grid(&titles[..columns], &[1, 2, 3], rows.collect(), false));
    }
    text
}

/// The heading row of a model. It also says whether the model is new or withdrawn.
fn heading(changes: &[Change]) -> [String; 5] {
    let model = changes.first().and_then(|change| change.model.as_deref()).unwrap_or("all models");
    let of_model = changes.iter().find(|change| change.subject == Subject::Model);
    let state = match of_model.map(|change| &change.delta) {
        Some(Delta::Removed(_)) => ": withdrawn",
        Some(_) => ": new",
        None => "",
    };
    let mut row = [const { String::new() }; 5];
    row[0] = format!("{}{state}", clean(model));
    row
}

fn row(change: &Change) -> Option<[String; 5]> {
    let Change { subject, delta, since, .. } = change;
    let what = match subject {
        Subject::Model => return None,
        Subject::Rate(key) => format!("{key}{}", per(key.meter)),
        Subject::Fee { meter, models } => {
            format!("fee {} for {}{}", meter.name(), shortened(models), per(*meter))
        }
        Subject::Discount { models } => format!("discount for {}", shortened(models)),
        Subject::Deployment(name) => format!("deployment {name}"),
        Subject::Rule(name) | Subject::Property(name) => (*name).to_owned(),
    };
    let is_discount = matches!(subject, Subject::Discount { .. });
    let show = |value: Option<&Value>| match value {
        Some(Value::Amount(percent)) if is_discount => format!("{} % off", percent.normalize()),
        Some(Value::Amount(usd)) => rate(*usd),
        Some(Value::Text(text)) => clean(text),
        Some(Value::Listed) | None => NONE.to_owned(),
    };
    let mut sides = [show(delta.before()), show(delta.after())];
    // These rules are long lists, so only the items that differ are shown.
    if matches!(subject, Subject::Rule(name) if *name != "regional") {
        let [before, after] = &sides;
        sides = [without(before, after), without(after, before)];
    }
    let [before, after] = sides;
    let change = match delta {
        Delta::Added(_) => "new".to_owned(),
        Delta::Removed(_) => "gone".to_owned(),
        Delta::Changed(Value::Amount(from), Value::Amount(to)) if !is_discount => {
            percent(*from, *to).unwrap_or_else(|| NONE.to_owned())
        }
        Delta::Changed(..) => String::new(),
    };
    Some([format!("  {}", clean(&what)), before, after, change, since.map(day).unwrap_or_default()])
}

/// The items of a list that the other one does not have.
fn without(all: &str, other: &str) -> String {
    let other: Vec<&str> = other.split(", ").collect();
    let left: Vec<&str> = all.split(", ").filter(|word| !other.contains(word)).collect();
    if left.is_empty() { NONE.to_owned() } else { left.join(", ") }
}

/// A list of models; a long list is cut.
fn shortened(models: &str) -> String {
    const NAMES_MAX: usize = 3;
    let names: Vec<&str> = models.split(", ").collect();
    match names.split_at_checked(NAMES_MAX) {
        Some((shown, more)) if more.len() > 1 => format!("{} and {} more", shown.join(", "), more.len()),
        _ => models.to_owned(),
    }
}

/// The unit, if it is not a million tokens.
fn per(meter: Meter) -> String {
    if meter.unit() == "1M tokens" { String::new() } else { format!(" per {}", meter.unit()) }
}

/// The change in percent, rounded to one decimal place. `None` if the earlier rate is zero.
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
