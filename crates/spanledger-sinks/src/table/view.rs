//! The views of the latest revisions.

use super::{Dialect, Table};

impl Table {
    /// The statements that make or replace the views of the live and of the quarantined events, each without a
    /// semicolon at its end.
    ///
    /// Postgres replaces a view only if its present columns stay in their order. Give [`Table::columns`] the order of
    /// the table that exists, where columns that were added are the last ones.
    pub fn create_views(&self) -> Vec<String> {
        self.views_over(&self.quoted_name())
    }

    /// The views over another source than the table, such as `read_parquet(…)` of `DuckDB`, which is SQL.
    pub fn views_over(&self, source: &str) -> Vec<String> {
        let views = [(self.live_view(), "live"), (self.quarantined_view(), "quarantined")];
        let one = |(name, state): (super::TableName, &str)| {
            // Snowflake would otherwise take away the rights that others have on the view.
            let rights = if self.dialect == Dialect::Snowflake { " COPY GRANTS" } else { "" };
            format!(
                "CREATE OR REPLACE VIEW {}{rights} AS\n{}",
                name.quoted(self.dialect),
                self.latest(source, state)
            )
        };
        views.into_iter().map(one).collect()
    }

    /// The query of the latest revision of each event that is in a state.
    fn latest(&self, source: &str, state: &str) -> String {
        let quote = |name: &str| self.dialect.quote(name);
        let names = self.columns.iter().map(|column| format!("    {}", quote(column.name)));
        let names = names.collect::<Vec<_>>().join(",\n");
        let condition = format!("{} = '{state}'", quote("state"));
        match self.dialect {
            // The table has one row for each event.
            Dialect::Postgres => format!("SELECT\n{names}\nFROM {source}\nWHERE {condition}"),
            Dialect::ClickHouse if self.engine.contains("Replacing") => {
                format!("SELECT\n{names}\nFROM {source} FINAL\nWHERE {condition}")
            }
            // The other engines keep every revision and know no `FINAL`.
            Dialect::ClickHouse => format!(
                "SELECT\n{names}\nFROM (\n    SELECT * FROM {source} ORDER BY {} DESC LIMIT 1 BY {}, {}\n)\nWHERE {condition}",
                quote("revision"),
                quote("timestamp"),
                quote("event_id"),
            ),
            // An event never changes its timestamp. With it among the columns that divide the rows, a condition on the
            // time is applied before the revisions are compared, so that other partitions are not read.
            Dialect::BigQuery | Dialect::Snowflake | Dialect::DuckDb => format!(
                "SELECT\n{names}\nFROM (\n    SELECT * FROM {source} WHERE TRUE\n    QUALIFY row_number() OVER (PARTITION BY {}, {} ORDER BY {} DESC) = 1\n) AS latest\nWHERE {condition}",
                quote("timestamp"),
                quote("event_id"),
                quote("revision"),
            ),
        }
    }
}
