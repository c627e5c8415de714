//! What an error of the file system means for the sink.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use crate::Fault;

/// The fault for an error, with the path and the remedy.
pub(super) fn fault(doing: &str, path: &Path, error: &io::Error) -> Fault {
    let reason = format!("{} cannot be {doing}: {error}", path.display());
    let folder = path.parent().unwrap_or(path).display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::blocked(reason, format!("free space on the disk of {folder}, or keep fewer closed files"))
        }
        ErrorKind::FileTooLarge => Fault::blocked(
            reason,
            "set `rotate_bytes` below the greatest size that the system allows for a file",
        ),
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Fault::blocked(reason, format!("create the folder {folder}, or change `path`"))
        }
        ErrorKind::PermissionDenied => {
            Fault::blocked(reason, format!("give the user of `serve` the right to write in {folder}"))
        }
        ErrorKind::ReadOnlyFilesystem => {
            Fault::blocked(reason, format!("mount the file system of {folder} for writing, or change `path`"))
        }
        ErrorKind::IsADirectory | ErrorKind::InvalidInput => {
            Fault::blocked(reason, "set `path` to the path of a file")
        }
        _ => Fault::retry(reason),
    }
}

/// Adds the fault to a result of the file system.
pub(super) trait OrFault<T> {
    fn or_fault(self, doing: &str, path: &Path) -> Result<T, Fault>;
}

impl<T> OrFault<T> for io::Result<T> {
    fn or_fault(self, doing: &str, path: &Path) -> Result<T, Fault> {
        self.map_err(|error| fault(doing, path, &error))
    }
}
