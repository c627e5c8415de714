//! Linux: the lock is on the inode of the database.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{LockError, open_or_create, try_lock};
use crate::open::identity::{FileId, FileIdentity, beside};

/// Every database that this process has opened here.
///
/// When a process closes any descriptor of a file, the system releases all `fcntl` locks of the process on
/// this file, and these are the locks of SQLite. So a descriptor that was opened here stays open until the
/// process ends, and is used again. Only the descriptors of a file that was deleted are closed: nobody can
/// open it any more, so that its locks protect nothing.
static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

struct Opened {
    id: FileId,
    /// Normally one. A file that was renamed while it was being opened can have more.
    files: Vec<File>,
    /// Whether this process holds the lock.
    is_held: bool,
}

impl Opened {
    fn is_deleted(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        !self.is_held && self.files.iter().all(|file| file.metadata().is_ok_and(|it| it.nlink() == 0))
    }
}

fn opened() -> MutexGuard<'static, Vec<Opened>> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.retain(|one| !one.is_deleted());
    opened
}

/// Finds the file at `path` among the opened ones, or opens it with `open`. Returns its index.
fn find(
    opened: &mut Vec<Opened>,
    path: &Path,
    open: impl FnOnce(&Path) -> io::Result<File>,
) -> io::Result<usize> {
    let find = |opened: &[Opened], id| opened.iter().position(|one| one.id == id);
    match fs::metadata(path) {
        Ok(metadata) => {
            if let Some(index) = find(opened, FileId::of(&metadata)) {
                return Ok(index);
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = open(path)?;
    let id = FileId::of(&file.metadata()?);
    let index = find(opened, id).unwrap_or_else(|| {
        opened.push(Opened { id, files: Vec::new(), is_held: false });
        opened.len() - 1
    });
    if let Some(one) = opened.get_mut(index) {
        one.files.push(file);
    }
    Ok(index)
}

/// The lock of the only writer. The system releases it when the process ends, even after a crash.
#[derive(Debug)]
pub(crate) struct WriteLock(FileId);

impl WriteLock {
    /// Locks the database at `path`. Creates the file if it does not exist.
    pub(crate) fn acquire(path: &Path) -> Result<Self, LockError> {
        if is_held_by_an_earlier_version(path)? {
            return Err(LockError::InUse);
        }
        let mut opened = opened();
        let index = find(&mut opened, path, open_or_create)?;
        match opened.get_mut(index) {
            Some(Opened { id, files, is_held: is_held @ false }) => {
                files.first().map_or(Ok(()), try_lock)?;
                *is_held = true;
                Ok(Self(*id))
            }
            _ => Err(LockError::InUse),
        }
    }

    /// Which files the writer must still find at their paths before it commits.
    #[expect(clippy::unused_self, reason = "on other systems the lock adds a file")]
    pub(crate) fn identity(&self, path: &Path) -> io::Result<FileIdentity> {
        FileIdentity::of(path)
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        let mut opened = opened();
        if let Some(one) = opened.iter_mut().find(|one| one.id == self.0) {
            one.is_held = false;
            if let Some(Err(error)) = one.files.first().map(File::unlock) {
                tracing::warn!(%error, "the lock of the ledger could not be released");
            }
        }
    }
}

/// Whether a writer has the file, in this process or another one.
pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
    if is_held_by_an_earlier_version(path)? {
        return Ok(true);
    }
    let mut opened = opened();
    let index = find(&mut opened, path, |path| File::open(path))?;
    let Some(Opened { files, is_held: false, .. }) = opened.get(index) else { return Ok(true) };
    let Some(file) = files.first() else { return Ok(false) };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether an earlier version of Spanledger has the file: it locked `<path>.lock`. The lock file itself is
/// left alone, because a file of this name may be another program's.
fn is_held_by_an_earlier_version(path: &Path) -> io::Result<bool> {
    match File::open(beside(path, ".lock")) {
        Ok(file) => match try_lock(&file) {
            Ok(()) => Ok(false),
            Err(LockError::InUse) => Ok(true),
            Err(LockError::File(error)) => Err(error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        // A file that this user may not read is not a lock file of this user's Spanledger.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}
