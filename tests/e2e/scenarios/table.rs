//! The tables of a scenario: the expected events, and the expected totals of a report.

use std::{collections::BTreeMap, path::Path};

use spanledger_event::{COLUMNS, Cell, CostEvent};

use crate::support::{run, stdout};

/// The name of the column with the number of the row; `superseded_by` refers to that number.
const NUMBER: &str = "#";

/// A table of the file: its place and its columns.
pub(super) struct Table {
    /// The number of its first line, from one.
    pub(super) line: usize,
    pub(super) rows: usize,
    pub(super) columns: Vec<String>,
}

impl Table {
    /// Writes the table with a row for each event.
    pub(super) fn render(&self, events: &[CostEvent]) -> String {
        let rows = events.iter().enumerate().map(|(number, event)| {
            self.columns
                .iter()
                .map(|column| match column.as_str() {
                    NUMBER => (number + 1).to_string(),
                    "superseded_by" => {
                        let of = |id| events.iter().position(|other| &other.event_id == id);
                        event.superseded_by.as_ref().map_or(String::new(), |id| match of(id) {
                            Some(index) => format!("#{}", index + 1),
                            None => "an event that is not in the ledger".to_owned(),
                        })
                    }
                    "cost_lines" => {
                        let lines = event.cost_lines.iter();
                        lines.map(|line| format!("{} {}", line.kind, line.usd)).collect::<Vec<_>>().join(", ")
                    }
                    name => cell(event, name),
                })
                .collect()
        });
        self.markdown(&rows.collect::<Vec<_>>())
    }

    /// Writes the table with the totals of the program's report.
    pub(super) fn render_report(&self, ledger: &Path) -> String {
        let output = run(&["report", "--ledger", ledger.to_str().unwrap(), "--format", "json"]);
        // Amounts are number literals and are compared as they are written.
        let report: BTreeMap<String, &serde_json::value::RawValue> =
            serde_json::from_slice(&output.stdout).unwrap();
        let totals: BTreeMap<String, &serde_json::value::RawValue> =
            serde_json::from_str(report["total"].get()).unwrap();
        let value = |column: &String| match totals.get(column) {
            Some(value) => value.get().trim_matches('"').to_owned(),
            None => format!("a report has no `{column}`: {}", stdout(&output)),
        };
        self.markdown(&[self.columns.iter().map(value).collect()])
    }

    /// The first line of the file that differs from the actual table, with both tables; `None` if they are
    /// equal.
    pub(super) fn difference(&self, text: &str, actual: &str) -> Option<(usize, String)> {
        let expected: Vec<&str> = text.lines().skip(self.line - 1).take(self.rows).collect();
        let actual: Vec<&str> = actual.lines().collect();
        if expected == actual {
            return None;
        }
        let equal = expected.iter().zip(&actual).take_while(|(expected, actual)| expected == actual).count();
        let (expected, actual) = (expected.join("\n"), actual.join("\n"));
        Some((self.line + equal, format!("expected\n{expected}\nactual\n{actual}")))
    }

    fn markdown(&self, rows: &[Vec<String>]) -> String {
        let width = |index: usize| {
            let cells = rows.iter().map(|row| row[index].chars().count());
            cells.chain([self.columns[index].chars().count(), 3]).max().unwrap_or(3)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} "));
            format!("|{}|", cells.collect::<Vec<_>>().join("|"))
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        let mut lines = vec![line(&self.columns), format!("|{}|", rule.join("|"))];
        lines.extend(rows.iter().map(|row| line(row)));
        lines.join("\n")
    }
}

/// A column of an event as text; the text is empty if the value is null.
fn cell(event: &CostEvent, name: &str) -> String {
    let Some(column) = COLUMNS.iter().find(|column| column.name == name) else {
        return format!("an event has no column `{name}`");
    };
    match (column.get)(event) {
        Cell::Null => String::new(),
        Cell::Text(text) if ["trace_id", "span_id", "parent_span_id"].contains(&name) => id_name(&text),
        Cell::Text(text) => text.into_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Boolean(truth) => truth.to_string(),
        Cell::Usd(usd) => usd.to_string(),
        Cell::Decimal(number) => number.to_string(),
        Cell::Timestamp(at) => at.to_string(),
        Cell::Json(text) => match serde_json::from_str::<Vec<String>>(&text) {
            Ok(words) => words.join(", "),
            Err(_) => text.into_owned(),
        },
    }
}

/// The name that an id was made from, or the id itself if it was not made from a name.
fn id_name(id: &str) -> String {
    let byte = |index: usize| u8::from_str_radix(id.get(index..index + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..id.len()).step_by(2).map(byte).collect();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let name = name.trim_end_matches('\0');
    let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_graphic());
    if is_name { name } else { id }.to_owned()
}
