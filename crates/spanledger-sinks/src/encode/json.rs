//! JSON lines.

use std::io::{self, Write};

use spanledger_event::SharedEvent;

use super::Columns;

#[cfg(test)]
mod tests;

/// Writes events as lines of JSON: one object a line, without absent values. Amounts are exact number literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonLine {
    columns: Columns,
}

impl JsonLine {
    /// Writes these columns.
    pub fn new(columns: Columns) -> Self {
        Self { columns }
    }

    /// Writes the line of an event, with its line break. If no column is left out, it is the text that all
    /// sinks share.
    pub fn write(&self, event: &SharedEvent, out: &mut impl Write) -> io::Result<()> {
        if self.columns.is_all() {
            out.write_all(event.json().as_bytes())?;
        } else {
            serde_json::to_writer(&mut *out, &event.with_columns(self.columns.as_slice()))?;
        }
        out.write_all(b"\n")
    }
}
