//! The row of the sink in the table of cursors.
//!
//! The position of the last batch is stored in the same transaction as its events, so that both are there or neither.
//! The row also names its writer. Whoever opens the sink writes a new name, and every transaction expects its own one:
//! of two processes with the same sink, the later one goes on, and the earlier one is fenced. A lock would not do,
//! because a session whose client has died keeps it until the server notices.

use super::{connect::Connection, fault::Translate};
use crate::{Fault, Opening, table::Table};

/// The name of the table of cursors, in the schema of the sink's table.
const CURSORS: &str = "spanledger_cursors";

/// The statement that makes the table of cursors.
pub(super) fn create(table: &Table) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (
    ledger text NOT NULL,
    sink text NOT NULL,
    table_name text NOT NULL,
    position bigint NOT NULL,
    writer text NOT NULL,
    updated_at timestamp with time zone NOT NULL DEFAULT now(),
    PRIMARY KEY (ledger, sink, table_name)
)",
        quoted_name(table)
    )
}

/// The name of the table of cursors as SQL.
pub(super) fn quoted_name(table: &Table) -> String {
    table.name.sibling(CURSORS).quoted(table.dialect)
}

/// The row of a sink, and the name under which this process writes it.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    cursors: String,
    ledger: String,
    sink: String,
    table: String,
    writer: String,
}

/// The position of a sink without claiming it; 0 if it has none.
pub(super) async fn position(
    connection: &Connection,
    server: &str,
    table: &Table,
    opening: &Opening,
) -> Result<i64, Fault> {
    let sql = format!(
        "SELECT position FROM {} WHERE ledger = $1 AND sink = $2 AND table_name = $3",
        quoted_name(table)
    );
    let name = table.name.table();
    let row = connection.client.query_opt(&sql, &[&opening.ledger, &opening.sink, &name]).await;
    Ok(row.translate(server, "read the position of the sink")?.map_or(0, |row| row.get(0)))
}

/// Claims the row of the sink. Returns the position of its last batch, or 0. `is_new` says that the table was made just
/// now, so that a position is that of a table that no longer exists.
pub(super) async fn claim(
    connection: &Connection,
    server: &str,
    table: &Table,
    opening: &Opening,
    is_new: bool,
) -> Result<(Claim, i64), Fault> {
    let cursors = quoted_name(table);
    let sql = format!(
        "INSERT INTO {cursors} AS present (ledger, sink, table_name, position, writer)
         VALUES ($1, $2, $3, 0, concat_ws('.', pg_backend_pid(), clock_timestamp(), random()))
         ON CONFLICT (ledger, sink, table_name) DO UPDATE SET writer = excluded.writer
         RETURNING position, writer"
    );
    let name = table.name.table().to_owned();
    if is_new {
        // The positions of all sinks of the table are those of a table that no longer exists.
        let sql = format!("UPDATE {cursors} SET position = 0 WHERE table_name = $1");
        connection.client.execute(&sql, &[&name]).await.translate(server, "begin the table anew")?;
    }
    let row = connection.client.query_one(&sql, &[&opening.ledger, &opening.sink, &name]).await;
    let row = row.translate(server, "claim the position of the sink")?;
    let claim = Claim {
        cursors,
        ledger: opening.ledger.clone(),
        sink: opening.sink.clone(),
        table: name,
        writer: row.get(1),
    };
    Ok((claim, row.get(0)))
}

impl Claim {
    /// Moves the position within the transaction of the events.
    pub(super) async fn advance(&self, connection: &Connection, server: &str, to: i64) -> Result<(), Fault> {
        let sql = format!(
            "UPDATE {} SET position = $1, updated_at = now()
             WHERE ledger = $2 AND sink = $3 AND table_name = $4 AND writer = $5",
            self.cursors
        );
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&to, &self.ledger, &self.sink, &self.table, &self.writer];
        let moved = connection.client.execute(&sql, &parameters).await;
        if moved.translate(server, "move the position of the sink")? == 0 {
            return Err(Fault::fenced(format!(
                "{server}: another process has opened the sink `{}` of this ledger and writes the table `{}`",
                self.sink, self.table
            )));
        }
        Ok(())
    }
}
