//! The options of the sink.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{PostgresSink, claim};
use crate::{
    OptionError, Secret, SinkConfig,
    encode::Columns,
    table::{DEFAULT_TABLE, DEFAULT_VIEW, Dialect, KEY_COLUMNS, Partitions, Table, TableName},
};

/// The options of `postgres`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// The address of the database, `postgresql://user@host:5432/database`.
    pub url: Secret,
    /// The password of the user, if the address does not have it.
    #[serde(default = "no_secret")]
    pub password: Secret,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: TlsOption,
    /// A file with the certificates (PEM) that may sign the server's certificate, instead of those of the system.
    #[serde(default)]
    pub ca_file: PathBuf,
    /// The table, `name` or `schema.name`.
    #[serde(default = "default_table")]
    pub table: String,
    /// The view of the live events, in the schema of the table.
    #[serde(default = "default_view")]
    pub view: String,
    /// Whether the sink makes the table and the views if they do not exist.
    #[serde(default = "yes")]
    pub create_table: bool,
    /// Whether the sink adds columns that a table lacks.
    #[serde(default = "yes")]
    pub add_columns: bool,
    /// How a table that the sink makes is divided.
    #[serde(default)]
    pub partitions: PartitionOption,
    /// Columns that are not written.
    #[serde(default)]
    pub omit_columns: Vec<String>,
    /// The longest time that the server may take for a batch.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
}

/// How the connection is protected, in the words of the parameter `sslmode` of Postgres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsOption {
    /// As the address says. If it says nothing: not at all on this machine, and `verify-full` elsewhere.
    #[default]
    Auto,
    /// The connection is not encrypted.
    Disable,
    /// The connection is encrypted; the server is not verified.
    Require,
    /// The connection is encrypted, and the server's certificate and its name are verified.
    VerifyFull,
}

/// How a table is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionOption {
    /// It is one table.
    #[default]
    None,
    /// It has a partition for each month of the events' timestamps.
    Month,
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

const fn yes() -> bool {
    true
}

const fn timeout_seconds() -> u64 {
    30
}

impl PostgresConfig {
    /// The time after which the server counts as unavailable.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }

    fn table(&self) -> Result<Table, OptionError> {
        let name = |option: &'static str, name: &str| {
            TableName::parse(Dialect::Postgres, name)
                .map_err(|error| OptionError { option, problem: error.to_string() })
        };
        let mut table = Table::new(Dialect::Postgres, name("table", &self.table)?);
        let view = name("view", &self.view)?;
        if !view.path().is_empty() {
            return Err(OptionError {
                option: "view",
                problem: format!("write `{}`: the view is in the schema of the table", view.table()),
            });
        }
        if view.table() == table.name.table() {
            return Err(OptionError {
                option: "view",
                problem: "the view and the table need different names".to_owned(),
            });
        }
        view.table().clone_into(&mut table.view);
        if let Some(name) = self.omit_columns.iter().find(|name| KEY_COLUMNS.contains(&name.as_str())) {
            return Err(OptionError {
                option: "omit_columns",
                problem: format!("`{name}` cannot be left out, because the table's key and views need it"),
            });
        }
        table.columns = Columns::from_options(&[], &self.omit_columns)?.as_slice().to_vec();
        table.partitions = match self.partitions {
            PartitionOption::None => Partitions::Usual,
            PartitionOption::Month => Partitions::ByMonth,
        };
        Ok(table)
    }
}

impl SinkConfig for PostgresConfig {
    type Sink = PostgresSink;

    fn build(self) -> Result<PostgresSink, OptionError> {
        let table = self.table()?;
        Ok(PostgresSink::new(self, table))
    }

    fn ddl(table: Option<&str>) -> Option<String> {
        let name = TableName::parse(Dialect::Postgres, table.unwrap_or(DEFAULT_TABLE)).ok()?;
        let table = Table::new(Dialect::Postgres, name);
        Some(format!("{}\n{};\n", table.script(), claim::create(&table)))
    }
}
