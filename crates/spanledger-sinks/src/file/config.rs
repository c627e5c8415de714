//! The options of the sink.

use std::path::PathBuf;

use serde::Deserialize;

use super::FileSink;
use crate::{
    OptionError, SinkConfig,
    encode::{Columns, LineEncoding, LineFormat},
};

/// The options of `file`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file that is written. Closed files are kept beside it.
    pub path: PathBuf,
    /// The format of the lines.
    #[serde(default)]
    pub format: LineFormat,
    /// The columns to write; all if the list is empty.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Columns to leave out of each line.
    #[serde(default)]
    pub omit_columns: Vec<String>,
    /// The file is closed when it has so many bytes; 0 means never.
    #[serde(default = "rotate_bytes")]
    pub rotate_bytes: u64,
    /// How often the file is closed whatever its size is.
    #[serde(default)]
    pub rotate_every: Rotation,
    /// Whether closed files are compressed with gzip. The last closed file is not, because a reader may still
    /// read it.
    #[serde(default)]
    pub gzip: bool,
    /// How many closed files are kept; 0 means all.
    #[serde(default)]
    pub keep_files: usize,
    /// For how many days a closed file is kept; 0 means for ever.
    #[serde(default)]
    pub keep_days: u32,
}

/// How often a file is closed whatever its size is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// Only its size closes a file.
    #[default]
    Never,
    /// A file has the events that were written in one hour, UTC.
    Hour,
    /// A file has the events that were written on one day, UTC.
    Day,
}

impl Rotation {
    /// Whether two moments, in seconds since 1970, belong to different files.
    pub(super) fn separates(self, a: i64, b: i64) -> bool {
        let seconds = match self {
            Self::Never => return false,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        };
        a.div_euclid(seconds) != b.div_euclid(seconds)
    }
}

fn rotate_bytes() -> u64 {
    100 << 20
}

impl SinkConfig for FileConfig {
    type Sink = FileSink;

    fn build(self) -> Result<FileSink, OptionError> {
        let columns = Columns::from_options(&self.columns, &self.omit_columns)?;
        if self.path.file_name().is_none() || self.path.to_string_lossy().ends_with('/') {
            let problem = format!("{} is not the path of a file", self.path.display());
            return Err(OptionError { option: "path", problem });
        }
        Ok(FileSink::new(LineEncoding::new(self.format, columns), self))
    }
}
