//! Opens a ledger for reading, also where this user may write nothing.

use std::{fs, path::Path, time::SystemTime};

use rusqlite::Connection;

use super::{
    identity::{FileId, beside},
    lock,
    look::{self, Reading, State, state},
};
use crate::{LedgerError, migrate::TARGET};

/// A connection that reads a ledger.
#[derive(Debug)]
pub(crate) struct ReadConnection {
    pub(crate) connection: Connection,
    /// Set where the connection shows the state of one moment.
    pub(crate) snapshot: Option<Snapshot>,
}

/// What the files looked like when a connection was opened that cannot see changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    database: Option<Stamp>,
    log: Option<Stamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    id: FileId,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Snapshot {
    /// The present state of the files.
    pub(crate) fn of(path: &Path) -> Self {
        let stamp = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            Some(Stamp {
                id: FileId::of(&metadata),
                bytes: metadata.len(),
                modified: metadata.modified().ok(),
            })
        };
        Self { database: stamp(path), log: stamp(&beside(path, "-wal")) }
    }
}

/// Opens an existing ledger for reading.
///
/// SQLite reads a database in WAL mode through a file in shared memory, `-shm`, which it creates where it is
/// missing. A user who may not create it, or a read-only file system, gets a snapshot instead: the state at
/// this moment, without any file beside the ledger. While a writer is at work this would be unsafe; but then
/// the `-shm` file exists, and is enough if this user may read it.
pub(crate) fn reader(path: &Path) -> Result<ReadConnection, LedgerError> {
    super::refuse_all_but_files(path)?;
    // SQLite's error does not say that the file is missing; that of the file system does.
    fs::metadata(path).map_err(|source| super::error(path, source))?;
    look::look(path)?;
    match look::live(path).and_then(|connection| readable(path, connection)) {
        Err(error) if look::is_for_lack_of_permission(&error) => match snapshot(path) {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => Err(error),
            Err(error) => Err(error),
        },
        opened => opened.map(|connection| ReadConnection { connection, snapshot: None }),
    }
}

/// A connection to the state of this moment; `None` while a writer is at work.
fn snapshot(path: &Path) -> Result<Option<ReadConnection>, LedgerError> {
    let snapshot = Snapshot::of(path);
    if lock::is_held(path).unwrap_or_default() {
        return Ok(None);
    }
    let reading = if look::has_log(path) { Reading::WithLog } else { Reading::Alone };
    let connection = look::open(path, reading).map_err(|source| super::error(path, source))?;
    let connection = readable(path, connection)?;
    Ok(Some(ReadConnection { connection, snapshot: Some(snapshot) }))
}

/// Returns the connection if it leads to a ledger that this program can read.
fn readable(path: &Path, connection: Connection) -> Result<Connection, LedgerError> {
    match state(path, &connection)? {
        State::Ledger(found) if found < TARGET.readable_since() => {
            let readable_since = TARGET.readable_since();
            Err(LedgerError::OlderVersion { path: path.to_owned(), found, readable_since })
        }
        State::Ledger(_) => Ok(connection),
        State::Empty => Err(LedgerError::Empty { path: path.to_owned() }),
    }
}
