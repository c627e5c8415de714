//! The lock of the only writer.
//!
//! On Linux it is a lock of the database's inode (`inode.rs`): whatever path leads to the file, there is
//! one lock, and no file that somebody could delete. It is an `flock`, which Linux keeps apart from the
//! `fcntl` locks of SQLite.
//!
//! Elsewhere a lock of the whole file would shut SQLite out: macOS and the BSDs treat both kinds as one,
//! and a lock of Windows forbids reading. There the lock is on a file beside the database (`beside.rs`),
//! which is found through the path without symbolic links. The writer checks before each commit that the
//! lock file is still there.
//!
//! A database with several names (hard links) is refused on all systems: SQLite names the write-ahead log
//! after the path, so that what was committed through one name is missing under the other.

#[cfg(any(test, not(target_os = "linux")))]
mod beside;
#[cfg(target_os = "linux")]
mod inode;
#[cfg(test)]
mod tests;

#[cfg(not(target_os = "linux"))]
pub(crate) use self::beside::{WriteLock, is_held};
#[cfg(target_os = "linux")]
pub(crate) use self::inode::{WriteLock, is_held};

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    time::Duration,
};

/// How often a lock is tried, and the wait between two attempts. A reader tests the lock by holding it for
/// an instant, which must not keep a writer from starting.
const ATTEMPTS: usize = 5;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(20);

/// Why a file could not be locked.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another writer has the file.
    InUse,
    /// The file system refused.
    File(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

fn try_lock(file: &File) -> Result<(), LockError> {
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(ATTEMPT_INTERVAL),
            Err(TryLockError::WouldBlock) => return Err(LockError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Opens a database for its writer, and creates it if it does not exist, for this user only. The system's
/// defaults often let everyone read a new file.
fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
