//! The file: its tables, derived from the column table, and how it is opened.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use spanledger_event::{COLUMNS, Column, ColumnKind};

use crate::{
    LedgerError,
    error::OpenError,
    rollup::{DAY, HOUR},
};

/// Marks the file as ours (`PRAGMA application_id`): the letters `Span`.
const APPLICATION_ID: i64 = 0x5370_616E;
/// The version of the tables (`PRAGMA user_version`).
const VERSION: i64 = 1;
/// How long a statement waits for another process, such as a `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The SQL columns of an event column: amounts are two integers.
pub(crate) fn sql_columns(column: &Column) -> Vec<String> {
    match column.kind {
        ColumnKind::Usd => vec![format!("{}_micros", column.name), format!("{}_picos", column.name)],
        _ => vec![column.name.to_owned()],
    }
}

fn sql_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text | ColumnKind::Decimal | ColumnKind::Json => "TEXT",
        ColumnKind::Integer | ColumnKind::Boolean | ColumnKind::Usd | ColumnKind::Timestamp => "INTEGER",
    }
}

/// The whole schema, version 1.
pub(crate) fn ddl() -> String {
    let columns: Vec<String> = COLUMNS
        .iter()
        .flat_map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            sql_columns(column)
                .into_iter()
                .map(move |name| format!("    {name} {}{null}", sql_type(column.kind)))
        })
        .collect();
    let view: Vec<String> = COLUMNS.iter().map(view_column).collect();
    format!(
        "CREATE TABLE observation (
    seq INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    event_id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    link TEXT,
    trace_link TEXT,
    trace_id TEXT,
    aggregate INTEGER NOT NULL,
    facts TEXT NOT NULL,
    cost TEXT
) STRICT;
CREATE INDEX observation_event ON observation (event_id);
CREATE INDEX observation_call ON observation (call_id);
CREATE INDEX observation_link ON observation (link) WHERE link IS NOT NULL;
CREATE INDEX observation_trace_link ON observation (trace_link) WHERE trace_link IS NOT NULL;
CREATE INDEX observation_trace ON observation (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX observation_aggregate ON observation (trace_id) WHERE aggregate = 1;

CREATE TABLE event (
{columns},
    change_seq INTEGER NOT NULL,
    first_change_seq INTEGER NOT NULL,
    PRIMARY KEY (event_id)
) STRICT;
CREATE UNIQUE INDEX event_change ON event (change_seq);
CREATE INDEX event_timestamp ON event (timestamp);

{hour}
{day}
CREATE TABLE follower (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW openai_events AS
SELECT
{view}
FROM event WHERE state <> 'void';
",
        columns = columns.join(",\n"),
        hour = HOUR.ddl(),
        day = DAY.ddl(),
        view = view.join(",\n"),
    )
}

/// How a person at an SQL prompt sees a column.
fn view_column(column: &Column) -> String {
    let name = column.name;
    match column.kind {
        ColumnKind::Usd => format!(
            "    CASE WHEN {name}_micros IS NULL THEN NULL ELSE printf('%d.%06d%06d', {name}_micros / 1000000, {name}_micros % 1000000, {name}_picos) END AS {name}"
        ),
        ColumnKind::Timestamp => {
            format!("    strftime('%Y-%m-%dT%H:%M:%SZ', {name} / 1000000000, 'unixepoch') AS {name}")
        }
        _ => format!("    {name}"),
    }
}

/// Holds the right to write; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct WriteLock(#[expect(dead_code, reason = "held, not used")] File);

pub(crate) fn lock(path: &Path) -> Result<WriteLock, LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(PathBuf::from(name))
        .map_err(|source| LedgerError::Open { path: path.to_owned(), source: source.into() })?;
    match file.try_lock() {
        Ok(()) => Ok(WriteLock(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(LedgerError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => {
            Err(LedgerError::Open { path: path.to_owned(), source: source.into() })
        }
    }
}

pub(crate) fn open_writer(path: &Path) -> Result<Connection, LedgerError> {
    let open = || -> Result<Connection, OpenError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // The answer is the mode that is in force; a file system without shared memory refuses WAL.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    let mut connection = open().map_err(|source| at(path, source))?;
    if is_empty(&connection)? {
        let transaction = connection.transaction()?;
        transaction.execute_batch(&ddl())?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    check(path, &connection)?;
    Ok(connection)
}

pub(crate) fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    let open = || -> Result<Connection, OpenError> {
        // An SQLite that opens a missing file names no reason; the system does.
        std::fs::metadata(path)?;
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
        )?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    };
    let connection = open().map_err(|source| at(path, source))?;
    check(path, &connection)?;
    Ok(connection)
}

fn at(path: &Path, source: OpenError) -> LedgerError {
    LedgerError::Open { path: path.to_owned(), source }
}

fn is_empty(connection: &Connection) -> Result<bool, LedgerError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

fn check(path: &Path, connection: &Connection) -> Result<(), LedgerError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let ids = pragma("application_id").and_then(|id| Ok((id, pragma("user_version")?)));
    let (id, version) = ids.map_err(|source| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => LedgerError::Foreign { path: path.to_owned() },
        _ => at(path, source.into()),
    })?;
    if id != APPLICATION_ID {
        return Err(LedgerError::Foreign { path: path.to_owned() });
    }
    if version > VERSION {
        return Err(LedgerError::NewerVersion { path: path.to_owned(), found: version, known: VERSION });
    }
    Ok(())
}
