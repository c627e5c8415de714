//! Formats the report of spend by one dimension, as a table, JSON or CSV.

use std::path::Path;

use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use spanledger_event::{Timestamp, Usd};
use spanledger_ledger::{MEASURES, Query, Reason, Reasons, Report, Totals};

use super::{
    amount::{dollars, grouped, percent},
    parts::{self, WIDTH},
    reasons::{bound, inexact, reasons},
    text::{csv_cell, escape_json, fit, printable, wrapped},
};
use crate::args::{By, ReportFormat};

/// The greatest width of a name if columns have to be left out.
const NAME_MAX: usize = 28;

/// A report with the data of its heading and of the explanations below it.
pub(crate) struct View<'a> {
    pub(crate) ledger: &'a Path,
    pub(crate) by: By,
    pub(crate) query: &'a Query,
    /// The times of the first and the last event.
    pub(crate) period: Option<(Timestamp, Timestamp)>,
    pub(crate) report: &'a Report,
    pub(crate) reasons: &'a Reasons,
}

impl By {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Route => "route",
            Self::Customer => "customer",
            Self::Model => "model",
            Self::Day => "day",
        }
    }
}

/// Formats the report. `width` is the width of the terminal; without it, all columns are shown.
pub(crate) fn report(view: &View<'_>, format: ReportFormat, width: Option<usize>) -> anyhow::Result<String> {
    match format {
        ReportFormat::Table => Ok(text(view, width)),
        ReportFormat::Json => json(view),
        ReportFormat::Csv => csv(view.report, view.by),
    }
}

fn text(view: &View<'_>, width: Option<usize>) -> String {
    let mut text = heading(view, width.unwrap_or(WIDTH));
    text.push_str(&table(view.report, view.by, width));
    let reasons = reasons(view.reasons, width) + &inexact(&view.report.total, width);
    if !reasons.is_empty() {
        text.push('\n');
        text.push_str(&reasons);
    }
    text
}

/// The heading: the dimension, the period and the ledger.
fn heading(view: &View<'_>, width: usize) -> String {
    let line = |label: &str, text: &str| wrapped(&format!("{label:<8}"), 8, text, width);
    let environment = view.query.environment.as_deref();
    let environment = environment.map(|name| format!(" in {}", printable(name))).unwrap_or_default();
    let mut text = format!("Spend by {}{environment}\n", view.by.name());
    text.push_str(&line("period", &period(view)));
    text.push_str(&line("ledger", &printable(&view.ledger.display().to_string())));
    text
}

fn period(view: &View<'_>) -> String {
    let bounds = match (view.query.since, view.query.until) {
        (None, None) => "all events".to_owned(),
        (since, until) => parts::period(since, until),
    };
    match view.period {
        Some((first, last)) => format!("{bounds}: {} to {} UTC", second(first), second(last)),
        None => format!("{bounds}: no events"),
    }
}

/// A moment to the second.
fn second(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// The name of a group, or a placeholder if the name is unknown.
fn group_name(by: By, name: Option<&str>) -> String {
    name.map_or_else(|| format!("(no {})", by.name()), printable)
}

/// A column of the table after the name. In a narrow terminal the columns with the greatest `expendable` are
/// left out first; a column with 0 is never left out.
struct Column {
    title: &'static str,
    expendable: u8,
    text: fn(&Totals, &Totals) -> String,
}

const COLUMNS: [Column; 9] = [
    Column { title: "requests", expendable: 0, text: |row, _| grouped(row.requests) },
    Column { title: "failed", expendable: 4, text: |row, _| count(row.failed) },
    Column { title: "retried", expendable: 5, text: |row, _| count(row.retried) },
    Column { title: "unpriced", expendable: 3, text: |row, _| count(row.unpriced) },
    Column { title: "input", expendable: 1, text: |row, _| grouped(row.prompt_tokens) },
    Column {
        title: "cached",
        expendable: 6,
        // Requests that do not state their cached tokens have no part in the share.
        text: |row, _| percent(row.cached_tokens.into(), row.cache_known_prompt_tokens.into()),
    },
    Column {
        title: "output",
        expendable: 2,
        text: |row, _| grouped(row.completion_tokens + row.reasoning_tokens),
    },
    Column { title: "spend USD", expendable: 0, text: |row, _| dollars(row.billed, bound(row)) },
    Column {
        title: "share",
        expendable: 0,
        text: |row, total| percent(row.billed.picos(), total.billed.picos()),
    },
];

/// Formats the count of an exception, such as a failure. Zero is shown as a dash, so that the other counts
/// are easy to see.
fn count(number: i64) -> String {
    if number == 0 { "–".to_owned() } else { grouped(number) }
}

/// The table, followed by a note that names the columns that were left out.
pub(crate) fn table(report: &Report, by: By, width: Option<usize>) -> String {
    let (mut table, omitted) = fitting(report, by, width);
    if let Some(width) = width.filter(|_| !omitted.is_empty()) {
        let note = format!("Left out for this width: {} (--format csv has them).", omitted.join(", "));
        table.push_str(&wrapped("", 0, &note, width));
    }
    table
}

/// The table, and the titles of the columns that were left out because the terminal is too narrow.
fn fitting(report: &Report, by: By, width: Option<usize>) -> (String, Vec<&'static str>) {
    let mut columns: Vec<&Column> = COLUMNS.iter().collect();
    let mut omitted = Vec::new();
    loop {
        let name_max = if omitted.is_empty() { usize::MAX } else { NAME_MAX };
        let table = grid(report, by, &columns, name_max);
        let fits = |width: usize| table.lines().next().is_none_or(|line| line.chars().count() <= width);
        let first_to_go = columns.iter().map(|column| column.expendable).max().filter(|&most| most > 0);
        match first_to_go {
            Some(most) if width.is_some_and(|width| !fits(width)) => {
                omitted.extend(columns.extract_if(.., |column| column.expendable == most).map(|c| c.title));
            }
            _ => return (table, omitted),
        }
    }
}

fn grid(report: &Report, by: By, columns: &[&Column], name_max: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let bold = |text: String| Cell::new(text).add_attribute(Attribute::Bold);
    let titles = std::iter::once(by.name()).chain(columns.iter().map(|column| column.title));
    table.set_header(titles.map(|title| bold(title.to_owned())));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let cells = |name: String, totals: &Totals| -> Vec<String> {
        let name = fit(&name, name_max);
        std::iter::once(name)
            .chain(columns.iter().map(|column| (column.text)(totals, &report.total)))
            .collect()
    };
    for row in &report.rows {
        table.add_row(cells(group_name(by, row.name.as_deref()), &row.totals));
    }
    table.add_row(cells("total".to_owned(), &report.total).into_iter().map(bold));
    format!("{table}\n")
}

#[derive(Serialize)]
struct JsonReport<'a> {
    by: &'static str,
    ledger: String,
    since: Option<String>,
    until: Option<String>,
    environment: Option<&'a str>,
    first_event: Option<String>,
    last_event: Option<String>,
    rows: Vec<JsonRow<'a>>,
    total: JsonRow<'a>,
    reasons: JsonReasons<'a>,
}

struct JsonRow<'a> {
    name: Option<&'a str>,
    totals: &'a Totals,
}

/// Writes the name, followed by every measure.
impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + MEASURES.len()))?;
        map.serialize_entry("name", &self.name)?;
        for measure in MEASURES {
            map.serialize_entry(measure.title, &(measure.get)(self.totals))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct JsonReasons<'a> {
    failed: Vec<JsonReason<'a>>,
    unpriced: Vec<JsonReason<'a>>,
    quarantined: Vec<JsonReason<'a>>,
    retried: JsonRetried,
}

#[derive(Serialize)]
struct JsonReason<'a> {
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    requests: i64,
}

#[derive(Serialize)]
struct JsonRetried {
    requests: i64,
    billed_again: i64,
    retry_cost_usd: Usd,
}

impl<'a> JsonReason<'a> {
    fn all(reasons: &'a [Reason]) -> Vec<Self> {
        let one = |reason: &'a Reason| Self {
            reason: &reason.name,
            detail: reason.detail.as_deref(),
            requests: reason.requests,
        };
        reasons.iter().map(one).collect()
    }
}

fn json(view: &View<'_>) -> anyhow::Result<String> {
    let View { report, reasons, query, .. } = view;
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let whole = JsonReport {
        by: view.by.name(),
        ledger: view.ledger.display().to_string(),
        since: moment(query.since),
        until: moment(query.until),
        environment: query.environment.as_deref(),
        first_event: moment(view.period.map(|(first, _)| first)),
        last_event: moment(view.period.map(|(_, last)| last)),
        rows: report
            .rows
            .iter()
            .map(|row| JsonRow { name: row.name.as_deref(), totals: &row.totals })
            .collect(),
        total: JsonRow { name: None, totals: &report.total },
        reasons: JsonReasons {
            failed: JsonReason::all(&reasons.failed),
            unpriced: JsonReason::all(&reasons.unpriced),
            quarantined: JsonReason::all(&reasons.quarantined),
            retried: JsonRetried {
                requests: reasons.retried,
                billed_again: reasons.billed_again,
                retry_cost_usd: reasons.retry_cost,
            },
        },
    };
    Ok(escape_json(format!("{}\n", serde_json::to_string_pretty(&whole)?)))
}

fn csv(report: &Report, by: By) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let titles = MEASURES.iter().map(|measure| measure.title);
    writer.write_record(std::iter::once(by.name()).chain(titles))?;
    for row in &report.rows {
        let name = csv_cell(row.name.as_deref().unwrap_or_default());
        let sums = MEASURES.iter().map(|measure| (measure.get)(&row.totals).to_string());
        writer.write_record(std::iter::once(name).chain(sums))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

#[cfg(test)]
mod tests;
