//! The options of the sink.

use serde::Deserialize;

use super::JsonLines;
use crate::{OptionError, Sink, SinkConfig, encode::Columns};

/// The options of `stdout`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StdoutConfig {
    /// Columns to leave out of each line.
    pub omit_columns: Vec<String>,
}

impl SinkConfig for StdoutConfig {
    fn build(self, name: String) -> Result<Box<dyn Sink>, OptionError> {
        let columns = Columns::from_options(&[], &self.omit_columns)?;
        Ok(Box::new(JsonLines::stdout(name).with_columns(columns)))
    }
}
