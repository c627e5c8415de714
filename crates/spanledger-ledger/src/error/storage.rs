//! What SQLite said, in words for people.

use std::{error::Error, fmt, sync::Arc};

use rusqlite::{ErrorCode, ffi};

use super::{ErrorKind, LedgerError};

/// What SQLite said, in words that say what to do. Its number is in [`code`](Self::code).
#[derive(Clone, Debug)]
pub struct StorageError(Arc<rusqlite::Error>);

impl StorageError {
    /// SQLite's extended result code, such as 1544 for `SQLITE_READONLY_DIRECTORY`.
    pub fn code(&self) -> Option<i32> {
        self.0.sqlite_error().map(|error| error.extended_code)
    }

    /// The storage error in an error of the ledger; an error of another kind is put into words.
    pub(crate) fn from_ledger(error: LedgerError) -> Self {
        match error {
            LedgerError::Storage(error) => error,
            other => Self(Arc::new(rusqlite::Error::ToSqlConversionFailure(Box::new(other)))),
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        use rusqlite::Error as Sql;
        match self.0.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
            Some(ErrorCode::DiskFull) => ErrorKind::DiskFull,
            Some(ErrorCode::SystemIoFailure) => ErrorKind::Io,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Damaged,
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied,
            ) => ErrorKind::ReadOnly,
            Some(_) => ErrorKind::Other,
            // A value is not what the tables of this version hold.
            None => match &*self.0 {
                Sql::FromSqlConversionFailure(..)
                | Sql::IntegralValueOutOfRange(..)
                | Sql::InvalidColumnType(..)
                | Sql::Utf8Error(..)
                | Sql::QueryReturnedNoRows => ErrorKind::Damaged,
                _ => ErrorKind::Other,
            },
        }
    }

    /// Whether the file system lacks the shared memory that a write-ahead log needs.
    pub(crate) fn is_shared_memory(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ffi::SQLITE_IOERR_SHMOPEN
                    | ffi::SQLITE_IOERR_SHMSIZE
                    | ffi::SQLITE_IOERR_SHMLOCK
                    | ffi::SQLITE_IOERR_SHMMAP
            )
        )
    }

    /// Whether the disk did not confirm that it stored what was written.
    fn is_sync(&self) -> bool {
        matches!(self.code(), Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
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
            Some(ErrorCode::SystemIoFailure) if self.is_sync() => {
                "the disk did not confirm that it stored the data (fsync failed): check the disk and its file system, then try again"
            }
            Some(ErrorCode::SystemIoFailure) if self.is_shared_memory() => {
                "the file system offers no shared memory, which the write-ahead log needs: use a local disk"
            }
            Some(ErrorCode::SystemIoFailure) => {
                "the disk reported an error: check the disk and its file system, then try again"
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                "the file is damaged: stop spanledger, and restore the file from a copy or begin a new one"
            }
            Some(ErrorCode::NotADatabase) => {
                "the file is not a database, or its beginning is damaged: restore it from a copy or begin a new one"
            }
            Some(ErrorCode::OutOfMemory) => "there is not enough memory",
            None if self.kind() == ErrorKind::Damaged => {
                "a value in the file is not what this version of spanledger writes: restore the file from a copy"
            }
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
        Self(Arc::new(error))
    }
}
