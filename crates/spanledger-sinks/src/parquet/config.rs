//! The options of the sink.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ParquetSink, encode::FileEncoder, objects::Service};
use crate::{
    OptionError, Secret, SinkConfig,
    encode::Columns,
    table::{Dialect, Table},
};

/// The options of `parquet`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParquetConfig {
    /// The folder: a path, or an address such as `s3://bucket/folder`.
    pub location: String,
    /// The configuration of the object store, by the names that the crate `object_store` documents.
    #[serde(default)]
    pub store: BTreeMap<String, Secret>,
    /// The Hive partition that a file is stored in.
    #[serde(default)]
    pub partition_by: PartitionBy,
    /// The columns to write; all if the list is empty.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Columns to leave out of each file.
    #[serde(default)]
    pub omit_columns: Vec<String>,
    /// The level of the compression with zstd, from 1 to 22.
    #[serde(default = "zstd_level")]
    pub zstd_level: i32,
}

/// The Hive partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionBy {
    /// `date=YYYY-MM-DD/`, by the timestamps of the events, UTC.
    #[default]
    Date,
    /// All files are in the folder itself.
    None,
}

fn zstd_level() -> i32 {
    3
}

impl SinkConfig for ParquetConfig {
    type Sink = ParquetSink;

    fn build(self) -> Result<ParquetSink, OptionError> {
        let columns = Columns::from_options(&self.columns, &self.omit_columns)?;
        let encoder = FileEncoder::new(columns, self.zstd_level).ok_or_else(|| OptionError {
            option: "zstd_level",
            problem: "the level must be from 1 to 22".to_owned(),
        })?;
        let location = |problem: String| OptionError { option: "location", problem };
        let service = match self.location.split_once("://") {
            None if self.location.is_empty() => return Err(location("it is empty".to_owned())),
            None => None,
            Some((scheme, _)) => Some(Service::of_scheme(scheme).ok_or_else(|| {
                location(format!("`{scheme}://` is not known: use a path, s3://, gs://, az:// or abfss://"))
            })?),
        };
        let unknown = |key: &&String| service.is_none_or(|service| !service.has_option(key));
        if let Some(key) = self.store.keys().find(unknown) {
            let problem = match service {
                None => format!("`{key}` is not used, because `location` is a path"),
                Some(service) => {
                    format!("`{key}` is not an option of {}; see {}", service.name(), service.docs())
                }
            };
            return Err(OptionError { option: "store", problem });
        }
        Ok(ParquetSink::new(encoder, service, self))
    }

    /// The views for `DuckDB` over the folder `table`.
    fn ddl(table: Option<&str>) -> Option<String> {
        let folder = table.unwrap_or("s3://company-lake/openai_events").trim_end_matches('/');
        let files = Dialect::DuckDb.literal(&format!("{folder}/*/*.parquet"));
        let source = format!("read_parquet({files}, hive_partitioning = true, union_by_name = true)");
        let views = Table::default_of(Dialect::DuckDb).views_over(&source);
        Some(views.into_iter().map(|view| format!("{view};\n")).collect::<Vec<_>>().join("\n"))
    }
}
