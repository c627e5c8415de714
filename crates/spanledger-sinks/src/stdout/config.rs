//! The options of the sink.

use std::io::Stdout;

use serde::Deserialize;
use spanledger_event::COLUMNS;

use super::JsonLines;
use crate::{OptionError, SinkConfig};

/// The columns that a reader of an append-only destination needs.
const KEY_COLUMNS: [&str; 3] = ["event_id", "revision", "state"];

/// The options of `stdout`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StdoutConfig {
    /// Columns to leave out of each line.
    pub omit_columns: Vec<String>,
}

impl SinkConfig for StdoutConfig {
    type Sink = JsonLines<Stdout>;

    fn build(self) -> Result<JsonLines<Stdout>, OptionError> {
        let problem = |problem: String| OptionError { option: "omit_columns", problem };
        for column in &self.omit_columns {
            if KEY_COLUMNS.contains(&column.as_str()) {
                return Err(problem(format!(
                    "`{column}` cannot be left out, because a reader needs it to tell which line of an event counts"
                )));
            }
            if !COLUMNS.iter().any(|known| known.name == column) {
                return Err(problem(format!(
                    "`{column}` is not a column of an event; `spanledger tail --format json` shows the columns"
                )));
            }
        }
        Ok(JsonLines::stdout().without_columns(self.omit_columns))
    }
}
