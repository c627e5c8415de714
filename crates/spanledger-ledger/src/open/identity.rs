//! Which file was opened, so that the writer notices when its path leads to another file or to none.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::{FileSizes, LedgerError, error::OpenError};

#[cfg(test)]
mod tests;

/// The files that SQLite keeps beside a database in WAL mode, for as long as a writer has it open.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// A file, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Windows has no stable interface for the identity of a file. All files are the same there, so that
    /// only a deleted file is noticed. Windows does not let a program replace a file that is open.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

/// The files that a writer has open, by path.
///
/// A database that is deleted, renamed or replaced stays open for its writer, which could go on to commit
/// what nobody will find again. SQLite does not notice that. [`check`](Self::check) does; it costs one
/// `stat` for each file, about a microsecond each, for each commit.
#[derive(Clone, Debug)]
pub(crate) struct FileIdentity {
    files: Vec<(PathBuf, FileId)>,
}

impl FileIdentity {
    /// The identity of the database at `path`, and of the files that SQLite keeps beside it at the moment.
    /// The path must be absolute, or else a later change of the working directory looks like a deletion.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut files = vec![(path.to_owned(), FileId::of(&fs::metadata(path)?))];
        for suffix in COMPANIONS {
            let companion = beside(path, suffix);
            match fs::metadata(&companion) {
                Ok(metadata) => files.push((companion, FileId::of(&metadata))),
                // SQLite creates it when it first needs it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { files })
    }

    /// Also checks another file, such as a lock file.
    #[cfg(any(test, not(target_os = "linux")))]
    pub(crate) fn with(mut self, path: PathBuf, id: FileId) -> Self {
        self.files.push((path, id));
        self
    }

    /// Fails if a path leads to another file than at the start, or to none. Returns the sizes of the files.
    pub(crate) fn check(&self) -> Result<FileSizes, LedgerError> {
        let mut sizes = FileSizes::default();
        for (index, (path, id)) in self.files.iter().enumerate() {
            match fs::metadata(path) {
                Ok(metadata) if FileId::of(&metadata) == *id => match index {
                    0 => sizes.database = metadata.len(),
                    1 => sizes.log = metadata.len(),
                    _ => {}
                },
                Ok(_) => return Err(LedgerError::Replaced { path: path.clone() }),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(LedgerError::Deleted { path: path.clone() });
                }
                Err(source) => {
                    return Err(LedgerError::Open { path: path.clone(), source: OpenError::File(source) });
                }
            }
        }
        Ok(sizes)
    }

    /// The database itself.
    pub(crate) fn path(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |(path, _)| path)
    }
}

/// How many names (hard links) a file has.
#[cfg(unix)]
pub(crate) fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// Windows has no stable interface for the number of names.
#[cfg(not(unix))]
pub(crate) fn links(_: &Metadata) -> u64 {
    1
}

/// The path with a suffix after its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
