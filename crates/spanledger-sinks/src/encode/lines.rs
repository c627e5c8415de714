//! The formats that are written line by line.

use std::io::{self, Write};

use serde::Deserialize;
use spanledger_event::SharedEvent;

use super::{Columns, Csv, JsonLine};

/// A format that is written line by line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineFormat {
    /// JSON lines.
    #[default]
    Json,
    /// CSV with a header.
    Csv,
}

/// Writes events in one of the formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineEncoding {
    /// Writes JSON lines.
    Json(JsonLine),
    /// Writes CSV.
    Csv(Csv),
}

impl LineEncoding {
    /// Writes these columns in this format.
    pub fn new(format: LineFormat, columns: Columns) -> Self {
        match format {
            LineFormat::Json => Self::Json(JsonLine::new(columns)),
            LineFormat::Csv => Self::Csv(Csv::new(columns)),
        }
    }

    /// What a file begins with; nothing for JSON lines.
    pub fn header(&self) -> io::Result<Vec<u8>> {
        let mut header = Vec::new();
        if let Self::Csv(csv) = self {
            csv.write_header(&mut header)?;
        }
        Ok(header)
    }

    /// Writes the line of an event, with its line break.
    pub fn write(&self, event: &SharedEvent, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Json(json) => json.write(event, out),
            Self::Csv(csv) => csv.write(event, out),
        }
    }
}
