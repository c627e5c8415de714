//! The position file: how far the written file is committed, and the sink's own cursor.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    Fault,
    disk::{OrFault as _, sync_folder},
};

/// What is known of the written file. It is stored beside the file with each commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Positions {
    /// Which file it is about.
    pub(super) file: Option<FileId>,
    /// The bytes of the file that are committed. What follows was written by a process that did not commit it.
    pub(super) length: u64,
    /// When the file was begun, in seconds since 1970.
    pub(super) begun: i64,
    /// The last committed position of each `<ledger>/<sink>`.
    pub(super) cursors: BTreeMap<String, i64>,
}

/// The identity of a file, which a new name does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    #[cfg(unix)]
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Other systems do not tell: every file of the path counts as the same one.
    #[cfg(not(unix))]
    pub(super) fn of(_: &fs::Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

/// The path of a hidden file beside the written file.
pub(super) fn beside(path: &Path, extension: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{extension}"))
}

impl Positions {
    /// Reads the position file; without one nothing is known.
    pub(super) fn read(path: &Path) -> Result<Self, Fault> {
        let path = beside(path, "position");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).or_fault("read", &path),
        };
        serde_json::from_slice(&text).map_err(|error| {
            Fault::blocked(
                format!("{} is damaged: {error}", path.display()),
                "delete it; the last batch is then written a second time",
            )
        })
    }

    /// Replaces the position file. It is durable afterwards.
    pub(super) fn store(&self, path: &Path) -> Result<(), Fault> {
        let (stored, temporary) = (beside(path, "position"), beside(path, "position.new"));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            fs::rename(&temporary, &stored)?;
            sync_folder(path)
        };
        write().or_fault("written", &stored)
    }
}
