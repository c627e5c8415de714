//! The options of the sink.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::ClickHouseSink;
use crate::{
    OptionError, Secret, SinkConfig,
    encode::Columns,
    table::{DEFAULT_TABLE, DEFAULT_VIEW, Dialect, KEY_COLUMNS, Table, TableName},
};

/// The options of `clickhouse`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClickHouseConfig {
    /// The address of the HTTP interface.
    pub url: String,
    /// The user.
    #[serde(default = "default_name")]
    pub user: String,
    /// The user's password.
    #[serde(default = "no_secret")]
    pub password: Secret,
    /// The database of the table.
    #[serde(default = "default_name")]
    pub database: String,
    /// The table.
    #[serde(default = "default_table")]
    pub table: String,
    /// The view of the live events.
    #[serde(default = "default_view")]
    pub view: String,
    /// Whether the sink makes the table and the views if they do not exist.
    #[serde(default = "yes")]
    pub create_table: bool,
    /// Whether the sink adds columns that a table lacks.
    #[serde(default = "yes")]
    pub add_columns: bool,
    /// The engine of a table that the sink makes.
    #[serde(default = "default_engine")]
    pub engine: String,
    /// Columns that are not written.
    #[serde(default)]
    pub omit_columns: Vec<String>,
    /// Settings of ClickHouse for each insert.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// A file with the certificates (PEM) that may sign the server's certificate, instead of those of the system.
    #[serde(default)]
    pub ca_file: PathBuf,
    /// The longest time that the server may take for a request.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
}

fn default_name() -> String {
    "default".to_owned()
}

fn no_secret() -> Secret {
    Secret::new("")
}

fn default_table() -> String {
    DEFAULT_TABLE.to_owned()
}

fn default_view() -> String {
    DEFAULT_VIEW.to_owned()
}

fn default_engine() -> String {
    "ReplacingMergeTree(revision)".to_owned()
}

const fn yes() -> bool {
    true
}

const fn timeout_seconds() -> u64 {
    60
}

impl ClickHouseConfig {
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }

    fn table(&self) -> Result<Table, OptionError> {
        let name = |option: &'static str, name: &str| {
            let parsed = TableName::parse(Dialect::ClickHouse, name)
                .map_err(|error| OptionError { option, problem: error.to_string() })?;
            if parsed.path().is_empty() {
                Ok(parsed)
            } else {
                let problem =
                    "write the name without a database, and that in the option `database`".to_owned();
                Err(OptionError { option, problem })
            }
        };
        let mut table = Table::new(Dialect::ClickHouse, name("table", &self.table)?);
        name("view", &self.view)?.table().clone_into(&mut table.view);
        if table.view == table.name.table() {
            let problem = "the view and the table need different names".to_owned();
            return Err(OptionError { option: "view", problem });
        }
        if let Some(name) = self.omit_columns.iter().find(|name| KEY_COLUMNS.contains(&name.as_str())) {
            return Err(OptionError {
                option: "omit_columns",
                problem: format!("`{name}` cannot be left out, because the table's key and views need it"),
            });
        }
        table.columns = Columns::from_options(&[], &self.omit_columns)?.as_slice().to_vec();
        self.engine.clone_into(&mut table.engine);
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if let Some(name) = self.settings.keys().find(|name| !is_name(name)) {
            let problem = format!("`{name}` is not the name of a setting");
            return Err(OptionError { option: "settings", problem });
        }
        Ok(table)
    }
}

impl SinkConfig for ClickHouseConfig {
    type Sink = ClickHouseSink;

    fn build(self) -> Result<ClickHouseSink, OptionError> {
        let url = reqwest::Url::parse(&self.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| OptionError {
            option: "url",
            problem: "write the address of the HTTP interface, such as `https://clickhouse.example.com:8443`"
                .to_owned(),
        })?;
        let table = self.table()?;
        Ok(ClickHouseSink::new(self, url, table))
    }

    fn ddl(table: Option<&str>) -> Option<String> {
        let name = TableName::parse(Dialect::ClickHouse, table.unwrap_or(DEFAULT_TABLE)).ok()?;
        Some(Table::new(Dialect::ClickHouse, name).script())
    }
}
