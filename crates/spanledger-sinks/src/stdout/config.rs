//! The options of the sink.

use std::io::Stdout;

use serde::Deserialize;

use super::StdoutSink;
use crate::{
    OptionError, SinkConfig,
    encode::{Columns, LineEncoding, LineFormat},
};

/// The options of `stdout`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StdoutConfig {
    /// The format of the lines.
    pub format: LineFormat,
    /// The columns to write; all if the list is empty.
    pub columns: Vec<String>,
    /// Columns to leave out of each line.
    pub omit_columns: Vec<String>,
}

impl SinkConfig for StdoutConfig {
    type Sink = StdoutSink<Stdout>;

    fn build(self) -> Result<StdoutSink<Stdout>, OptionError> {
        let columns = Columns::from_options(&self.columns, &self.omit_columns)?;
        Ok(StdoutSink::stdout(LineEncoding::new(self.format, columns)))
    }
}
