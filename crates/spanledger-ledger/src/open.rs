//! Opens a ledger file: looks at it, locks it, creates or migrates it.

mod identity;
mod lock;
mod look;
mod read;
#[cfg(test)]
mod tests;

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use uuid::Uuid;

use self::{
    identity::links,
    lock::LockError,
    look::{State, look, state},
};
pub(crate) use self::{
    identity::{FileIdentity, beside},
    lock::WriteLock,
    read::{ReadConnection, Snapshot, reader},
};
use crate::{
    LedgerError,
    error::{OpenError, StorageError},
    migrate::TARGET,
    schema, words,
};

/// Marks a file as a ledger (`PRAGMA application_id`). The bytes are the letters `Span`.
const APPLICATION_ID: i64 = 0x5370_616E;
/// How long a reader's statement, or the opening of a writer, waits while another program has locked the
/// file, such as a `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a commit waits for such a program. All requests that wait for the commit are answered then, and
/// their clients try again; a longer wait would only keep their connections and their memory.
pub(crate) const COMMIT_BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// A ledger that is open for writing. The fields are dropped in this order: the lock is released last.
#[derive(Debug)]
pub(crate) struct WriteConnection {
    pub(crate) connection: Connection,
    pub(crate) identity: FileIdentity,
    pub(crate) lock: WriteLock,
}

/// Opens the file for writing and locks it. Creates the file if it does not exist, and brings a file of
/// an earlier version up to date.
pub(crate) fn writer(path: &Path) -> Result<WriteConnection, LedgerError> {
    let path = &std::path::absolute(path).map_err(|source| error(path, source))?;
    refuse_all_but_files(path)?;
    // SQLite's error does not say that the folder is missing; that of the file system does.
    if let Some(folder) = path.parent() {
        fs::metadata(folder).map_err(|source| error(path, source))?;
    }
    let exists = path.try_exists().map_err(|source| error(path, source))?;
    if exists {
        // Refuse another program's file before anything of it is changed, its locks included.
        look(path)?;
    }
    let lock = acquire(path)?;
    let opened = locked(path, &lock);
    if opened.is_err() && !exists && fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        // Leave no empty file behind. If it cannot be removed, it does no harm.
        drop(fs::remove_file(path));
    }
    let (connection, identity) = opened?;
    Ok(WriteConnection { connection, identity, lock })
}

fn acquire(path: &Path) -> Result<WriteLock, LedgerError> {
    WriteLock::acquire(path).map_err(|refused| match refused {
        LockError::InUse => LedgerError::InUse { path: path.to_owned() },
        LockError::File(source) => error(path, source),
    })
}

/// Locks an existing ledger without opening it, so that nobody can begin to write it. Another program's file is
/// refused; a ledger may be damaged, or of another version.
pub(crate) fn lock(path: &Path) -> Result<WriteLock, LedgerError> {
    refuse_all_but_files(path)?;
    match look(path) {
        Err(error @ (LedgerError::Foreign { .. } | LedgerError::InUse { .. })) => Err(error),
        _ => acquire(path),
    }
}

/// Opens the file that this process has locked.
fn locked(path: &Path, lock: &WriteLock) -> Result<(Connection, FileIdentity), LedgerError> {
    let file = fs::metadata(path).map_err(|source| error(path, source))?;
    if links(&file) > 1 {
        return Err(LedgerError::SeveralNames { path: path.to_owned(), names: links(&file) });
    }
    let mut connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX, BUSY_TIMEOUT)
            .map_err(|source| error(path, source))?;
    // Look again: another writer may have changed the tables before this one got the lock.
    let state = state(path, &connection)?;
    if matches!(state, State::Empty) {
        // So that the file can shrink in parts (`upkeep/space.rs`). Later it would have to be written anew.
        connection
            .pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(|source| error(path, StorageError::from(source)))?;
    }
    configure(path, &connection)?;
    match state {
        State::Empty => create(&mut connection).map_err(|source| error(path, source))?,
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
    connection.busy_timeout(COMMIT_BUSY_TIMEOUT).map_err(|source| error(path, source))?;
    let identity = lock.identity(path).map_err(|source| error(path, source))?;
    Ok((connection, identity))
}

/// Opens the file of a writer again, after an error that leaves open what the old connection still has in
/// memory. The writer keeps its lock.
///
/// After a failed `fsync` the system may take pages for clean that never reached the disk, so that the next
/// `fsync` succeeds without them. SQLite does not rely on such pages: it rolls the transaction back, and the
/// next commit writes each of its pages again. The new connection has no page of the failed transaction in
/// its cache either.
pub(crate) fn again(identity: &FileIdentity) -> Result<Connection, LedgerError> {
    identity.check()?;
    let path = identity.path();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags, COMMIT_BUSY_TIMEOUT).map_err(|source| error(path, source))?;
    configure(path, &connection)?;
    identity.check()?;
    Ok(connection)
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

/// Writes what the file has already, so that the commit needs the disk but changes nothing.
pub(crate) fn write_nothing(connection: &Connection) -> Result<(), StorageError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(connection.pragma_update(None, "user_version", version)?)
}

/// A folder, a pipe or a device cannot be a ledger.
fn refuse_all_but_files(path: &Path) -> Result<(), LedgerError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(LedgerError::Folder { path: path.to_owned() }),
        Ok(metadata) if !metadata.is_file() => Err(LedgerError::NotAFile { path: path.to_owned() }),
        // The caller finds the other errors, and knows what they mean for it.
        _ => Ok(()),
    }
}

fn connect(path: &Path, flags: OpenFlags, timeout: Duration) -> Result<Connection, StorageError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(timeout)?;
    Ok(connection)
}

/// Settings of the writer's connection.
fn configure(path: &Path, connection: &Connection) -> Result<(), LedgerError> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|source| error(path, source))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(LedgerError::NoSharedMemory { path: path.to_owned() });
    }
    let set = || -> rusqlite::Result<()> {
        // Without it SQLite may look at the value of a parameter while it plans a statement, and then plans the
        // statement again for every other value. That took ten times as long as the statement itself.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "temp_store", "MEMORY")
    };
    set().map_err(|source| error(path, source))?;
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

/// The error of an operation that was part of opening `path`.
fn error(path: &Path, source: impl Into<OpenError>) -> LedgerError {
    let path = path.to_owned();
    match source.into() {
        OpenError::Database(source) if source.is_shared_memory() => LedgerError::NoSharedMemory { path },
        source => LedgerError::Open { path, source },
    }
}
