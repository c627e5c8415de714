//! Copies a ledger while it is in use, and puts copies in the place of ledgers.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    LedgerError, LedgerReader, Summary,
    error::StorageError,
    open::{self, beside},
};

/// The end of the name of a copy that is not complete. It takes its final name at the end, so that a copy
/// that broke off is never taken for a backup.
const UNFINISHED: &str = ".unfinished";
/// The end of the name of a copy that is about to take the place of a ledger.
const RESTORED: &str = ".restored";
/// The end of the name of a ledger whose place a copy took.
const REPLACED: &str = ".replaced";
/// The suffixes of a ledger and of its write-ahead log.
const PARTS: [&str; 2] = ["", "-wal"];

/// A copy that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The size of the copy in bytes.
    pub bytes: u64,
    /// What the copy holds.
    pub summary: Summary,
}

/// Why no copy was made. The ledger is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is something at the path of the copy.
    #[error("{path} exists, and a backup replaces nothing: remove it, or choose another path")]
    Exists {
        /// The path of the copy.
        path: PathBuf,
    },
    /// The path of the copy cannot be written as SQLite needs it.
    #[error("{path} is not UTF-8: choose another path for the backup")]
    Name {
        /// The path of the copy.
        path: PathBuf,
    },
    /// The copy cannot be created, synced or given its name.
    #[error(
        "the backup {path} cannot be written: check that its folder exists and that this user may write to it"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// SQLite could not copy the ledger.
    #[error("the ledger cannot be copied to {path}")]
    Copy {
        /// The path of the copy.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: StorageError,
    },
    /// The copy is not sound.
    #[error(
        "the copy at {path} was removed, because it is damaged ({finding}): `spanledger ledger check` says whether the \
         ledger is damaged too"
    )]
    Damaged {
        /// The path of the copy.
        path: PathBuf,
        /// What SQLite found.
        finding: String,
    },
    /// The copy cannot be read as a ledger.
    #[error("the copy at {path} was removed, because it cannot be read as a ledger")]
    Unreadable {
        /// The path of the copy.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: LedgerError,
    },
}

impl LedgerReader {
    /// Copies the ledger as it is at this moment to a new file, which only its owner can read (0600). Checks
    /// the copy, and syncs it to disk.
    ///
    /// A writer may go on meanwhile, but its write-ahead log grows until the copy is complete.
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<Backup, BackupError> {
        let target = target.as_ref();
        let file_error = |source| BackupError::File { path: target.to_owned(), source };
        let target = std::path::absolute(target).map_err(file_error)?;
        if fs::symlink_metadata(&target).is_ok() {
            return Err(BackupError::Exists { path: target });
        }
        let unfinished = beside(&target, UNFINISHED);
        create(&unfinished).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists { path: unfinished.clone() },
            _ => BackupError::File { path: target.clone(), source },
        })?;
        let copied = self.copy(&unfinished, &target);
        if copied.is_err() {
            // The name says that the file is not complete. If it stays behind, it does no harm.
            drop(fs::remove_file(&unfinished));
        }
        copied
    }

    fn copy(&self, unfinished: &Path, target: &Path) -> Result<Backup, BackupError> {
        let file_error = |source| BackupError::File { path: target.to_owned(), source };
        let name = unfinished.to_str().ok_or_else(|| BackupError::Name { path: target.to_owned() })?;
        // SQLite writes into an empty file, and refuses any other.
        self.connection
            .execute("VACUUM INTO ?", [name])
            .map_err(|source| BackupError::Copy { path: target.to_owned(), source: source.into() })?;
        let summary = verify(unfinished, target)?;
        let bytes = sync(unfinished).map_err(file_error)?;
        if fs::symlink_metadata(target).is_ok() {
            return Err(BackupError::Exists { path: target.to_owned() });
        }
        fs::rename(unfinished, target).map_err(file_error)?;
        sync_folder(target).map_err(file_error)?;
        Ok(Backup { bytes, summary })
    }
}

/// What [`restore`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new ledger.
    pub backup: Backup,
    /// Where the ledger is that was there before.
    pub replaced: Option<PathBuf>,
}

/// Why a copy was not put in the place of a ledger. The ledger is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The ledger is in use, or the file there is not a ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger of an earlier restoring is still there.
    #[error("{path} is left of an earlier restoring: move it away or delete it, and run the command again")]
    Left {
        /// The file.
        path: PathBuf,
    },
    /// The copy is the ledger itself.
    #[error("{path} is the ledger itself: name the copy, and the ledger with --ledger")]
    Same {
        /// The ledger.
        path: PathBuf,
    },
    /// The copy cannot be read, or not be written to the folder of the ledger.
    #[error(transparent)]
    Copy(#[from] BackupError),
    /// A file cannot be renamed.
    #[error("{path} cannot be renamed or created: check that this user may write to its folder")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Puts a copy in the place of a ledger, which must not be open for writing. The ledger that is there is renamed
/// together with its write-ahead log, which would otherwise be applied to the copy.
///
/// If it breaks off, it can be repeated. The copy stays as it is.
pub fn restore(copy: &LedgerReader, ledger: impl AsRef<Path>) -> Result<Restored, RestoreError> {
    let ledger = ledger.as_ref();
    let file_error = |source| RestoreError::File { path: ledger.to_owned(), source };
    let ledger = &std::path::absolute(ledger).map_err(file_error)?;
    let is_same = fs::canonicalize(ledger)
        .is_ok_and(|ledger| fs::canonicalize(copy.path()).is_ok_and(|copy| copy == ledger));
    if is_same {
        return Err(RestoreError::Same { path: ledger.clone() });
    }
    // Nobody may begin to write the old ledger until the new one is there.
    let lock = if ledger.exists() { Some(open::lock(ledger)?) } else { None };
    let replaced = beside(ledger, REPLACED);
    for suffix in PARTS {
        let old = beside(&replaced, suffix);
        if beside(ledger, suffix).exists() && old.exists() {
            return Err(RestoreError::Left { path: old });
        }
    }
    let new = beside(ledger, RESTORED);
    // What is there was not complete, because it would have taken its place.
    remove(&new).map_err(file_error)?;
    let backup = copy.backup(&new)?;
    // The database goes first: without it, its log is applied to nothing.
    for suffix in PARTS {
        match fs::rename(beside(ledger, suffix), beside(&replaced, suffix)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(file_error(source)),
            _ => {}
        }
    }
    // SQLite makes it again.
    remove(&beside(ledger, "-shm")).map_err(file_error)?;
    sync_folder(ledger).map_err(file_error)?;
    fs::rename(&new, ledger).map_err(file_error)?;
    sync_folder(ledger).map_err(file_error)?;
    drop(lock);
    Ok(Restored { backup, replaced: replaced.exists().then_some(replaced) })
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates an empty file that only its owner can read.
fn create(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Opens the copy as a ledger and checks all of its pages.
fn verify(copy: &Path, target: &Path) -> Result<Summary, BackupError> {
    let check = || {
        let reader = LedgerReader::open(copy)?;
        Ok((reader.integrity()?, reader.summary()?))
    };
    let (findings, summary) =
        check().map_err(|source| BackupError::Unreadable { path: target.to_owned(), source })?;
    match findings.into_iter().next() {
        Some(finding) => Err(BackupError::Damaged { path: target.to_owned(), finding }),
        None => Ok(summary),
    }
}

/// Writes a file from the system's memory to the disk, and returns its size.
fn sync(path: &Path) -> io::Result<u64> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// Writes the name of a file to the disk. Only Unix has an operation for that.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
