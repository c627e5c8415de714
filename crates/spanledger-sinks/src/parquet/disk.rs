//! Files in a folder of a disk.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::Path,
};

use crate::{
    Fault,
    disk::{OrFault as _, fault, folder, sync_folder},
};

/// Checks that the folder exists. It is not created: it may be a disk that is not mounted.
pub(super) fn check(root: &Path) -> Result<(), Fault> {
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Fault::blocked(
            format!("{} is not a folder", root.display()),
            "set `location` to the path of a folder",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Fault::blocked(
            format!("{} does not exist", root.display()),
            format!("create the folder {}, or mount its disk", root.display()),
        )),
        Err(error) => Err(fault("read", root, &error)),
    }
}

/// Stores a file, so that it survives a crash. A file that exists is the same one.
pub(super) fn put(root: &Path, name: &str, bytes: &[u8]) -> Result<(), Fault> {
    check(root)?;
    let path = root.join(name);
    let create_folder = || {
        let folder = folder(&path);
        if folder != root && !folder.exists() {
            fs::create_dir(folder)?;
            sync_folder(folder)?;
        }
        Ok(())
    };
    create_folder().or_fault("written", &path)?;
    if !path.exists() {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        // Readers of folders skip names that begin with a dot. The next attempt replaces the file.
        let temporary = path.with_file_name(format!(".{file_name}.new"));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().or_fault("written", &path)?;
    }
    // Also a file that an earlier attempt has renamed may not have a durable name.
    sync_folder(&path).or_fault("synced", &path)
}
