//! The options of the sink.

use std::io::Stdout;

use serde::Deserialize;

use super::JsonLines;
use crate::{OptionError, SinkConfig, encode::Columns};

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
        Ok(JsonLines::stdout().with_columns(Columns::from_options(&[], &self.omit_columns)?))
    }
}
