//! Systems other than Linux: the lock is on a file beside the database.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{LockError, open_or_create, try_lock};
use crate::open::identity::{FileId, FileIdentity, beside};

/// The lock of the only writer. The system releases it when the process ends, even after a crash.
#[derive(Debug)]
pub(crate) struct WriteLock {
    file: File,
    path: PathBuf,
}

impl WriteLock {
    /// Locks the database at `path`. Creates the file if it does not exist.
    pub(crate) fn acquire(path: &Path) -> Result<Self, LockError> {
        // An existing database is not opened here: closing it would release the locks of SQLite.
        if !path.try_exists()? {
            drop(open_or_create(path)?);
        }
        let path = lock_file_of(path)?;
        let file = open_or_create(&path)?;
        try_lock(&file)?;
        Ok(Self { file, path })
    }

    /// Which files the writer must still find at their paths before it commits: if the lock file was
    /// deleted, another writer may have made and locked a new one.
    pub(crate) fn identity(&self, path: &Path) -> io::Result<FileIdentity> {
        let id = FileId::of(&self.file.metadata()?);
        Ok(FileIdentity::of(path)?.with(self.path.clone(), id))
    }
}

/// Whether a writer has the file, in this process or another one.
pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
    match File::open(lock_file_of(path)?).map(|file| file.try_lock_shared()) {
        Ok(Ok(())) => Ok(false),
        Ok(Err(TryLockError::WouldBlock)) => Ok(true),
        Ok(Err(TryLockError::Error(error))) => Err(error),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn lock_file_of(path: &Path) -> io::Result<PathBuf> {
    Ok(beside(&fs::canonicalize(path)?, ".lock"))
}
