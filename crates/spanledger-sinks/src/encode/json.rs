//! JSON lines.

use std::io::{self, Write};

use spanledger_event::CostEvent;

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

    /// Writes the line of an event, with its line break.
    pub fn write(&self, event: &CostEvent, out: &mut impl Write) -> io::Result<()> {
        if self.columns.is_all() {
            serde_json::to_writer(&mut *out, event)?;
        } else {
            serde_json::to_writer(&mut *out, &event.with_columns(self.columns.as_slice()))?;
        }
        out.write_all(b"\n")
    }
}
