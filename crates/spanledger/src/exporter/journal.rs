//! Keeps records on disk beside the worker's work, as far as a folder is configured and the disk works.
//!
//! Each record is written before it is sent, and removed after it is settled. If there is little room in memory, new
//! records are only on disk until there is room again. If the disk fails, records are in memory only, as without a
//! spool, and it is tried again after a while.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    time::Duration,
};

use spanledger_event::ErrorChain;
use tokio::{sync::oneshot, time::Instant};

use super::{
    InitError,
    outbox::{Pending, Source},
    spool::{Changes, Spool, SpoolError},
};

/// How long to wait after the disk has failed.
const RETRY: Duration = Duration::from_secs(10);
/// How many settled records are gathered until their removal is written without other changes.
const SETTLED_MAX: usize = 512;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Journal {
    folder: Option<PathBuf>,
    /// `None` if there is no folder or the disk has failed.
    spool: Option<Spool>,
    /// When the disk is tried again.
    retry_at: Option<Instant>,
    bytes: u64,
    bytes_max: u64,
    changes: Changes,
    /// Records that will be only on disk after the next commit.
    staged: Vec<Pending>,
    /// The first and the last number of records that are only on disk.
    on_disk: VecDeque<(u64, u64)>,
    /// Whoever waits until its intent is on disk.
    intents: Vec<oneshot::Sender<()>>,
    /// The number after that of the last record.
    next_number: u64,
}

impl Journal {
    /// Opens the spool in a folder, if there is one.
    pub(super) fn open(folder: Option<&Path>, bytes_max: u64) -> Result<Self, InitError> {
        let mut journal = Self {
            folder: folder.map(Path::to_owned),
            spool: None,
            retry_at: None,
            bytes: 0,
            bytes_max,
            changes: Changes::default(),
            staged: Vec::new(),
            on_disk: VecDeque::new(),
            intents: Vec::new(),
            next_number: 0,
        };
        if let Some(folder) = folder {
            let error = |source| InitError::Spool { path: folder.to_owned(), source: Box::new(source) };
            let spool = Spool::open(folder).map_err(error)?;
            let numbers = spool.numbers().map_err(error)?;
            journal.bytes = spool.bytes().map_err(error)?;
            journal.on_disk.extend(numbers);
            journal.next_number = numbers.map_or(0, |(_, last)| last + 1);
            journal.spool = Some(spool);
        }
        Ok(journal)
    }

    /// Whether records are to be written to disk at once, also if the disk has failed: calls may wait for their
    /// intents.
    pub(super) fn is_configured(&self) -> bool {
        self.folder.is_some()
    }

    /// Whether the disk may take more records.
    pub(super) fn has_room(&self) -> bool {
        self.spool.is_some() && self.bytes < self.bytes_max
    }

    /// The number of the first record of this process.
    pub(super) fn first_number(&self) -> u64 {
        self.next_number
    }

    /// How many records are only on disk.
    pub(super) fn on_disk(&self) -> usize {
        let count = |(first, last): &(u64, u64)| usize::try_from(last - first + 1).unwrap_or(usize::MAX);
        self.on_disk.iter().map(count).sum::<usize>() + self.staged.len()
    }

    /// Adds a record that is in memory, too. `ends` is the intent of its call.
    pub(super) fn add(&mut self, record: &Pending, ends: Option<u64>) {
        if self.spool.is_some() {
            self.bytes += record.bytes.len() as u64;
            self.changes.added.push((record.number, record.bytes.clone()));
        }
        self.changes.ended.extend(ends);
    }

    /// Adds a record that is only on disk after the next commit.
    pub(super) fn add_only_here(&mut self, record: Pending, ends: Option<u64>) {
        self.add(&record, ends);
        self.staged.push(record);
    }

    /// Adds a call that is about to be sent. `noted` is told when the disk has it, or cannot have it.
    pub(super) fn add_intent(&mut self, number: u64, bytes: Vec<u8>, noted: oneshot::Sender<()>) {
        self.changes.intents.push((number, bytes));
        self.intents.push(noted);
    }

    /// Notes that a record is settled.
    pub(super) fn settle(&mut self, record: &Pending) {
        if self.spool.is_some() {
            self.bytes = self.bytes.saturating_sub(record.bytes.len() as u64);
            self.changes.settled.push(record.number);
        }
    }

    /// Whether there is something to write now. Removals wait for other changes, or until the worker is idle.
    pub(super) fn is_due(&self, is_idle: bool) -> bool {
        let changes = &self.changes;
        !changes.added.is_empty()
            || !changes.intents.is_empty()
            || !changes.ended.is_empty()
            || changes.settled.len() >= SETTLED_MAX
            || (is_idle && !changes.settled.is_empty())
    }

    /// Writes the changes. If the disk fails, returns the records that must be kept in memory.
    pub(super) fn commit(&mut self, now: Instant) -> Vec<Pending> {
        let changes = std::mem::take(&mut self.changes);
        let staged = std::mem::take(&mut self.staged);
        let intents = std::mem::take(&mut self.intents);
        let written = match &self.spool {
            Some(spool) if !changes.is_empty() => spool.commit(&changes),
            _ => Ok(()),
        };
        let mut kept = Vec::new();
        match written {
            Ok(()) if self.spool.is_some() => {
                staged.iter().for_each(|record| self.note_on_disk(record.number))
            }
            Ok(()) => kept = staged,
            Err(error) => {
                self.failed(&error, now);
                kept = staged;
            }
        }
        for noted in intents {
            // The call may have been given up meanwhile.
            noted.send(()).unwrap_or_default();
        }
        kept
    }

    fn note_on_disk(&mut self, number: u64) {
        match self.on_disk.back_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.on_disk.push_back((number, number)),
        }
    }

    fn failed(&mut self, error: &SpoolError, now: Instant) {
        if self.spool.take().is_some() {
            let folder = self.folder.as_deref().unwrap_or(Path::new("")).display();
            let remedy = "records are kept in memory until the disk can be written again";
            tracing::error!(error = %ErrorChain(error), %folder, remedy, "spanledger.spool.failed");
        }
        self.retry_at = Some(now + RETRY);
    }

    /// Tries the disk again, if it has failed and it is time. `records` are those in memory.
    pub(super) fn retry<'a>(&mut self, now: Instant, records: impl Iterator<Item = &'a Pending>) {
        let Some(folder) = self.folder.clone() else { return };
        if self.retry_at.is_none_or(|at| at > now) {
            return;
        }
        self.retry_at = Some(now + RETRY);
        let Ok(spool) = Spool::open(&folder) else { return };
        let added = records.map(|record| (record.number, record.bytes.clone())).collect();
        if spool.commit(&Changes { added, ..Changes::default() }).is_ok() {
            self.bytes = spool.bytes().unwrap_or_default();
            self.spool = Some(spool);
            self.retry_at = None;
            tracing::info!(folder = %folder.display(), "spanledger.spool.recovered");
        }
    }

    /// When the disk is tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Reads so many records of those that are only on disk, oldest first, and fewer if they have more bytes.
    pub(super) fn load(&mut self, now: Instant, count: usize, bytes: usize) -> Vec<Pending> {
        let (Some(spool), Some((first, last))) = (&self.spool, self.on_disk.front().copied()) else {
            return Vec::new();
        };
        match spool.load(first, last, count, bytes) {
            Ok(loaded) => {
                self.on_disk.pop_front();
                let next = loaded.last().map_or(last, |(number, _)| *number) + 1;
                // Nothing more is in this range if it has nothing at all.
                if !loaded.is_empty() && next <= last {
                    self.on_disk.push_front((next, last));
                }
                loaded
                    .into_iter()
                    .map(|(number, bytes)| Pending { bytes, number, source: Source::Call })
                    .collect()
            }
            Err(error) => {
                self.failed(&error, now);
                Vec::new()
            }
        }
    }
}
