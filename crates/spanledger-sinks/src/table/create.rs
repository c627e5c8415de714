//! The statements that make a table and add columns to it.

use spanledger_event::Column;

use super::{Dialect, Partitions, Table, comment, is_key};

/// What a table is for, in its own comment.
const TABLE_COMMENT: &str = "Cost events of AI calls, written by Spanledger. A row is a revision of an event; the \
     greatest revision of an event_id is its present state. Read the view of live events.";

/// The inserts whose tokens `ClickHouse` remembers for a table that is not replicated. A batch that is sent again is
/// found among them.
pub(super) const DEDUPLICATION_WINDOW: u32 = 10_000;

impl Table {
    /// The statements that make the table if it does not exist, each without a semicolon at its end.
    pub fn create_table(&self) -> Vec<String> {
        let name = self.quoted_name();
        let mut lines: Vec<String> = self.columns.iter().map(|column| self.declaration(column)).collect();
        if self.dialect == Dialect::Postgres {
            // The key of a table with partitions has the column that divides it. An event keeps its timestamp.
            let key =
                if self.partitions == Partitions::ByMonth { "event_id, \"timestamp\"" } else { "event_id" };
            lines.push(format!("PRIMARY KEY ({key})"));
        }
        let lines = lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join(",\n");
        let create = format!("CREATE TABLE IF NOT EXISTS {name} (\n{lines}\n)");
        let table_comment = self.dialect.literal(TABLE_COMMENT);
        match self.dialect {
            Dialect::Postgres => {
                let partitions = match self.partitions {
                    Partitions::Usual => "",
                    Partitions::ByMonth => " PARTITION BY RANGE (\"timestamp\")",
                };
                // Rows arrive nearly in the order of time, so that an index of ranges is small and enough.
                let index = self.dialect.quote(&format!("{}_timestamp", self.name.table()));
                let mut statements = vec![
                    format!("{create}{partitions}"),
                    format!("CREATE INDEX IF NOT EXISTS {index} ON {name} USING brin (\"timestamp\")"),
                    format!("COMMENT ON TABLE {name} IS {table_comment}"),
                ];
                statements.extend(self.column_comments(&self.columns));
                statements
            }
            Dialect::ClickHouse => vec![format!(
                "{create}\nENGINE = {engine}\nPARTITION BY toYYYYMM(`timestamp`)\nORDER BY (`timestamp`, `event_id`){settings}\nCOMMENT {table_comment}",
                engine = self.engine,
                // A replicated table has a window of its own without being asked.
                settings = if self.engine.starts_with("Replicated") || self.engine.starts_with("Shared") {
                    String::new()
                } else {
                    format!("\nSETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}")
                }
            )],
            Dialect::BigQuery => {
                let clusters: Vec<String> = ["feature", "customer_id"]
                    .into_iter()
                    .filter(|name| self.columns.iter().any(|column| column.name == *name))
                    .map(|name| self.dialect.quote(name))
                    .collect();
                let clusters = if clusters.is_empty() {
                    String::new()
                } else {
                    format!("\nCLUSTER BY {}", clusters.join(", "))
                };
                vec![format!(
                    "{create}\nPARTITION BY DATE(`timestamp`){clusters}\nOPTIONS (description = {table_comment})"
                )]
            }
            Dialect::Snowflake => vec![format!("{create}\nCOMMENT = {table_comment}")],
            Dialect::DuckDb => {
                let mut statements = vec![create, format!("COMMENT ON TABLE {name} IS {table_comment}")];
                statements.extend(self.column_comments(&self.columns));
                statements
            }
        }
    }

    /// The statements that add these columns to a table that exists. They do nothing if a column is there already,
    /// for instance because another process added it in the meantime.
    pub fn add_columns(&self, columns: &[&'static Column]) -> Vec<String> {
        let name = self.quoted_name();
        let add = |column: &&'static Column| {
            format!("ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {}", self.added_declaration(column))
        };
        let mut statements: Vec<String> = columns.iter().map(add).collect();
        if matches!(self.dialect, Dialect::Postgres | Dialect::DuckDb) {
            statements.extend(self.column_comments(columns));
        }
        statements
    }

    /// The partition of a Postgres table for a month: the statement that makes it if it does not exist.
    ///
    /// `next` is the month after it; both are a year and a month from 1 to 12.
    pub fn create_month(&self, month: (i16, i8), next: (i16, i8)) -> String {
        let partition = self.name.sibling(&format!("{}_{:04}_{:02}", self.name.table(), month.0, month.1));
        let first = |(year, month): (i16, i8)| format!("'{year:04}-{month:02}-01T00:00:00Z'");
        format!(
            "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})",
            partition.quoted(self.dialect),
            self.quoted_name(),
            first(month),
            first(next)
        )
    }

    /// A column as a new table declares it.
    fn declaration(&self, column: &Column) -> String {
        // In ClickHouse, a type without `Nullable` has no null.
        let needs_not_null = is_key(column) && self.dialect != Dialect::ClickHouse;
        self.declare(column, if needs_not_null { " NOT NULL" } else { "" })
    }

    /// A column as it is added to an existing table, which may have rows.
    fn added_declaration(&self, column: &Column) -> String {
        self.declare(column, "")
    }

    fn declare(&self, column: &Column, null: &str) -> String {
        let dialect = self.dialect;
        let doc = dialect.literal(&comment(column));
        let doc = match dialect {
            Dialect::Postgres | Dialect::DuckDb => String::new(),
            Dialect::ClickHouse | Dialect::Snowflake => format!(" COMMENT {doc}"),
            Dialect::BigQuery => format!(" OPTIONS (description = {doc})"),
        };
        format!("{} {}{null}{doc}", dialect.quote(column.name), dialect.sql_type(column))
    }

    /// The comments of columns, in the dialects in which each is a statement.
    fn column_comments(&self, columns: &[&'static Column]) -> Vec<String> {
        let name = self.quoted_name();
        let one = |column: &&'static Column| {
            format!(
                "COMMENT ON COLUMN {name}.{} IS {}",
                self.dialect.quote(column.name),
                self.dialect.literal(&comment(column))
            )
        };
        columns.iter().map(one).collect()
    }
}
