//! Appends lines to the file and commits them.
//!
//! # How a batch is written once
//!
//! A commit syncs the file, and then replaces the [position file](Positions), which says how many bytes of the
//! file are committed, and the cursor of the sink. A process that is killed leaves at most lines of a batch that
//! is not committed, of which the last one may be incomplete. The batch is sent again with the same events. What
//! the file already has of it is compared with it, byte by byte, and only the rest is appended. So no
//! line is written twice or torn, and the file never becomes shorter, which readers would take for a new
//! file. Only if the bytes differ, because the options have changed meanwhile, what is not committed is cut.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    Rotation, closed,
    position::{FileId, Positions, beside},
};
use crate::{
    Fault,
    disk::{OrFault as _, folder, sync_folder},
};

/// How long a sink waits for another one that writes to the same file.
const LOCK_TIME_MAX: Duration = Duration::from_secs(30);

/// The state of the sink between two calls. All functions block.
#[derive(Debug)]
pub(super) struct FileWriter {
    pub(super) path: PathBuf,
    pub(super) rotate_bytes: u64,
    pub(super) rotate_every: Rotation,
    /// `<ledger>/<sink>`.
    pub(super) key: String,
    pub(super) session: Option<Session>,
}

/// The time between the first write and the commit. Other sinks and processes cannot write meanwhile.
#[derive(Debug)]
pub(super) struct Session {
    /// Closing it releases the lock.
    _lock: File,
    file: File,
    positions: Positions,
    /// The end of what was committed or written in this session.
    end: u64,
    /// How many bytes follow that a killed process has written.
    left_over: u64,
    /// The last position that was written.
    to: Option<i64>,
}

impl FileWriter {
    /// Checks, without a change, whether the file could be written.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let folder = folder(&self.path);
        let metadata = fs::metadata(folder).or_fault("written", &self.path)?;
        if !metadata.is_dir() {
            return Err(std::io::Error::from(std::io::ErrorKind::NotADirectory))
                .or_fault("written", &self.path);
        }
        match OpenOptions::new().read(true).append(true).open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            opened => check_is_file(&opened.or_fault("written", &self.path)?, &self.path)?,
        }
        Positions::read(&self.path).map(drop)
    }

    /// Begins anew: nothing that was not committed counts. Returns the cursor, if the file has one.
    pub(super) fn open(&mut self, header: &[u8]) -> Result<Option<i64>, Fault> {
        self.session = None;
        let session = self.begin(header)?;
        Ok(session.positions.cursors.get(&self.key).copied())
    }

    /// Writes the lines of a batch that ends at the position `to`.
    pub(super) fn write(&mut self, header: &[u8], lines: &[u8], to: i64) -> Result<(), Fault> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin(header)?,
        };
        session.write(lines, &self.path)?;
        session.to = Some(to);
        self.session = Some(session);
        Ok(())
    }

    /// Makes everything that was written durable.
    pub(super) fn commit(&mut self) -> Result<(), Fault> {
        let Some(mut session) = self.session.take() else { return Ok(()) };
        session.file.sync_data().or_fault("synced", &self.path)?;
        if is_removed(&session.file.metadata().or_fault("read", &self.path)?) {
            return Err(Fault::retry(format!(
                "{} was removed while it was written; its last events are written to a new file",
                self.path.display()
            )));
        }
        session.positions.length = session.end;
        if let Some(to) = session.to {
            session.positions.cursors.insert(self.key.clone(), to);
        }
        session.positions.store(&self.path)
    }

    fn begin(&self, header: &[u8]) -> Result<Session, Fault> {
        let lock = self.lock()?;
        let mut positions = Positions::read(&self.path)?;
        loop {
            let mut session =
                self.open_file(lock.try_clone().or_fault("locked", &self.path)?, positions, header)?;
            if session.left_over > 0 || !self.is_due(&session, header) {
                return Ok(session);
            }
            drop(session.file);
            closed::close(&self.path)?;
            session.positions.file = None;
            positions = session.positions;
        }
    }

    /// Waits until no other sink writes to the file.
    fn lock(&self) -> Result<File, Fault> {
        let path = beside(&self.path, "lock");
        let lock = OpenOptions::new().create(true).append(true).open(&path).or_fault("written", &path)?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(error).or_fault("locked", &path),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_TIME_MAX => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Fault::retry(format!(
                        "another process or sink has been writing to {} for {} s",
                        self.path.display(),
                        LOCK_TIME_MAX.as_secs()
                    )));
                }
            }
        }
    }

    /// Opens the file, or creates it. A file that the position file does not know is registered there before an
    /// event is written to it.
    fn open_file(&self, lock: File, mut positions: Positions, header: &[u8]) -> Result<Session, Fault> {
        let path = &self.path;
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).open(path).or_fault("written", path)?;
        check_is_file(&file, path)?;
        let metadata = file.metadata().or_fault("read", path)?;
        let (id, mut length) = (FileId::of(&metadata), metadata.len());
        let is_known = positions.file == Some(id) && length >= positions.length;
        if !is_known {
            // The file is new, or another program has replaced or emptied it.
            length = repair(&mut file, length, header).or_fault("written", path)?;
            positions = Positions { file: Some(id), length, begun: now(), ..positions };
            file.sync_all().and_then(|()| sync_folder(path)).or_fault("synced", path)?;
            positions.store(path)?;
        }
        let end = positions.length;
        Ok(Session { _lock: lock, file, positions, end, left_over: length - end, to: None })
    }

    fn is_due(&self, session: &Session, header: &[u8]) -> bool {
        let is_full = self.rotate_bytes > 0 && session.end >= self.rotate_bytes;
        let has_events = usize::try_from(session.end).is_ok_and(|end| end > header.len());
        has_events && (is_full || self.rotate_every.separates(session.positions.begun, now()))
    }
}

impl Session {
    /// Appends lines, apart from those that a killed process has already written.
    fn write(&mut self, mut lines: &[u8], path: &Path) -> Result<(), Fault> {
        if self.left_over > 0 {
            let shared = usize::try_from(self.left_over).unwrap_or(usize::MAX).min(lines.len());
            let mut found = vec![0; shared];
            let read =
                self.file.seek(SeekFrom::Start(self.end)).and_then(|_| self.file.read_exact(&mut found));
            read.or_fault("read", path)?;
            if found == lines[..shared] {
                lines = &lines[shared..];
                self.end += shared as u64;
                self.left_over -= shared as u64;
            } else {
                self.file.set_len(self.end).or_fault("cut", path)?;
                self.left_over = 0;
            }
        }
        // A file that another program has emptied is shorter than expected; the lines are appended anyway.
        self.file.write_all(lines).or_fault("written", path)?;
        self.end += lines.len() as u64;
        Ok(())
    }
}

/// Prepares a file of which nothing is known: writes the header to an empty file, and ends an incomplete last
/// line. Returns the length.
fn repair(file: &mut File, length: u64, header: &[u8]) -> std::io::Result<u64> {
    let mut beginning = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    (&*file).take(header.len() as u64).read_to_end(&mut beginning)?;
    if length == 0 || (beginning.len() < header.len() && header.starts_with(&beginning)) {
        // A killed process may have left a part of the header.
        file.set_len(0)?;
        file.write_all(header)?;
        return Ok(header.len() as u64);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == [b'\n'] {
        return Ok(length);
    }
    file.write_all(b"\n")?;
    Ok(length + 1)
}

fn check_is_file(file: &File, path: &Path) -> Result<(), Fault> {
    if file.metadata().or_fault("read", path)?.is_file() {
        return Ok(());
    }
    Err(Fault::blocked(
        format!("{} is not a file", path.display()),
        "set `path` to the path of a file; the sink `stdout` writes to pipes",
    ))
}

#[cfg(unix)]
fn is_removed(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) == 0
}

#[cfg(not(unix))]
fn is_removed(_: &fs::Metadata) -> bool {
    false
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
