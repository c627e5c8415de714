//! The table that a sink writes, in each SQL dialect, derived from the columns of the event.
//!
//! A [`Table`] has the statements that make the table and its two views, and [`Table::compare`] says how a table
//! that exists differs from it. Sinks, `spanledger sinks ddl` and `spanledger sinks check` use it.
//!
//! # Types
//!
//! | kind of column | Postgres | ClickHouse | BigQuery | Snowflake | DuckDB |
//! |---|---|---|---|---|---|
//! | text | `text` | `String`, `LowCardinality(String)` | `STRING` | `VARCHAR` | `VARCHAR` |
//! | integer | `bigint` | `Int64` | `INT64` | `NUMBER(19,0)` | `BIGINT` |
//! | boolean | `boolean` | `Bool` | `BOOL` | `BOOLEAN` | `BOOLEAN` |
//! | dollars | `numeric(24,12)` | `Decimal(24, 12)` | `BIGNUMERIC(24,12)` | `NUMBER(24,12)` | `DECIMAL(24,12)` |
//! | decimal | `numeric` | `Decimal(38, 18)` | `BIGNUMERIC(38,18)` | `NUMBER(38,18)` | `DECIMAL(38,18)` |
//! | timestamp | `timestamp with time zone` | `DateTime64(9, 'UTC')` | `TIMESTAMP` | `TIMESTAMP_TZ(9)` | `TIMESTAMP WITH TIME ZONE` |
//! | json | `jsonb`; `json` for `usage_raw` | `String` | `STRING` | `VARIANT` | `JSON` |
//!
//! * **Dollars** are exact to 12 places everywhere. `NUMERIC` of BigQuery has only nine.
//! * **Timestamps** are moments in UTC. ClickHouse and Snowflake keep nanoseconds. Postgres, BigQuery and DuckDB keep
//!   microseconds; a sink rounds down to them, so that no event moves into the next hour.
//! * **JSON** in ClickHouse and BigQuery is a text, because their JSON types store numbers as floats and would round
//!   the amounts in `cost_lines`. The JSON functions of both read a text.
//!
//! # Key
//!
//! A row is one revision of one event. `event_id` says which event it is, and the greatest `revision` is its present
//! state. Postgres has one row for each event; elsewhere older revisions may be in the table, and the views show the
//! latest. The view `openai_events` shows the live events, and `openai_events_quarantined` those that lack
//! attribution. Void events are in neither.

use spanledger_event::{COLUMNS, Column};

mod compare;
mod create;
mod dialect;
mod name;
#[cfg(test)]
mod tests;
mod view;

pub use compare::{ExistingColumn, TableDifference, WrongType};
pub use dialect::{DECIMAL_PRECISION, DECIMAL_SCALE, Dialect, USD_PRECISION, USD_SCALE};
pub use name::{TableName, TableNameError};

/// The name of the table unless the user gives another one.
pub const DEFAULT_TABLE: &str = "openai_event_revisions";

/// The name of the view of live events unless the user gives another one.
pub const DEFAULT_VIEW: &str = "openai_events";

/// The columns that every table has, because the views and the upsert need them. They cannot be left out, and they
/// are the only ones that a table declares as `NOT NULL`: a column that is added to an existing table is null in the
/// rows that are there.
pub const KEY_COLUMNS: [&str; 4] = ["event_id", "revision", "state", "timestamp"];

/// The table of a sink in one dialect, with its views.
#[derive(Clone, Debug)]
pub struct Table {
    /// The dialect.
    pub dialect: Dialect,
    /// The name of the table.
    pub name: TableName,
    /// The name of the view of live events; that of quarantined events has `_quarantined` behind it. The views are in
    /// the schema of the table.
    pub view: String,
    /// The columns in their order.
    pub columns: Vec<&'static Column>,
    /// How the rows are divided.
    pub partitions: Partitions,
    /// The engine of a table of ClickHouse, which decides how the views leave older revisions out. Other dialects do not
    /// use it.
    pub engine: String,
}

/// How the rows of a table are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitions {
    /// As is usual for the dialect: by month in `ClickHouse`, by day in BigQuery, not at all elsewhere.
    #[default]
    Usual,
    /// By month, as partitions of a Postgres table. Other dialects treat it like [`Self::Usual`].
    ByMonth,
}

impl Table {
    /// The table with all columns and the default of everything else.
    pub fn new(dialect: Dialect, name: TableName) -> Self {
        Self {
            dialect,
            name,
            view: DEFAULT_VIEW.to_owned(),
            columns: COLUMNS.iter().collect(),
            partitions: Partitions::default(),
            engine: "ReplacingMergeTree(revision)".to_owned(),
        }
    }

    /// The table under its default name.
    pub fn default_of(dialect: Dialect) -> Self {
        Self::new(dialect, TableName::default())
    }

    /// Everything that a new database needs, as one script.
    pub fn script(&self) -> String {
        let statements = self.create_table().into_iter().chain(self.create_views());
        statements.map(|statement| format!("{statement};\n")).collect::<Vec<_>>().join("\n")
    }

    /// The name of the table as SQL.
    pub fn quoted_name(&self) -> String {
        self.name.quoted(self.dialect)
    }

    /// The name of the view of live events.
    pub fn live_view(&self) -> TableName {
        self.name.sibling(&self.view)
    }

    /// The name of the view of quarantined events.
    pub fn quarantined_view(&self) -> TableName {
        self.name.sibling(&format!("{}_quarantined", self.view))
    }
}

/// Whether a table declares the column as `NOT NULL`.
fn is_key(column: &Column) -> bool {
    KEY_COLUMNS.contains(&column.name)
}

/// The documentation of a column on one line, with its unit.
fn comment(column: &Column) -> String {
    let doc = column.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    match column.unit {
        // The unit of a moment is that of its number, which no table shows.
        "" | "ns" => doc,
        unit => format!("{doc} Unit: {unit}."),
    }
}
