//! What can go wrong with a ledger.

use std::{error::Error, fmt, path::PathBuf};

use rusqlite::{ErrorCode, types::FromSqlError};
use spanledger_event::{CellError, Usd};

#[cfg(test)]
mod tests;

/// Why the ledger could not do what was asked. Nothing acknowledged before is affected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file cannot be created or opened.
    #[error(
        "cannot open the ledger {path}: check that the folder exists and is writable, or choose another file with --ledger"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: OpenError,
    },
    /// The path is that of a folder.
    #[error("cannot open the ledger {path}: it is a folder; name a file in it with --ledger")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes the file.
    #[error("the ledger {path} is in use by another process: stop it, or choose another file with --ledger")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version of Spanledger.
    #[error(
        "the ledger {path} has schema version {found}, this program knows up to {known}: use a newer spanledger, the file was left as it was"
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file was written by an earlier version of Spanledger and lacks what this reader needs, and a
    /// reader cannot bring it up to date.
    #[error(
        "the ledger {path} has schema version {found}, this program reads {readable_since} and later: start `spanledger serve` of this version once, it brings the file up to date"
    )]
    OlderVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The first version that readers of this program read.
        readable_since: i64,
    },
    /// The file could not be brought up to date.
    #[error(
        "the ledger {path} could not be brought from schema version {found} to {known}, it was left as it was: mend the cause and start again"
    )]
    Migration {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
        /// What went wrong.
        #[source]
        source: StorageError,
    },
    /// The file is another program's: a text, or an SQLite database of something else.
    #[error("{path} is not a ledger but another program's file: choose another file with --ledger")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Reading or writing failed. The transaction was rolled back; it can be tried again.
    #[error("the ledger could not be read or written, nothing of this request was recorded")]
    Storage(#[from] StorageError),
    /// A stored row cannot be read. It was damaged, or written by another version.
    #[error("a row of the ledger cannot be read")]
    Damaged(#[from] RowError),
    /// An observation cannot be stored, now or later. Nothing of its request was recorded.
    #[error("an observation cannot be stored")]
    Unstorable(#[source] RowError),
    /// The ledger is shutting down.
    #[error("the ledger is closed")]
    Closed,
}

/// What the system said when the file was opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// SQLite refused.
    #[error(transparent)]
    Database(#[from] StorageError),
}

/// Why a value does not fit its place in a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The value is not of the type of its column.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// The database holds a value of another type than the table says.
    #[error("a value has an unexpected type")]
    Type(#[from] FromSqlError),
    /// A decimal number cannot be read.
    #[error("column `{column}` does not hold a decimal number")]
    Decimal {
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        #[source]
        source: rust_decimal::Error,
    },
    /// An observation or its cost cannot be read from, or turned into, JSON.
    #[error("an observation is not the JSON that this version of Spanledger writes")]
    Json(#[from] serde_json::Error),
    /// An amount is too large to be stored.
    #[error("column `{column}` cannot hold {usd} USD: amounts must lie within 9 * 10^12 USD")]
    OutOfRange {
        /// The column.
        column: &'static str,
        /// The amount.
        usd: Usd,
    },
    /// A page of the key index is not what was written.
    #[error(
        "page {page} of run {run} of the key index cannot be read: {problem}; the index is made again from the observations when the ledger is opened for writing"
    )]
    KeyPage {
        /// The run, a row of `key_run`.
        run: u64,
        /// The page, counted from 0.
        page: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A row of the key index's list of runs is not what was written.
    #[error(
        "run {run} of the key index cannot be read: {problem}; the index is made again from the observations when the ledger is opened for writing"
    )]
    KeyRun {
        /// The run, a row of `key_run`.
        run: i64,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// What SQLite said, in words that say what to do. Its number is in [`code`](Self::code).
#[derive(Debug)]
pub struct StorageError(rusqlite::Error);

impl StorageError {
    /// SQLite's extended result code, such as 1544 for `SQLITE_READONLY_DIRECTORY`.
    pub fn code(&self) -> Option<i32> {
        self.0.sqlite_error().map(|error| error.extended_code)
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => {
                "the file or its folder is write-protected: allow this user to write both"
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
                "the file cannot be opened: allow this user to read and write it and its folder"
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another program has locked the file: end its transaction (in an `sqlite3` shell, for instance) and try again"
            }
            Some(ErrorCode::DiskFull) => "the disk is full: free some space and try again",
            Some(ErrorCode::SystemIoFailure) => {
                "the disk reported an error: check the disk and its file system, then try again"
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                "the file is damaged: stop spanledger, and restore the file from a copy or begin a new one"
            }
            Some(ErrorCode::NotADatabase) => "the file is not a database",
            Some(ErrorCode::OutOfMemory) => "there is not enough memory",
            _ => return self.0.fmt(f),
        })
    }
}

/// The words above replace SQLite's own, which are numbers; only an error without words has a source.
impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().filter(|_| self.0.sqlite_error_code().is_none())
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
