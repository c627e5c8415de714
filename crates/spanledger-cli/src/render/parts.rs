//! Formats the parts of tables and texts, mainly those of the price book.

use std::fmt;

use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use spanledger_event::Timestamp;

use super::text::{escape_json, printable, printable_lines};
use crate::terminal;

/// The greatest width of texts and tables.
pub(crate) const WIDTH: usize = 100;

/// The width of texts and tables: that of the terminal, if it is narrower.
pub(crate) fn width() -> usize {
    terminal::width().map_or(WIDTH, |columns| columns.min(WIDTH))
}

/// A table. The columns in `right` are aligned to the right; with `total`, the last row is bold.
pub(crate) fn grid(titles: &[&str], right: &[usize], rows: Vec<Vec<String>>, total: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let bold = |text: &str| Cell::new(text).add_attribute(Attribute::Bold);
    table.set_header(titles.iter().map(|title| bold(title)));
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let last = rows.len().saturating_sub(1);
    for (index, row) in rows.into_iter().enumerate() {
        let row: Vec<String> = row.iter().map(|cell| printable_lines(cell)).collect();
        if total && index == last {
            table.add_row(row.iter().map(|text| bold(text)).collect::<Vec<_>>());
        } else {
            table.add_row(row);
        }
    }
    format!("{table}\n")
}

/// Formats the amounts of a column with as many decimal places as the longest one needs, so that the decimal
/// points are aligned.
pub(crate) fn aligned(amounts: &[Option<Decimal>]) -> Vec<String> {
    const PLACES_MIN: u32 = 2;
    let places = amounts.iter().flatten().map(|amount| amount.normalize().scale()).max();
    let places = places.unwrap_or_default().max(PLACES_MIN);
    let show = |amount: &Option<Decimal>| {
        amount.map_or_else(|| "–".to_owned(), |amount| padded(amount.normalize(), places))
    };
    amounts.iter().map(show).collect()
}

/// Pads the amount with zeros to the given decimal places. The amount is never rounded.
fn padded(amount: Decimal, places: u32) -> String {
    let places = usize::try_from(places.max(amount.scale())).unwrap_or_default();
    format!("{amount:.places$}")
}

/// An exact dollar rate with at least two decimal places.
pub(crate) fn rate(usd: Decimal) -> String {
    padded(usd.normalize(), 2)
}

/// A number with separators: `1,234,567.5`.
pub(crate) fn quantity(number: Decimal) -> String {
    let text = number.normalize().to_string();
    let (whole, places) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), super::amount::grouped);
    places.map_or_else(|| whole.clone(), |places| format!("{whole}.{places}"))
}

/// A value as JSON that is safe to show in a terminal.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(escape_json(format!("{}\n", serde_json::to_string_pretty(value)?)))
}

/// A decimal as a number literal in JSON.
pub(crate) fn number(amount: Decimal) -> Option<Box<RawValue>> {
    // A decimal is always a JSON number.
    RawValue::from_string(amount.normalize().to_string()).ok()
}

/// Formats a moment. The start of a day is shown as the day only.
pub(crate) fn day(at: Timestamp) -> String {
    let text = at.to_string();
    text.strip_suffix("T00:00:00Z").map_or_else(|| text.clone(), str::to_owned)
}

/// Formats a period, for example `from 2026-04-23 until 2026-10-01`.
pub(crate) fn period(from: Option<Timestamp>, until: Option<Timestamp>) -> String {
    match (from.map(day), until.map(day)) {
        (None, None) => "at any time".to_owned(),
        (None, Some(until)) => format!("until {until}"),
        (Some(from), None) => format!("from {from}"),
        (Some(from), Some(until)) => format!("from {from} until {until}"),
    }
}

/// A label and its text. The wrapped lines of the text are indented to the column where the text begins.
pub(crate) fn field(label: &str, text: &str) -> String {
    const LABEL: usize = 13;
    wrapped(&format!("{label:<LABEL$} "), LABEL + 1, &printable(text))
}

/// A text wrapped at the [`width`]: `first` before its first line, `indent` spaces before the others.
pub(crate) fn wrapped(first: &str, indent: usize, text: &str) -> String {
    super::text::wrapped(first, indent, text, width())
}

/// Names in a sentence: `a, b and c`.
pub(crate) fn list<T: fmt::Display>(names: impl IntoIterator<Item = T>, word: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Makes a name from outside the program safe for a terminal.
pub(crate) fn clean(text: &str) -> String {
    printable(text)
}

/// `1 line`, `2 lines`.
pub(crate) fn counted(count: usize, one: &str) -> String {
    let number = super::amount::grouped(i64::try_from(count).unwrap_or(i64::MAX));
    format!("{number} {one}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_align_and_keep_every_place() {
        let amounts = ["0.010", "12.5", "0.000000000001"].map(|text| Some(decimal(text)));
        assert_eq!(aligned(&amounts), ["0.010000000000", "12.500000000000", "0.000000000001"]);
        assert_eq!(aligned(&[Some(decimal("5")), None]), ["5.00", "–"]);
        assert_eq!((rate(decimal("0.125")), rate(decimal("30"))), ("0.125".into(), "30.00".into()));
        assert_eq!(
            (quantity(decimal("1234567.50")), quantity(decimal("12"))),
            ("1,234,567.5".into(), "12".into())
        );
    }

    #[test]
    fn wrapped_lines_are_indented() {
        let text = field("sources", &"word ".repeat(30));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("              word")), "{text}");
        assert_eq!(list(["a", "b", "c"], "or"), "a, b or c");
    }

    #[test]
    fn periods_are_formatted_in_words() {
        let at = |text: &str| Timestamp::parse(text);
        assert_eq!(period(at("2026-04-23T00:00:00Z"), None), "from 2026-04-23");
        assert_eq!(period(None, at("2026-04-23T10:00:00Z")), "until 2026-04-23T10:00:00Z");
    }
}
