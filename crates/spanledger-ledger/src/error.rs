//! What can go wrong with a ledger.

use std::path::PathBuf;

/// Why the ledger could not do what was asked. Nothing acknowledged before is affected.
#[derive(Debug, thiserror::Error)]
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
    /// The file is an SQLite database of something else.
    #[error("{path} is not a ledger but another program's database: choose another file with --ledger")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Reading or writing failed. The transaction was rolled back; it can be tried again.
    #[error("the ledger could not be read or written, nothing of this request was recorded")]
    Storage(#[from] rusqlite::Error),
    /// A stored row does not fit this version.
    #[error("a row of the ledger could not be read")]
    Row(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The ledger is shutting down.
    #[error("the ledger is closed")]
    Closed,
}

/// What the system said when the file was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// SQLite refused.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

impl LedgerError {
    pub(crate) fn row(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Row(error.into())
    }
}
