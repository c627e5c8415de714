//! How the dialects spell names, texts and types.

use spanledger_event::{Column, ColumnKind};

/// The most digits of an amount of dollars.
pub const USD_PRECISION: u8 = 24;
/// The digits of an amount of dollars behind the point.
pub const USD_SCALE: u8 = 12;
/// The most digits of another decimal number, where a dialect needs a maximum.
pub const DECIMAL_PRECISION: u8 = 38;
/// The digits of another decimal number behind the point, where a dialect needs a maximum.
pub const DECIMAL_SCALE: u8 = 18;

/// The texts of which nearly every event has another one, and long ones. All others repeat, so that `ClickHouse` stores
/// them as numbers of a dictionary.
const UNIQUE_TEXTS: [&str; 10] = [
    "event_id",
    "request_id",
    "superseded_by",
    "cost_detail",
    "prompt_cache_key",
    "batch_job_id",
    "response_id",
    "trace_id",
    "span_id",
    "parent_span_id",
];

/// A dialect of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `PostgreSQL` 12 and newer, and what speaks like it.
    Postgres,
    /// `ClickHouse` 22 and newer.
    ClickHouse,
    /// `GoogleSQL`.
    BigQuery,
    /// Snowflake.
    Snowflake,
    /// `DuckDB`, also as a reader of Parquet.
    DuckDb,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 5] =
        [Self::Postgres, Self::ClickHouse, Self::BigQuery, Self::Snowflake, Self::DuckDb];

    /// The name in commands and in the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::ClickHouse => "clickhouse",
            Self::BigQuery => "bigquery",
            Self::Snowflake => "snowflake",
            Self::DuckDb => "duckdb",
        }
    }

    /// The dialect with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The levels of a table's name, a name with all of them, and the most bytes of a part. Postgres cuts names after
    /// 63 bytes; the names of partitions and indexes need some of these.
    pub(super) const fn name_limits(self) -> (usize, &'static str, usize) {
        match self {
            Self::Postgres => (2, "schema.table", 48),
            Self::ClickHouse => (2, "database.table", 128),
            Self::BigQuery => (3, "project.dataset.table", 255),
            Self::Snowflake | Self::DuckDb => (3, "database.schema.table", 255),
        }
    }

    /// A name as SQL: quoted, so that every name is safe and no keyword is in the way.
    ///
    /// Snowflake turns names without quotes into upper case and takes quoted ones as they are. A simple name is
    /// therefore quoted in upper case, so that people can write it without quotes.
    pub fn quote(self, name: &str) -> String {
        match self {
            Self::Postgres | Self::DuckDb => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::Snowflake => {
                let is_simple = !name.starts_with(|c: char| c.is_ascii_digit())
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                let name = if is_simple { name.to_ascii_uppercase() } else { name.replace('"', "\"\"") };
                format!("\"{name}\"")
            }
            Self::ClickHouse | Self::BigQuery => {
                format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
            }
        }
    }

    /// A text as a literal of SQL.
    pub fn literal(self, text: &str) -> String {
        match self {
            // In these two, a backslash is a character like any other.
            Self::Postgres | Self::DuckDb => format!("'{}'", text.replace('\'', "''")),
            Self::ClickHouse | Self::BigQuery | Self::Snowflake => {
                format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
            }
        }
    }

    /// The type of a column, without `NOT NULL`.
    pub fn sql_type(self, column: &Column) -> String {
        let decimal = |name: &str, precision: u8, scale: u8| match self {
            Self::ClickHouse => format!("{name}({precision}, {scale})"),
            _ => format!("{name}({precision},{scale})"),
        };
        let usd = |name| decimal(name, USD_PRECISION, USD_SCALE);
        let number = |name| decimal(name, DECIMAL_PRECISION, DECIMAL_SCALE);
        let text = match (self, column.kind) {
            (Self::Postgres, ColumnKind::Text) => "text",
            (Self::Postgres, ColumnKind::Integer) => "bigint",
            (Self::Postgres, ColumnKind::Boolean) => "boolean",
            (Self::Postgres, ColumnKind::Usd) => return usd("numeric"),
            (Self::Postgres, ColumnKind::Decimal) => "numeric",
            (Self::Postgres, ColumnKind::Timestamp) => "timestamp with time zone",
            // `jsonb` orders the keys anew and writes other numbers; the provider's object stays as it is.
            (Self::Postgres, ColumnKind::Json) if column.name == "usage_raw" => "json",
            (Self::Postgres, ColumnKind::Json) => "jsonb",
            (Self::ClickHouse, _) => return clickhouse(column, &usd("Decimal"), &number("Decimal")),
            (Self::BigQuery, ColumnKind::Text | ColumnKind::Json) => "STRING",
            (Self::BigQuery, ColumnKind::Integer) => "INT64",
            (Self::BigQuery, ColumnKind::Boolean) => "BOOL",
            (Self::BigQuery, ColumnKind::Usd) => return usd("BIGNUMERIC"),
            (Self::BigQuery, ColumnKind::Decimal) => return number("BIGNUMERIC"),
            (Self::BigQuery, ColumnKind::Timestamp) => "TIMESTAMP",
            (Self::Snowflake | Self::DuckDb, ColumnKind::Text) => "VARCHAR",
            (Self::Snowflake, ColumnKind::Integer) => "NUMBER(19,0)",
            (Self::Snowflake | Self::DuckDb, ColumnKind::Boolean) => "BOOLEAN",
            (Self::Snowflake, ColumnKind::Usd) => return usd("NUMBER"),
            (Self::Snowflake, ColumnKind::Decimal) => return number("NUMBER"),
            (Self::Snowflake, ColumnKind::Timestamp) => "TIMESTAMP_TZ(9)",
            (Self::Snowflake, ColumnKind::Json) => "VARIANT",
            (Self::DuckDb, ColumnKind::Integer) => "BIGINT",
            (Self::DuckDb, ColumnKind::Usd) => return usd("DECIMAL"),
            (Self::DuckDb, ColumnKind::Decimal) => return number("DECIMAL"),
            (Self::DuckDb, ColumnKind::Timestamp) => "TIMESTAMP WITH TIME ZONE",
            (Self::DuckDb, ColumnKind::Json) => "JSON",
        };
        text.to_owned()
    }
}

/// The type in `ClickHouse`, where null is part of the type. A column that is never null has no `Nullable`, which
/// costs a second file; in rows from before the column was added, it has the empty value of its type.
fn clickhouse(column: &Column, usd: &str, number: &str) -> String {
    let plain = match column.kind {
        ColumnKind::Text | ColumnKind::Json => "String",
        ColumnKind::Integer => "Int64",
        ColumnKind::Boolean => "Bool",
        ColumnKind::Usd => usd,
        ColumnKind::Decimal => number,
        ColumnKind::Timestamp => "DateTime64(9, 'UTC')",
    };
    let plain = if column.nullable { format!("Nullable({plain})") } else { plain.to_owned() };
    if column.kind == ColumnKind::Text && !UNIQUE_TEXTS.contains(&column.name) {
        format!("LowCardinality({plain})")
    } else {
        plain
    }
}
