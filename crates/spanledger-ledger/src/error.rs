//! What can go wrong with a ledger.

mod kind;
mod storage;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, time::Duration};

use rusqlite::types::FromSqlError;
use spanledger_event::{CellError, Usd};

pub use self::{kind::ErrorKind, storage::StorageError};

/// Why the ledger could not do what was asked. Nothing acknowledged before is affected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file cannot be created or opened.
    #[error("cannot open the ledger {path}{}", source.remedy())]
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
    /// The path is that of a pipe, a socket or a device.
    #[error("cannot open the ledger {path}: it is not a regular file; choose another one with --ledger")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Another process writes the file, whatever path it uses.
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
    /// The file has several names. SQLite would keep a write-ahead log for each of them, and what was
    /// committed through one name could be missing under the others.
    #[error(
        "the ledger {path} has {names} names (hard links), and SQLite is safe with one only: remove the others, which `find -samefile` lists"
    )]
    SeveralNames {
        /// The file, by one of its names.
        path: PathBuf,
        /// How many names it has.
        names: u64,
    },
    /// The file is an SQLite database of another program.
    #[error("{path} is not a ledger but another program's database: choose another file with --ledger")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a database: a text, or a database whose beginning is damaged.
    #[error(
        "{path} is not a ledger but another kind of file, or its beginning is damaged: choose another file with --ledger, or restore this one from a copy"
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is empty, and a reader cannot make a ledger of it.
    #[error("the ledger {path} is empty: start `spanledger serve` once, it creates the ledger")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file lies on a file system on which programs cannot share memory. Some network file systems and
    /// shared folders of virtual machines are such.
    #[error(
        "the ledger {path} cannot be opened safely: its file system offers no shared memory, which the write-ahead log needs; put the ledger on a local disk with --ledger"
    )]
    NoSharedMemory {
        /// The file.
        path: PathBuf,
    },
    /// The file, or one that belongs to it, was deleted or renamed while the ledger was open.
    #[error(
        "{path} was deleted or renamed while the ledger was open, and nothing is recorded any more: put it back, or stop spanledger, restore the file from a copy and start again"
    )]
    Deleted {
        /// The missing file.
        path: PathBuf,
    },
    /// Another file has taken the place of the ledger, or of a file that belongs to it, while the ledger was
    /// open.
    #[error(
        "{path} was replaced by another file while the ledger was open, and nothing is recorded any more: stop spanledger, and start it again with the file that you want"
    )]
    Replaced {
        /// The file that took the place.
        path: PathBuf,
    },
    /// Another program has locked the file for longer than a commit waits.
    #[error(
        "another program has locked the ledger for more than {} ms, nothing of this request was recorded: end its transaction (in an `sqlite3` shell, for instance) and try again",
        waited.as_millis()
    )]
    Locked {
        /// How long the commit waited.
        waited: Duration,
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
    /// A follower asked for a position at which none of its batches begins.
    #[error(
        "`{follower}` asked for position {asked} of the ledger, but its batches and its cursor end at {last}: ask for what follows {last}, or move its cursor back first"
    )]
    NotAPosition {
        /// The follower.
        follower: String,
        /// The position.
        asked: i64,
        /// The last change of its batches in flight, or its cursor.
        last: i64,
    },
    /// A batch cannot be divided there: it is not in flight, or the position is not inside of it.
    #[error(
        "`{follower}` has no batch in flight after {cursor} up to {last} that position {at} divides: ask for its batches again"
    )]
    NotInBatch {
        /// The follower.
        follower: String,
        /// The beginning of the batch.
        cursor: i64,
        /// Its end.
        last: i64,
        /// The position.
        at: i64,
    },
    /// A follower's cursor cannot be moved back behind events that were pruned.
    #[error(
        "the cursor of `{follower}` cannot be moved back to {asked}: events up to position {pruned_to} were deleted because of their age; move it to {pruned_to} at the earliest, and restore what is older from a backup"
    )]
    Pruned {
        /// The follower.
        follower: String,
        /// The position that was asked for.
        asked: i64,
        /// The greatest position of a deleted event.
        pruned_to: i64,
    },
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
    File(#[from] io::Error),
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
    /// The number of a word is not in the dictionary.
    #[error("word {0} is missing in the dictionary")]
    Word(i64),
    /// The numbers of a text do not fit its form.
    #[error("the numbers of a text do not fit its form")]
    Template,
    /// The facts of an observation cannot be read.
    #[error("an observation cannot be read")]
    Facts(#[from] FactsError),
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

/// Why the facts of an observation cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// The bytes end too early.
    #[error("the bytes end too early")]
    Short,
    /// There are bytes after the end.
    #[error("there are bytes after the end")]
    Long,
    /// A number is out of range.
    #[error("a number is out of range")]
    Number,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// The number of a word is not in the dictionary.
    #[error("word {0} is missing in the dictionary")]
    Word(i64),
    /// The columns beside the facts contradict them.
    #[error("the columns of the row contradict its facts")]
    Columns,
    /// The facts have a value that this version does not know.
    #[error("a later version of Spanledger wrote it")]
    Newer,
}

impl LedgerError {
    /// What went wrong, as one of a few words.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Open { source, .. } => source.kind(),
            Self::Migration { source, .. } | Self::Storage(source) => source.kind(),
            Self::InUse { .. } | Self::Locked { .. } => ErrorKind::Busy,
            Self::Damaged(_) | Self::NotADatabase { .. } => ErrorKind::Damaged,
            Self::Deleted { .. } | Self::Replaced { .. } => ErrorKind::Replaced,
            Self::Folder { .. }
            | Self::NotAFile { .. }
            | Self::NewerVersion { .. }
            | Self::OlderVersion { .. }
            | Self::SeveralNames { .. }
            | Self::Foreign { .. }
            | Self::Empty { .. }
            | Self::NoSharedMemory { .. }
            | Self::Unstorable(_)
            | Self::NotAPosition { .. }
            | Self::NotInBatch { .. }
            | Self::Pruned { .. }
            | Self::Closed => ErrorKind::Other,
        }
    }

    /// Whether the ledger is sound, and only the request that failed is not.
    pub(crate) const fn concerns_its_request(&self) -> bool {
        matches!(
            self,
            Self::Damaged(_)
                | Self::Unstorable(_)
                | Self::NotAPosition { .. }
                | Self::NotInBatch { .. }
                | Self::Pruned { .. }
                | Self::Closed
        )
    }

    /// Whether the writer opens its connection again after this error.
    pub(crate) fn needs_a_new_connection(&self) -> bool {
        let kind = self.kind();
        matches!(self, Self::Storage(_)) && matches!(kind, ErrorKind::Io | ErrorKind::Damaged)
    }

    /// The same error for another request, if it is that of the file and not of one request.
    pub(crate) fn for_all_requests(&self) -> Option<Self> {
        match self {
            Self::Storage(source) => Some(Self::Storage(source.clone())),
            Self::Locked { waited } => Some(Self::Locked { waited: *waited }),
            Self::Deleted { path } => Some(Self::Deleted { path: path.clone() }),
            Self::Replaced { path } => Some(Self::Replaced { path: path.clone() }),
            Self::Open { path, source } => {
                let source = match source {
                    OpenError::File(source) => {
                        OpenError::File(io::Error::new(source.kind(), source.to_string()))
                    }
                    OpenError::Database(source) => OpenError::Database(source.clone()),
                };
                Some(Self::Open { path: path.clone(), source })
            }
            _ => None,
        }
    }
}

impl OpenError {
    /// What went wrong, as one of a few words.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
                io::ErrorKind::NotFound => ErrorKind::Other,
                _ => ErrorKind::Io,
            },
            Self::Database(error) => error.kind(),
        }
    }
}

impl OpenError {
    /// What to do; SQLite's errors say it themselves.
    fn remedy(&self) -> &'static str {
        match self {
            Self::File(error) if error.kind() == io::ErrorKind::NotFound => {
                ": check that the folder exists, or choose another file with --ledger"
            }
            Self::File(_) => {
                ": check that this user may read and write the file and its folder, or choose another file with --ledger"
            }
            Self::Database(_) => "",
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
