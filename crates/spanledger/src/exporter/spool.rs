//! Records on disk: one file of an embedded store for each process.
//!
//! A process takes the first file of the folder that no other process has open, and takes over what processes that
//! have ended left in theirs. An intent that such a process left is a call whose end is not known: it becomes a
//! record of a call that was interrupted.

use std::{
    fs::{self, File},
    io,
    ops::Bound,
    path::{Path, PathBuf},
};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition,
};
use spanledger_event::ErrorChain;

#[cfg(test)]
mod tests;

/// Encoded records by their number.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// Encoded records of calls that have started, by the number of the intent.
const INTENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("intents");
/// The memory that the store uses for pages.
const CACHE_BYTES: usize = 4 * 1_024 * 1_024;
const FILE_PREFIX: &str = "records-";
const FILE_SUFFIX: &str = ".redb";

/// Why the disk could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    /// The folder.
    #[error("the folder cannot be used")]
    Folder(#[from] io::Error),
    /// The store.
    #[error("the store cannot be read or written")]
    Store(#[source] Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for SpoolError
where
    E: NotIo,
{
    fn from(error: E) -> Self {
        Self::Store(Box::new(error.into()))
    }
}

/// The errors of the store.
trait NotIo {}
impl NotIo for DatabaseError {}
impl NotIo for redb::TransactionError {}
impl NotIo for redb::TableError {}
impl NotIo for redb::StorageError {}
impl NotIo for redb::CommitError {}

/// What the next commit writes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// New records.
    pub(super) added: Vec<(u64, Vec<u8>)>,
    /// Records that are settled.
    pub(super) settled: Vec<u64>,
    /// Calls that are about to be sent.
    pub(super) intents: Vec<(u64, Vec<u8>)>,
    /// Calls whose record is among the new ones.
    pub(super) ended: Vec<u64>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.settled.is_empty() && self.intents.is_empty() && self.ended.is_empty()
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Spool {
    database: Database,
}

impl Spool {
    /// Opens the spool of this process in a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, SpoolError> {
        fs::create_dir_all(folder)?;
        // While one process chooses its file and takes over others, a second one must not choose.
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        let mut own = None;
        let mut left = Vec::new();
        let paths = files(folder)?;
        for path in &paths {
            match create(path) {
                Ok(database) if own.is_none() => own = Some(database),
                Ok(database) => left.push((path, database)),
                // Another process has it.
                Err(DatabaseError::DatabaseAlreadyOpen) => {}
                Err(error) => set_aside(path, &error)?,
            }
        }
        let database = match own {
            Some(database) => database,
            None => {
                let name = |n: u32| folder.join(format!("{FILE_PREFIX}{n}{FILE_SUFFIX}"));
                let free = (0..u32::MAX).map(name).find(|path| !paths.contains(path));
                create(&free.unwrap_or_else(|| name(u32::MAX)))?
            }
        };
        let spool = Self { database };
        spool.take_over(None)?;
        for (path, database) in left {
            spool.take_over(Some(&database))?;
            fs::remove_file(path)?;
        }
        Ok(spool)
    }

    /// Takes over what is in another file, or the intents in this one.
    fn take_over(&self, other: Option<&Database>) -> Result<(), SpoolError> {
        let writing = self.database.begin_write()?;
        {
            let mut records = writing.open_table(RECORDS)?;
            let mut intents = writing.open_table(INTENTS)?;
            let mut next = records.last()?.map_or(0, |(number, _)| number.value() + 1);
            let mut add = |bytes: &[u8]| -> Result<(), SpoolError> {
                records.insert(next, bytes)?;
                next += 1;
                Ok(())
            };
            match other {
                None => {
                    for entry in intents.iter()? {
                        add(entry?.1.value())?;
                    }
                    intents.retain(|_, _| false)?;
                }
                Some(other) => {
                    let reading = other.begin_read()?;
                    for table in [RECORDS, INTENTS] {
                        // A process that ended early has not made it.
                        let Ok(table) = reading.open_table(table) else { continue };
                        for entry in table.iter()? {
                            add(entry?.1.value())?;
                        }
                    }
                }
            }
        }
        writing.commit()?;
        Ok(())
    }

    /// The numbers of the first and the last record.
    pub(super) fn numbers(&self) -> Result<Option<(u64, u64)>, SpoolError> {
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        let first = records.first()?.map(|(number, _)| number.value());
        let last = records.last()?.map(|(number, _)| number.value());
        Ok(first.zip(last))
    }

    /// The bytes of the records.
    pub(super) fn bytes(&self) -> Result<u64, SpoolError> {
        Ok(self.database.begin_read()?.open_table(RECORDS)?.stats()?.stored_bytes())
    }

    /// Writes changes durably.
    pub(super) fn commit(&self, changes: &Changes) -> Result<(), SpoolError> {
        let writing = self.database.begin_write()?;
        {
            let mut records = writing.open_table(RECORDS)?;
            for (number, bytes) in &changes.added {
                records.insert(number, bytes.as_slice())?;
            }
            for number in &changes.settled {
                records.remove(number)?;
            }
            let mut intents = writing.open_table(INTENTS)?;
            for (number, bytes) in &changes.intents {
                intents.insert(number, bytes.as_slice())?;
            }
            for number in &changes.ended {
                intents.remove(number)?;
            }
        }
        writing.commit()?;
        Ok(())
    }

    /// Reads at most so many records, from this number to that one, until they have so many bytes.
    pub(super) fn load(
        &self,
        from: u64,
        to: u64,
        count: usize,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, SpoolError> {
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        let range = records.range((Bound::Included(from), Bound::Included(to)))?;
        let (mut loaded, mut size) = (Vec::new(), 0);
        for entry in range.take(count) {
            let (number, bytes) = entry?;
            loaded.push((number.value(), bytes.value().to_vec()));
            size += bytes.value().len();
            if size >= bytes_max {
                break;
            }
        }
        Ok(loaded)
    }
}

fn create(path: &Path) -> Result<Database, DatabaseError> {
    // Without the check, a file that was altered could make a later read panic.
    Builder::new().set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true).create(path)
}

/// The files of the folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(FILE_PREFIX) && name.ends_with(FILE_SUFFIX) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Keeps a damaged file for a person to look at.
fn set_aside(path: &Path, error: &DatabaseError) -> Result<(), SpoolError> {
    let aside = path.with_extension("damaged");
    fs::rename(path, &aside)?;
    tracing::error!(error = %ErrorChain(error), file = %aside.display(), "spanledger.spool.damaged");
    Ok(())
}
