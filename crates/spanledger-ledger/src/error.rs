//! The errors of a ledger.

use std::{error::Error, fmt, path::PathBuf};

use rusqlite::{ErrorCode, types::FromSqlError};
use spanledger_event::{CellError, Usd};

#[cfg(test)]
mod tests;

/// Why an operation of the ledger failed. Observations that were acknowledged before are not affected.
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
        /// The error of the file system or of SQLite.
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
        "the ledger {path} has schema version {found}, this program knows up to {known}: use a newer spanledger; the file was not changed"
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// The file was written by an earlier version of Spanledger, and a reader cannot bring it up to
    /// date.
    #[error(
        "the ledger {path} has schema version {found}, this program reads {known}: start `spanledger serve` of this version once to bring the file up to date"
    )]
    OlderVersion {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// The file could not be brought up to date.
    #[error(
        "the ledger {path} could not be brought from schema version {found} to {known} and was not changed: fix the cause and start again"
    )]
    Migration {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: i64,
        /// The version of this program.
        known: i64,
        /// The error of the migration.
        #[source]
        source: StorageError,
    },
    /// The file belongs to another program: it is a text, or an SQLite database that is not a ledger.
    #[error("{path} is not a ledger, but a file of another program: choose another file with --ledger")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Reading or writing failed. The transaction was rolled back; it can be tried again.
    #[error("the ledger could not be read or written; nothing of this request was recorded")]
    Storage(#[from] StorageError),
    /// A stored row cannot be read. It was damaged, or written by another version.
    #[error("a row of the ledger cannot be read")]
    Damaged(#[from] RowError),
    /// An observation can never be stored, so it is useless to send it again. Nothing of its request was
    /// recorded.
    #[error("an observation cannot be stored")]
    Unstorable(#[source] RowError),
    /// The ledger is shutting down.
    #[error("the ledger is closed")]
    Closed,
}

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system reported an error.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// SQLite reported an error.
    #[error(transparent)]
    Database(#[from] StorageError),
}

/// Why a value cannot be read from a row, or written to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The value is not of the type of its column.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// The stored value does not have the type of its column.
    #[error("a value has an unexpected type")]
    Type(#[from] FromSqlError),
    /// A decimal number cannot be read.
    #[error("column `{column}` does not hold a decimal number")]
    Decimal {
        /// The column.
        column: &'static str,
        /// The error of the parser.
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
}

/// An error of SQLite, with a message that says what to do. [`code`](Self::code) is SQLite's result code.
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

/// An error with one of the messages above has no source, because its source would print the result code.
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
