//! Looks at a file without changing anything: neither its bytes, nor its journal mode, nor the folder.
//!
//! SQLite changes files even when it only reads: it creates `-wal` and `-shm` beside a database in WAL
//! mode. Two ways of opening avoid that:
//!
//! * `immutable=1` reads the database alone, without any lock and any other file. What is still in a
//!   write-ahead log is not seen.
//! * The VFS `unix-none` with `locking_mode=EXCLUSIVE` also reads the write-ahead log, without any lock. The
//!   index of the log is then made in memory instead of the `-shm` file. Closing such a connection releases
//!   the locks that other connections of this process have on the file, so it is used only where there can
//!   be none: they would need the `-shm` file.
//!
//! Neither notices a writer that changes the file at the same time.

use std::{ffi::OsString, path::Path};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{APPLICATION_ID, identity::beside};
use crate::{ErrorKind, LedgerError, error::StorageError, migrate::TARGET};

/// The VFS of SQLite that takes no locks.
const WITHOUT_LOCKS: &std::ffi::CStr = if cfg!(windows) { c"win32-none" } else { c"unix-none" };

/// What a database file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A database without tables, which may become a ledger.
    Empty,
    /// A ledger with tables of this version.
    Ledger(i64),
}

/// Determines what the file contains, without changing it. Refuses files of other programs and ledgers of a
/// later version.
pub(super) fn look(path: &Path) -> Result<State, LedgerError> {
    let alone = open(path, Reading::Alone).map_err(|source| super::error(path, source));
    let found = alone.and_then(|connection| state(path, &connection));
    let is_certain = match &found {
        Ok(state) => *state != State::Empty,
        // While the log is copied into the database, the database alone may look damaged.
        Err(error) => error.kind() != ErrorKind::Damaged,
    };
    if is_certain || !has_log(path) {
        return found;
    }
    // A database that was just created is still in its log.
    let with_log = if beside(path, "-shm").exists() {
        live(path)
    } else {
        open(path, Reading::WithLog).map_err(|source| super::error(path, source))
    };
    match with_log.and_then(|connection| state(path, &connection)) {
        // Then this user cannot change the file either, and what follows fails in the same way.
        Err(error) if is_for_lack_of_permission(&error) => found,
        found => found,
    }
}

/// Determines what a database contains. Refuses other programs' databases and ledgers of a later version.
pub(super) fn state(path: &Path, connection: &Connection) -> Result<State, LedgerError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let known = TARGET.version();
    let tables = match tables {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(LedgerError::NotADatabase { path: path.to_owned() });
        }
        tables => tables.map_err(|source| super::error(path, source))?,
    };
    let id = pragma("application_id").map_err(|source| super::error(path, source))?;
    let version = pragma("user_version").map_err(|source| super::error(path, source))?;
    match (id, tables) {
        (APPLICATION_ID, _) if version > known => {
            Err(LedgerError::NewerVersion { path: path.to_owned(), found: version, known })
        }
        (APPLICATION_ID, _) => Ok(State::Ledger(version)),
        (0, 0) => Ok(State::Empty),
        _ => Err(LedgerError::Foreign { path: path.to_owned() }),
    }
}

/// How a file is read without changing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The database without its write-ahead log.
    Alone,
    /// The database with its write-ahead log.
    WithLog,
}

/// Opens a database so that nothing is changed.
pub(super) fn open(path: &Path, reading: Reading) -> Result<Connection, StorageError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    match reading {
        Reading::Alone => Ok(Connection::open_with_flags(uri(path, "mode=ro&immutable=1"), flags)?),
        Reading::WithLog => {
            let connection = Connection::open_with_flags_and_vfs(uri(path, "mode=ro"), flags, WITHOUT_LOCKS)?;
            // The log must not be copied into the database when the connection is closed.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
            Ok(connection)
        }
    }
}

/// A connection that sees every commit, and needs the `-shm` file for that.
pub(super) fn live(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    super::connect(path, flags, super::BUSY_TIMEOUT).map_err(|source| super::error(path, source))
}

/// Whether SQLite needed to write or to create a file, and was not allowed to.
pub(super) fn is_for_lack_of_permission(error: &LedgerError) -> bool {
    matches!(error, LedgerError::NoSharedMemory { .. }) || error.kind() == ErrorKind::ReadOnly
}

/// Whether the write-ahead log has content.
pub(super) fn has_log(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.is_file() && log.len() > 0)
}

/// The path as a URI of SQLite. Bytes that have a meaning in a URI are escaped.
fn uri(path: &Path, parameters: &str) -> OsString {
    let mut uri = String::from("file:");
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    #[cfg(not(unix))]
    let text = format!("/{}", path.to_string_lossy().replace('\\', "/"));
    #[cfg(not(unix))]
    let bytes = text.as_bytes();
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b':' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(parameters);
    uri.into()
}
