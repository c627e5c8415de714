//! Whether the database can be used, and what is missing is made.

use spanledger_event::Column;

use super::{
    PostgresConfig, claim,
    connect::Connection,
    fault::{Translate, fault},
};
use crate::{
    Fault, Purpose,
    table::{Dialect, ExistingColumn, Partitions, Table},
};

/// The lock under which tables are made, so that two sinks that start at once do not both make them.
const CREATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7308321949813140)";

/// A database that can be used.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that does not depend on the others")]
pub(super) struct Prepared {
    /// The columns that are unique together, of which a conflict is the same event.
    pub(super) key: Vec<&'static str>,
    /// Whether the columns have exactly the types of the rows that are sent.
    pub(super) has_own_types: bool,
    /// Whether rows need a partition for their month.
    pub(super) is_partitioned: bool,
    /// Whether the table was made just now.
    pub(super) is_new: bool,
    /// Whether the tables exist.
    pub(super) exists: bool,
    pub(super) remarks: Vec<String>,
}

/// Looks at the database, and makes what is missing if that is allowed and asked for.
pub(super) async fn prepare(
    connection: &Connection,
    server: &str,
    config: &PostgresConfig,
    table: &Table,
    purpose: Purpose,
) -> Result<Prepared, Fault> {
    let database = Database { connection, server, config, table };
    let mut prepared = Prepared::default();
    let mut kind = database.kind(&table.quoted_name()).await?;
    let cursors = database.kind(&claim::quoted_name(table)).await?;
    if kind.is_none() || cursors.is_none() {
        let (missing, name) = if kind.is_none() {
            ("the table", table.name.to_string())
        } else {
            ("the table of positions", "spanledger_cursors".to_owned())
        };
        if !config.create_table {
            return Err(Fault::blocked(
                format!("{server}: {missing} `{name}` does not exist"),
                "make it with the statements that `spanledger sinks ddl postgres` prints, or set `create_table = true`",
            ));
        }
        if purpose == Purpose::Check {
            prepared
                .remarks
                .push(format!("{missing} `{name}` does not exist; the sink makes it when it delivers"));
            if kind.is_none() {
                return Ok(prepared);
            }
        } else {
            prepared.is_new = kind.is_none();
            database.create(kind.is_none()).await?;
            kind = database.kind(&table.quoted_name()).await?;
        }
    }
    prepared.exists = cursors.is_some() || purpose == Purpose::Deliver;
    match kind.as_deref() {
        Some("r" | "f") => {}
        Some("p") => prepared.is_partitioned = true,
        _ => {
            return Err(Fault::blocked(
                format!("{server}: `{}` is not a table", table.name),
                "give the option `table` another name",
            ));
        }
    }
    database.check_rights().await?;
    let (columns, has_own_types) = database.check_columns(purpose, &mut prepared.remarks).await?;
    prepared.has_own_types = has_own_types;
    prepared.key = database.key().await?;
    if purpose == Purpose::Deliver {
        database.make_views(&columns, prepared.is_new, &mut prepared.remarks).await;
    }
    Ok(prepared)
}

struct Database<'a> {
    connection: &'a Connection,
    server: &'a str,
    config: &'a PostgresConfig,
    table: &'a Table,
}

impl Database<'_> {
    /// The kind of a relation as the catalogue has it, if it exists.
    async fn kind(&self, quoted_name: &str) -> Result<Option<String>, Fault> {
        let sql = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1::text)";
        let row = self.connection.client.query_opt(sql, &[&quoted_name]).await;
        Ok(row.translate(self.server, "look for the table")?.map(|row| row.get(0)))
    }

    async fn create(&self, needs_table: bool) -> Result<(), Fault> {
        let mut script = format!("BEGIN;\n{CREATION_LOCK};\n");
        if needs_table {
            for statement in self.table.create_table() {
                script.push_str(&format!("{statement};\n"));
            }
        }
        script.push_str(&format!("{};\nCOMMIT;", claim::create(self.table)));
        self.connection.client.batch_execute(&script).await.translate(self.server, "make the table")
    }

    async fn check_rights(&self) -> Result<(), Fault> {
        let name = self.table.quoted_name();
        let sql = "SELECT has_table_privilege($1::text, 'SELECT'), has_table_privilege($1::text, 'INSERT'),
                          has_table_privilege($1::text, 'UPDATE'),
                          has_database_privilege(current_database(), 'TEMPORARY'),
                          current_user::text, current_database()::text";
        let row = self.connection.client.query_one(sql, &[&name]).await;
        let row = row.translate(self.server, "look at the rights on the table")?;
        let missing: Vec<&str> = ["SELECT", "INSERT", "UPDATE"]
            .into_iter()
            .enumerate()
            .filter(|(index, _)| !row.get::<_, bool>(*index))
            .map(|(_, right)| right)
            .collect();
        let quote = |name: String| self.table.dialect.quote(&name);
        let (user, database) = (quote(row.get(4)), quote(row.get(5)));
        if !missing.is_empty() {
            let rights = missing.join(", ");
            return Err(Fault::blocked(
                format!("{}: the user {user} lacks the right {rights} on `{}`", self.server, self.table.name),
                format!("`GRANT {rights} ON {name} TO {user}`"),
            ));
        }
        if !row.get::<_, bool>(3) {
            return Err(Fault::blocked(
                format!("{}: the user {user} may not make temporary tables", self.server),
                format!("`GRANT TEMPORARY ON DATABASE {database} TO {user}`"),
            ));
        }
        Ok(())
    }

    /// The columns of a table or a view, in their order.
    async fn columns(&self, quoted_name: &str) -> Result<Vec<ExistingColumn>, Fault> {
        let sql = "SELECT attname::text, format_type(atttypid, atttypmod),
                          attnotnull AND NOT atthasdef AND attidentity = ''
                   FROM pg_attribute
                   WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped
                   ORDER BY attnum";
        let rows = self.connection.client.query(sql, &[&quoted_name]).await;
        let rows = rows.translate(self.server, "read the columns of the table")?;
        let column = |row: tokio_postgres::Row| ExistingColumn {
            name: row.get(0),
            data_type: row.get(1),
            required: row.get(2),
        };
        Ok(rows.into_iter().map(column).collect())
    }

    /// Compares the columns, and adds those that are missing. Returns the columns in the table's order, and whether they
    /// have exactly the types that the sink would give them.
    async fn check_columns(
        &self,
        purpose: Purpose,
        remarks: &mut Vec<String>,
    ) -> Result<(Vec<&'static Column>, bool), Fault> {
        let existing = self.columns(&self.table.quoted_name()).await?;
        let difference = self.table.compare(&existing);
        if difference.is_blocking() || (!difference.missing.is_empty() && !self.config.add_columns) {
            return Err(Fault::blocked(
                format!("{}: the table `{}` has another shape: {difference}", self.server, self.table.name),
                difference.remedy(),
            ));
        }
        if !difference.missing.is_empty() {
            if purpose == Purpose::Check {
                remarks.push(format!(
                    "the table `{}` differs: {difference}; the sink adds the columns when it delivers",
                    self.table.name
                ));
            } else {
                let missing: Vec<&'static Column> =
                    difference.missing.iter().filter_map(|name| Column::named(name)).collect();
                let script = self.table.add_columns(&missing).join(";\n");
                self.connection.client.batch_execute(&script).await.translate(self.server, "add columns")?;
                remarks.push(format!(
                    "the table `{}` got the columns {}",
                    self.table.name,
                    difference.missing.join(", ")
                ));
            }
        }
        let has_own_type = |found: &ExistingColumn| {
            let column = self.table.columns.iter().find(|column| column.name == found.name);
            column.is_none_or(|column| Dialect::Postgres.sql_type(column) == found.data_type)
        };
        Ok((self.table.in_order_of(&existing), existing.iter().all(has_own_type)))
    }

    /// The unique columns that identify an event.
    async fn key(&self) -> Result<Vec<&'static str>, Fault> {
        let sql = "SELECT array_agg(a.attname::text ORDER BY a.attname)
                   FROM pg_index i
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                   WHERE i.indrelid = to_regclass($1::text) AND i.indisunique AND i.indisvalid
                     AND i.indpred IS NULL AND i.indexprs IS NULL
                   GROUP BY i.indexrelid";
        let name = self.table.quoted_name();
        let rows = self.connection.client.query(sql, &[&name]).await;
        let rows = rows.translate(self.server, "read the keys of the table")?;
        let keys: Vec<Vec<String>> = rows.iter().map(|row| row.get(0)).collect();
        let known: [&[&'static str]; 2] = [&["event_id"], &["event_id", "timestamp"]];
        let found = known.into_iter().find(|key| keys.iter().any(|found| found == key));
        found.map(<[&str]>::to_vec).ok_or_else(|| {
            Fault::blocked(
                format!("{}: no key of the table `{}` identifies an event", self.server, self.table.name),
                format!(
                    "`ALTER TABLE {name} ADD PRIMARY KEY (event_id)`, or (event_id, \"timestamp\") if it has partitions"
                ),
            )
        })
    }

    /// Makes the views if they do not exist or lack columns. A view that cannot be made is a remark: the delivery does
    /// not need it.
    async fn make_views(&self, columns: &[&'static Column], is_new: bool, remarks: &mut Vec<String>) {
        if !self.config.create_table {
            return;
        }
        let ordered = Table { columns: columns.to_vec(), ..self.table.clone() };
        let names = [self.table.live_view(), self.table.quarantined_view()];
        for (name, statement) in names.into_iter().zip(ordered.create_views()) {
            let quoted = name.quoted(Dialect::Postgres);
            let existing = self.columns(&quoted).await.unwrap_or_default();
            let has_all = columns.iter().all(|column| existing.iter().any(|found| found.name == column.name));
            if !existing.is_empty() && (has_all || is_new) {
                continue;
            }
            if let Err(error) = self.connection.client.batch_execute(&statement).await {
                let problem = fault(&error, self.server, "make the view");
                remarks.push(format!("the view `{name}` could not be made: {}", problem.reason()));
            }
        }
    }
}

/// Makes the partition of a month, if nobody else did. The insert says if there is none.
pub(super) async fn make_month(
    connection: &Connection,
    server: &str,
    table: &Table,
    (year, month): (i16, i8),
) -> Result<(), Fault> {
    debug_assert_eq!(table.partitions, Partitions::ByMonth);
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let statement = table.create_month((year, month), next);
    match connection.client.batch_execute(&statement).await {
        // 42P17: partitions of the user's own are there. 42501: somebody else makes the partitions.
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P17" | "42501")) => Ok(()),
        outcome => outcome.translate(server, "make the partition of a month"),
    }
}
