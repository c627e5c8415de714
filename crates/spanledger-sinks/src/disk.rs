//! What the sinks that write to a disk share: durable names, and what an error of the file system means.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
};

use crate::Fault;

/// The fault for an error, with the path and the remedy.
pub(crate) fn fault(doing: &str, path: &Path, error: &io::Error) -> Fault {
    let reason = format!("{} cannot be {doing}: {error}", path.display());
    let folder = folder(path).display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::blocked(reason, format!("free space on the disk of {folder}, or keep fewer closed files"))
        }
        ErrorKind::FileTooLarge => {
            Fault::blocked(reason, "write smaller files, because the system limits their size")
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Fault::blocked(reason, format!("create the folder {folder}, or change the path of the sink"))
        }
        ErrorKind::PermissionDenied => {
            Fault::blocked(reason, format!("give the user of `serve` the right to write in {folder}"))
        }
        ErrorKind::ReadOnlyFilesystem => Fault::blocked(
            reason,
            format!("mount the file system of {folder} for writing, or change the path of the sink"),
        ),
        ErrorKind::IsADirectory | ErrorKind::InvalidInput => {
            Fault::blocked(reason, "another kind of file has the path; change the path of the sink")
        }
        _ => Fault::retry(reason),
    }
}

/// Adds the fault to a result of the file system.
pub(crate) trait OrFault<T> {
    fn or_fault(self, doing: &str, path: &Path) -> Result<T, Fault>;
}

impl<T> OrFault<T> for io::Result<T> {
    fn or_fault(self, doing: &str, path: &Path) -> Result<T, Fault> {
        self.map_err(|error| fault(doing, path, &error))
    }
}

/// Makes new names in the folder of a file durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows cannot sync a folder.
    if cfg!(unix) { File::open(folder(path))?.sync_all() } else { Ok(()) }
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
