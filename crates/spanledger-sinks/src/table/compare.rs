//! How a table that exists differs from the one that a sink needs.

use std::fmt;

use spanledger_event::{Column, ColumnKind};

use super::{DECIMAL_PRECISION, DECIMAL_SCALE, Dialect, Table, USD_PRECISION, USD_SCALE};

/// The most characters of a text of an event that is not JSON (`spanledger-event/src/limits.rs`).
const TEXT_CHARS_MAX: u64 = 1_024;

/// A column of a table that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingColumn {
    /// Its name as the database reports it.
    pub name: String,
    /// Its type as the database reports it.
    pub data_type: String,
    /// Whether a row must have a value for it: it is `NOT NULL`, has no default and is not computed.
    pub required: bool,
}

/// How a table that exists differs from the one that a sink needs. Additional columns are not a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableDifference {
    /// The columns that the table lacks. [`Table::add_columns`] adds them.
    pub missing: Vec<&'static str>,
    /// The columns whose type does not hold every value.
    pub wrong: Vec<WrongType>,
    /// Columns of the user's own that need a value, so that no row can be inserted.
    pub required: Vec<String>,
}

/// A column whose type does not hold every value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// The column.
    pub column: &'static str,
    /// The type that it has.
    pub found: String,
    /// The type that it must have.
    pub expected: String,
    /// A statement that changes the type, where the database can.
    pub change: Option<String>,
}

impl TableDifference {
    /// Whether a sink can write the table as it is.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && !self.is_blocking()
    }

    /// Whether the table needs more than additional columns.
    pub fn is_blocking(&self) -> bool {
        !self.wrong.is_empty() || !self.required.is_empty()
    }

    /// What to do, as one sentence.
    pub fn remedy(&self) -> String {
        let changes: Vec<String> = self
            .wrong
            .iter()
            .filter_map(|wrong| wrong.change.as_ref())
            .map(|sql| format!("`{sql}`"))
            .collect();
        if !self.wrong.is_empty() && changes.len() == self.wrong.len() {
            return format!(
                "change the table with {}, or give the sink's option `table` the name of a table that does not exist",
                changes.join(", ")
            );
        }
        if self.is_blocking() {
            return "give the sink's option `table` the name of a table that does not exist, and copy the old rows \
                    into the table that the sink makes"
                .to_owned();
        }
        "let the sink add the columns, or add them with the statements that `spanledger sinks ddl` prints"
            .to_owned()
    }
}

impl fmt::Display for TableDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("it lacks {}", list(self.missing.iter().copied())));
        }
        for WrongType { column, found, expected, .. } in &self.wrong {
            parts.push(format!("`{column}` is {found} and must be {expected}"));
        }
        if !self.required.is_empty() {
            let names = list(self.required.iter().map(String::as_str));
            parts.push(format!("it requires a value for {names}, which no event has"));
        }
        f.write_str(&parts.join("; "))
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Table {
    /// Compares the table with one that exists.
    pub fn compare(&self, existing: &[ExistingColumn]) -> TableDifference {
        let mut difference = TableDifference::default();
        for column in &self.columns {
            match existing.iter().find(|found| self.is_name(&found.name, column.name)) {
                None => difference.missing.push(column.name),
                Some(found) if !accepts(self.dialect, column, &found.data_type) => {
                    difference.wrong.push(WrongType {
                        column: column.name,
                        found: found.data_type.clone(),
                        expected: self.dialect.sql_type(column),
                        change: self.change_type(column),
                    });
                }
                Some(_) => {}
            }
        }
        let unknown = existing
            .iter()
            .filter(|found| !self.columns.iter().any(|column| self.is_name(&found.name, column.name)));
        difference.required.extend(unknown.filter(|found| found.required).map(|found| found.name.clone()));
        difference
    }

    /// The columns of the table in the order of one that exists, and then those that it lacks.
    #[must_use]
    pub fn in_order_of(&self, existing: &[ExistingColumn]) -> Vec<&'static Column> {
        let place = |column: &&'static Column| {
            existing.iter().position(|found| self.is_name(&found.name, column.name)).unwrap_or(usize::MAX)
        };
        let mut columns = self.columns.clone();
        columns.sort_by_key(place);
        columns
    }

    fn is_name(&self, found: &str, name: &str) -> bool {
        match self.dialect {
            Dialect::Postgres | Dialect::ClickHouse => found == name,
            Dialect::BigQuery | Dialect::Snowflake | Dialect::DuckDb => found.eq_ignore_ascii_case(name),
        }
    }

    fn change_type(&self, column: &Column) -> Option<String> {
        let (table, name) = (self.quoted_name(), self.dialect.quote(column.name));
        let kind = self.dialect.sql_type(column);
        match self.dialect {
            Dialect::Postgres => {
                Some(format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind} USING {name}::{kind}"))
            }
            Dialect::ClickHouse => Some(format!("ALTER TABLE {table} MODIFY COLUMN {name} {kind}")),
            Dialect::DuckDb => Some(format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind}")),
            // They change few types into others.
            Dialect::BigQuery | Dialect::Snowflake => None,
        }
    }
}

/// A type as a database reports it, such as `numeric(24,12)` or `timestamp(3) with time zone`.
struct TypeText {
    /// The words in lower case, without the arguments.
    base: String,
    arguments: Vec<u64>,
    is_nullable: bool,
}

impl TypeText {
    fn parse(text: &str) -> Self {
        let mut rest = text.trim();
        let mut is_nullable = false;
        // ClickHouse: `LowCardinality(Nullable(String))`.
        loop {
            let inner = |name: &str| rest.strip_prefix(name)?.strip_suffix(')');
            if let Some(inner) = inner("Nullable(") {
                (rest, is_nullable) = (inner, true);
            } else if let Some(inner) = inner("LowCardinality(") {
                rest = inner;
            } else {
                break;
            }
        }
        let (before, after) = rest.split_once('(').unwrap_or((rest, ""));
        let (arguments, behind) = after.split_once(')').unwrap_or((after, ""));
        let words = [before, behind].into_iter().flat_map(str::split_whitespace);
        Self {
            base: words.collect::<Vec<_>>().join(" ").to_ascii_lowercase(),
            arguments: arguments.split(',').filter_map(|argument| argument.trim().parse().ok()).collect(),
            is_nullable,
        }
    }

    /// Whether the type has as many digits before and behind the point.
    fn has_digits(&self, precision: u8, scale: u8) -> bool {
        match *self.arguments {
            // Postgres and BigQuery: any number.
            [] => true,
            [digits] => scale == 0 && digits >= u64::from(precision),
            [digits, behind, ..] => {
                behind >= u64::from(scale)
                    && digits.saturating_sub(behind) >= u64::from(precision) - u64::from(scale)
            }
        }
    }
}

/// Whether a column of this type holds every value that the column of an event can have.
fn accepts(dialect: Dialect, column: &Column, found: &str) -> bool {
    let found = TypeText::parse(found);
    let first = found.arguments.first().copied();
    let is_long = first.is_none_or(|chars| chars >= TEXT_CHARS_MAX);
    let is_usd = found.has_digits(USD_PRECISION, USD_SCALE);
    let is_number = found.has_digits(DECIMAL_PRECISION, DECIMAL_SCALE);
    let is_integer = found.has_digits(19, 0);
    let is_precise = first.is_none_or(|digits| digits >= 6);
    let base = found.base.as_str();
    match dialect {
        Dialect::Postgres => match column.kind {
            ColumnKind::Text => base == "text" || matches!(base, "character varying" | "varchar") && is_long,
            ColumnKind::Integer => matches!(base, "bigint" | "int8") || base == "numeric" && is_integer,
            ColumnKind::Boolean => matches!(base, "boolean" | "bool"),
            ColumnKind::Usd => base == "numeric" && is_usd,
            ColumnKind::Decimal => base == "numeric" && is_number,
            ColumnKind::Timestamp => matches!(base, "timestamp with time zone" | "timestamptz") && is_precise,
            ColumnKind::Json => matches!(base, "jsonb" | "json"),
        },
        Dialect::ClickHouse => {
            let holds = match column.kind {
                ColumnKind::Text | ColumnKind::Json => base == "string",
                ColumnKind::Integer => base == "int64",
                ColumnKind::Boolean => matches!(base, "bool" | "uint8"),
                ColumnKind::Usd => base == "decimal" && is_usd,
                ColumnKind::Decimal => base == "decimal" && is_number,
                ColumnKind::Timestamp => base == "datetime64" && is_precise,
            };
            // Without `Nullable`, a null would become zero.
            holds && (found.is_nullable || !column.nullable)
        }
        Dialect::BigQuery => match column.kind {
            ColumnKind::Text | ColumnKind::Json => base == "string" && is_long,
            ColumnKind::Integer => matches!(base, "int64" | "integer"),
            ColumnKind::Boolean => matches!(base, "bool" | "boolean"),
            ColumnKind::Usd => matches!(base, "bignumeric" | "bigdecimal") && is_usd,
            ColumnKind::Decimal => matches!(base, "bignumeric" | "bigdecimal") && is_number,
            ColumnKind::Timestamp => base == "timestamp",
        },
        Dialect::Snowflake => match column.kind {
            ColumnKind::Text => matches!(base, "varchar" | "text" | "string") && is_long,
            ColumnKind::Integer => matches!(base, "number" | "decimal") && is_integer,
            ColumnKind::Boolean => base == "boolean",
            ColumnKind::Usd => matches!(base, "number" | "decimal") && is_usd,
            ColumnKind::Decimal => matches!(base, "number" | "decimal") && is_number,
            ColumnKind::Timestamp => base == "timestamp_tz" && is_precise,
            ColumnKind::Json => base == "variant",
        },
        Dialect::DuckDb => match column.kind {
            ColumnKind::Text => base == "varchar",
            ColumnKind::Integer => matches!(base, "bigint" | "hugeint"),
            ColumnKind::Boolean => base == "boolean",
            ColumnKind::Usd => base == "decimal" && is_usd,
            ColumnKind::Decimal => base == "decimal" && is_number,
            ColumnKind::Timestamp => matches!(base, "timestamp with time zone" | "timestamptz"),
            ColumnKind::Json => matches!(base, "json" | "varchar"),
        },
    }
}
