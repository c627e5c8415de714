//! The folder of a preview, which is removed at the end of the command, or by the next command.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

#[cfg(test)]
mod tests;

/// The beginning of its name.
const PREFIX: &str = ".spanledger-reprice-";
/// The file in it that its command has locked. The system releases the lock however the command ends.
const LOCK: &str = "lock";

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct PreviewFolder {
    path: PathBuf,
    lock: Option<File>,
}

impl PreviewFolder {
    /// Creates a folder in another one, and removes those that commands left there which were killed.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        // A folder that cannot be removed does no harm; its name says what it is.
        drop(remove_abandoned(parent));
        let path = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&path)?;
        let mut folder = Self { path, lock: None };
        let lock = File::create_new(folder.path.join(LOCK))?;
        lock.try_lock()?;
        folder.lock = Some(lock);
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PreviewFolder {
    fn drop(&mut self) {
        self.lock = None;
        // If it stays behind, the next preview tries again.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Removes the folders whose commands have ended.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // A folder without a lock was created at this moment, or is not a preview's.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            drop(lock);
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
