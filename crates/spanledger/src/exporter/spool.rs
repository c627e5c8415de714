//! Records on disk: one file of an embedded store for each process.
//!
//! A process takes the first file of the folder that no other process has open, and takes over what processes that
//! have ended left in theirs. An intent that such a process left is a call whose end is not known: it becomes a
//! record of a call that was interrupted.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    StorageError, TableDefinition, TableError, WriteTransaction,
};
use spanledger_event::ErrorChain;

#[cfg(test)]
mod tests;

/// Encoded records by their number.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// Encoded records of calls that have started, by the number of the intent.
const INTENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("intents");
/// A record or an intent with its number.
type Row = (u64, Vec<u8>);
/// The memory that the store uses for pages.
const CACHE_BYTES: usize = 4 * 1_024 * 1_024;
const FILE_PREFIX: &str = "records-";
const FILE_SUFFIX: &str = ".redb";

/// Why the disk could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    /// The folder, or a file as a whole.
    #[error("the folder cannot be used: check that the service may write there")]
    Folder(#[from] io::Error),
    /// A file that is not damaged.
    #[error(
        "{} cannot be opened; its records are kept: check its permissions, the free space of the disk and the limit \
         of open files, and start again", path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<DatabaseError>,
    },
    /// The store.
    #[error("the store cannot be read or written")]
    Store(#[source] Box<redb::Error>),
    /// The library of the store.
    #[error("the store is damaged in a way that its library does not expect")]
    Panicked,
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
impl NotIo for TableError {}
impl NotIo for StorageError {}
impl NotIo for redb::CommitError {}

/// Runs work on the store. A file that is damaged while it is open can make its library panic, which must not end the
/// exporter's thread.
fn guarded<T>(work: impl FnOnce() -> Result<T, SpoolError>) -> Result<T, SpoolError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(SpoolError::Panicked))
}

/// What the next commit writes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// New records.
    pub(super) added: Vec<Row>,
    /// Records that are settled.
    pub(super) settled: Vec<u64>,
    /// Calls that are about to be sent.
    pub(super) intents: Vec<Row>,
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
    path: PathBuf,
}

/// The lock of the folder. It is given back explicitly, because a process that was forked meanwhile has a copy of the
/// file, and would keep the lock.
struct FolderLock(File);

impl Drop for FolderLock {
    fn drop(&mut self) {
        // A lock that was not taken needs not be given back.
        self.0.unlock().unwrap_or_default();
    }
}

/// The store of a process that was opened again.
#[derive(Debug)]
pub(super) enum Reopened {
    /// It is the same file, with everything that was written.
    Same(Spool),
    /// It is an empty file. Another process has taken over what was in the one before.
    TakenOver(Spool),
    /// It is an empty file, because the one before is damaged or gone.
    Lost(Spool),
}

impl Spool {
    /// Opens the spool of this process in a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, SpoolError> {
        guarded(|| Self::open_unguarded(folder))
    }

    fn open_unguarded(folder: &Path) -> Result<Self, SpoolError> {
        fs::create_dir_all(folder)?;
        // While one process chooses its file and takes over others, a second one must not choose.
        let lock = FolderLock(File::create(folder.join("lock"))?);
        lock.0.lock()?;
        let mut own = None;
        let mut left = Vec::new();
        for path in files(folder)? {
            match create(&path) {
                Ok(database) if own.is_none() => own = Some(Self { database, path }),
                Ok(database) => left.push(Self { database, path }),
                Err(error) if is_of_another_process(&error) => {}
                Err(error) if is_damage(&error) => set_aside(&path, &error)?,
                Err(error) => return Err(cannot_open(path, error)),
            }
        }
        let spool = match own {
            Some(own) => own,
            None => Self::create_in(folder)?,
        };
        spool.take_over(None)?;
        for other in left {
            spool.take_over(Some(&other.database))?;
            fs::remove_file(&other.path)?;
        }
        Ok(spool)
    }

    /// Opens the spool of this process again, after the disk has failed. `failed` is the one that was used until then:
    /// until the same file is opened again, no other process must take it for one of a process that has ended.
    /// What others have left stays where it is until the next start.
    pub(super) fn reopen(
        folder: &Path,
        path: Option<&Path>,
        failed: &mut Option<Self>,
    ) -> Result<Reopened, SpoolError> {
        fs::create_dir_all(folder)?;
        let lock = FolderLock(File::create(folder.join("lock"))?);
        // Another process can need the folder for long, and the worker has other things to do.
        lock.0.try_lock().map_err(io::Error::from)?;
        let failed = failed.take();
        // Since an earlier attempt the file may have been that of another process.
        let was_kept = failed.is_some();
        // What a store does at its end can fail as everything else.
        drop(guarded(|| {
            drop(failed);
            Ok(())
        }));
        let Some(path) = path else { return Ok(Reopened::Lost(Self::create_in(folder)?)) };
        if !path.try_exists()? {
            let spool = Self::create_in(folder)?;
            return Ok(if was_kept { Reopened::Lost(spool) } else { Reopened::TakenOver(spool) });
        }
        let opened = catch_unwind(|| create(path));
        let opened =
            opened.unwrap_or_else(|_| Err(StorageError::Corrupted("it cannot be opened".to_owned()).into()));
        match opened {
            Ok(database) => Ok(Reopened::Same(Self { database, path: path.to_owned() })),
            Err(error) if is_of_another_process(&error) => Ok(Reopened::TakenOver(Self::create_in(folder)?)),
            Err(error) if is_damage(&error) => {
                set_aside(path, &error)?;
                Ok(Reopened::Lost(Self::create_in(folder)?))
            }
            Err(error) => Err(cannot_open(path.to_owned(), error)),
        }
    }

    /// Creates a new file in a folder whose lock is held.
    fn create_in(folder: &Path) -> Result<Self, SpoolError> {
        let paths = files(folder)?;
        let name = |n: u32| folder.join(format!("{FILE_PREFIX}{n}{FILE_SUFFIX}"));
        let free = (0..u32::MAX).map(name).find(|path| !paths.contains(path));
        let path = free.unwrap_or_else(|| name(u32::MAX));
        let database = create(&path).map_err(|error| cannot_open(path.clone(), error))?;
        let spool = Self { database, path };
        // So that both tables exist.
        spool.commit(&Changes::default())?;
        Ok(spool)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
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
                        let table = match reading.open_table(table) {
                            Ok(table) => table,
                            // A process that ended early has not made it.
                            Err(TableError::TableDoesNotExist(_)) => continue,
                            Err(error) => return Err(error.into()),
                        };
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

    /// Makes the same of the file as if the disk had not failed: it keeps these records and intents, and takes the
    /// changes.
    pub(super) fn restore(
        &self,
        keeps_record: impl Fn(u64) -> bool,
        keeps_intent: impl Fn(u64) -> bool,
        changes: &Changes,
    ) -> Result<(), SpoolError> {
        guarded(|| {
            let writing = self.database.begin_write()?;
            writing.open_table(RECORDS)?.retain(|number, _| keeps_record(number))?;
            writing.open_table(INTENTS)?.retain(|number, _| keeps_intent(number))?;
            Self::write(&writing, changes)?;
            writing.commit()?;
            Ok(())
        })
    }

    /// The first and the last number of each row of records without a gap.
    pub(super) fn ranges(&self) -> Result<VecDeque<(u64, u64)>, SpoolError> {
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        let mut ranges = VecDeque::new();
        for entry in records.iter()? {
            add_to_ranges(&mut ranges, entry?.0.value());
        }
        Ok(ranges)
    }

    /// The bytes of the records.
    pub(super) fn bytes(&self) -> Result<u64, SpoolError> {
        Ok(self.database.begin_read()?.open_table(RECORDS)?.stats()?.stored_bytes())
    }

    /// Writes changes durably.
    pub(super) fn commit(&self, changes: &Changes) -> Result<(), SpoolError> {
        guarded(|| {
            let writing = self.database.begin_write()?;
            Self::write(&writing, changes)?;
            writing.commit()?;
            Ok(())
        })
    }

    fn write(writing: &WriteTransaction, changes: &Changes) -> Result<(), SpoolError> {
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
        Ok(())
    }

    /// Reads at most so many records, from this number to that one, until they have so many bytes. Also says whether
    /// they are all in this range.
    pub(super) fn load(
        &self,
        from: u64,
        to: u64,
        count: usize,
        bytes_max: usize,
    ) -> Result<(Vec<Row>, bool), SpoolError> {
        guarded(|| {
            let records = self.database.begin_read()?.open_table(RECORDS)?;
            let range = records.range((Bound::Included(from), Bound::Included(to)))?;
            let (mut loaded, mut size) = (Vec::new(), 0);
            for entry in range {
                if loaded.len() >= count || (size >= bytes_max && !loaded.is_empty()) {
                    return Ok((loaded, false));
                }
                let (number, bytes) = entry?;
                size += bytes.value().len();
                loaded.push((number.value(), bytes.value().to_vec()));
            }
            Ok((loaded, true))
        })
    }
}

/// Adds the next number to rows of numbers without a gap.
pub(super) fn add_to_ranges(ranges: &mut VecDeque<(u64, u64)>, number: u64) {
    match ranges.back_mut() {
        Some((_, last)) if *last + 1 == number => *last = number,
        _ => ranges.push_back((number, number)),
    }
}

/// Whether a running process has the file open.
fn is_of_another_process(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch)
}

/// Whether the content of a file cannot be read, now and later. A disk that is full, a missing permission and too many
/// open files pass.
fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::UpgradeRequired(_) | DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(StorageError::Io(error)) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

fn cannot_open(path: PathBuf, error: DatabaseError) -> SpoolError {
    SpoolError::Open { path, source: Box::new(error) }
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

/// Keeps a damaged file for a person to look at, also if there is one from earlier.
fn set_aside(path: &Path, error: &DatabaseError) -> Result<(), SpoolError> {
    let name =
        |n: u32| path.with_extension(if n == 0 { "damaged".to_owned() } else { format!("damaged-{n}") });
    let aside = (0..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(u32::MAX));
    fs::rename(path, &aside)?;
    tracing::error!(error = %ErrorChain(error), file = %aside.display(), "spanledger.spool.damaged");
    Ok(())
}
