//! Opens a ledger file: creates, checks, locks and migrates it.

use std::{
    fs::File,
    hash::{BuildHasher as _, RandomState},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use uuid::Uuid;

use crate::{
    LedgerError,
    error::{OpenError, StorageError},
    migrate::TARGET,
    schema, words,
};

#[cfg(test)]
mod tests;

/// Marks a file as a ledger (`PRAGMA application_id`). The bytes are the letters `Span`.
const APPLICATION_ID: i64 = 0x5370_616E;
/// How long a statement waits while another process, such as a `sqlite3` shell, has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The lock of the only writer. The system releases it when the process ends, even after a crash.
#[derive(Debug)]
pub(crate) struct WriteLock(#[expect(dead_code, reason = "held, not used")] File);

/// Opens the file for writing and locks it. Creates the file if it does not exist, and brings a file of
/// an earlier version up to date.
pub(crate) fn writer(path: &Path) -> Result<(Connection, WriteLock), LedgerError> {
    refuse_folder(path)?;
    // SQLite's error does not say that the folder is missing; that of the file system does.
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        at(path, std::fs::metadata(folder).map_err(OpenError::from))?;
    }
    let mut connection = at(path, connect(path, OpenFlags::default()))?;
    // Refuse another program's file before anything is written, including the lock file.
    state(path, &connection)?;
    let lock = lock(path)?;
    // Read the state again: another writer may have changed the tables before this one got the lock.
    let state = state(path, &connection)?;
    at(path, configure(&connection))?;
    match state {
        State::Empty => at(path, create(&mut connection))?,
        State::Ledger(version) if version < TARGET.version() => {
            TARGET.migrate(&mut connection, version).map_err(|source| LedgerError::Migration {
                path: path.to_owned(),
                found: version,
                known: TARGET.version(),
                source,
            })?;
        }
        State::Ledger(_) => {}
    }
    Ok((connection, lock))
}

/// Opens an existing file for reading.
pub(crate) fn reader(path: &Path) -> Result<Connection, LedgerError> {
    refuse_folder(path)?;
    // SQLite's error does not say that the file is missing; that of the file system does.
    at(path, std::fs::metadata(path).map_err(OpenError::from))?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = at(path, connect(path, flags))?;
    match state(path, &connection)? {
        State::Ledger(found) if found < TARGET.readable_since() => {
            let readable_since = TARGET.readable_since();
            Err(LedgerError::OlderVersion { path: path.to_owned(), found, readable_since })
        }
        State::Ledger(_) => Ok(connection),
        State::Empty => Err(LedgerError::Foreign { path: path.to_owned() }),
    }
}

fn refuse_folder(path: &Path) -> Result<(), LedgerError> {
    if path.is_dir() { Err(LedgerError::Folder { path: path.to_owned() }) } else { Ok(()) }
}

fn lock(path: &Path) -> Result<WriteLock, LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options().create(true).append(true).open(PathBuf::from(name));
    let file = at(path, file.map_err(OpenError::from))?;
    match file.try_lock() {
        Ok(()) => Ok(WriteLock(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(LedgerError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => at(path, Err(OpenError::from(source))),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StorageError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Opens another connection for the writer's process, such as that of the checkpointer.
pub(crate) fn beside_writer(path: &Path) -> Result<Connection, LedgerError> {
    let connection = at(path, connect(path, OpenFlags::default()))?;
    at(path, connection.pragma_update(None, "synchronous", "FULL").map_err(StorageError::from))?;
    Ok(connection)
}

/// Settings of the writer's connection.
fn configure(connection: &Connection) -> Result<(), StorageError> {
    // SQLite returns the mode that is in force. It is not checked: without shared memory SQLite keeps
    // another mode, which is slower but also safe.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

fn create(connection: &mut Connection) -> Result<(), StorageError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(&schema::ddl())?;
    identify(&transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", TARGET.version())?;
    Ok(transaction.commit()?)
}

/// Gives a new ledger its id, the secret of its keys, and the words that every ledger has.
pub(crate) fn identify(connection: &Connection) -> rusqlite::Result<()> {
    // The keys of the standard library's hasher are random.
    let secret = RandomState::new().hash_one(0);
    connection.execute(
        "INSERT INTO ledger (id, key_seed, last_number, handed_out, epoch, observations) VALUES (?, ?, 0, 0, 0, 0)",
        (Uuid::now_v7().to_string(), secret.cast_signed()),
    )?;
    for (number, word) in (1..).zip(words::FIXED) {
        connection.execute("INSERT INTO word (id, text) VALUES (?, ?)", (number, word))?;
    }
    Ok(())
}

/// What a database file contains.
enum State {
    /// A database without tables, which may become a ledger.
    Empty,
    /// A ledger with tables of this version.
    Ledger(i64),
}

/// Determines what a file contains. Refuses other programs' files and ledgers of a later version.
///
/// Only SQLite may read the file: if this process opened and closed the file by other means, it would
/// release the locks that SQLite holds.
fn state(path: &Path, connection: &Connection) -> Result<State, LedgerError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let known = TARGET.version();
    let foreign = || LedgerError::Foreign { path: path.to_owned() };
    let tables = match tables {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => return Err(foreign()),
        tables => at(path, tables.map_err(StorageError::from))?,
    };
    let id = at(path, pragma("application_id").map_err(StorageError::from))?;
    let version = at(path, pragma("user_version").map_err(StorageError::from))?;
    match (id, tables) {
        (APPLICATION_ID, _) if version > known => {
            Err(LedgerError::NewerVersion { path: path.to_owned(), found: version, known })
        }
        (APPLICATION_ID, _) => Ok(State::Ledger(version)),
        (0, 0) => Ok(State::Empty),
        _ => Err(foreign()),
    }
}

fn at<T, E: Into<OpenError>>(path: &Path, result: Result<T, E>) -> Result<T, LedgerError> {
    result.map_err(|source| LedgerError::Open { path: path.to_owned(), source: source.into() })
}
