//! CSV (RFC 4180).

use std::io::{self, Write};

use spanledger_event::{Cell, CostEvent};

use super::Columns;

#[cfg(test)]
mod tests;

/// Writes events as CSV: commas, double quotes, lines that end with a line feed, and a header.
///
/// An absent value is an empty field, and an empty text is `""`. Databases that load CSV tell the two apart
/// (PostgreSQL, DuckDB, BigQuery, Snowflake, ClickHouse). The crate `csv` quotes both or neither, so the fields are
/// written here; the tests read them with that crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csv {
    columns: Columns,
}

impl Csv {
    /// Writes these columns.
    pub fn new(columns: Columns) -> Self {
        Self { columns }
    }

    /// Writes the header: the names of the columns.
    pub fn write_header(&self, out: &mut impl Write) -> io::Result<()> {
        for (index, column) in self.columns.iter().enumerate() {
            out.write_all(separator(index))?;
            // A name consists of letters and underscores, so that it is never quoted.
            out.write_all(column.name.as_bytes())?;
        }
        out.write_all(b"\n")
    }

    /// Writes the row of an event, with its line break. A text with a line break makes a row of several lines.
    pub fn write(&self, event: &CostEvent, out: &mut impl Write) -> io::Result<()> {
        for (index, column) in self.columns.iter().enumerate() {
            out.write_all(separator(index))?;
            match (column.get)(event) {
                Cell::Null => {}
                Cell::Text(text) | Cell::Json(text) => write_text(&text, out)?,
                Cell::Integer(number) => write!(out, "{number}")?,
                Cell::Boolean(truth) => write!(out, "{truth}")?,
                Cell::Usd(amount) => write!(out, "{amount}")?,
                Cell::Decimal(number) => write!(out, "{}", number.normalize())?,
                Cell::Timestamp(moment) => write!(out, "{moment}")?,
            }
        }
        out.write_all(b"\n")
    }
}

fn separator(index: usize) -> &'static [u8] {
    if index == 0 { b"" } else { b"," }
}

fn write_text(text: &str, out: &mut impl Write) -> io::Result<()> {
    let is_plain = !text.is_empty() && !text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r'));
    if is_plain {
        return out.write_all(text.as_bytes());
    }
    out.write_all(b"\"")?;
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.write_all(b"\"\"")?;
        }
        out.write_all(part.as_bytes())?;
    }
    out.write_all(b"\"")
}
