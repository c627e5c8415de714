//! Keeps records on disk beside the worker's work, as far as a folder is configured and the disk works.
//!
//! Each record is written before it is sent, and removed after it is settled. If there is little room in memory, new
//! records are only on disk until there is room again. If the disk fails, records are in memory only, as without a
//! spool, and it is tried again after a while.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
    time::Duration,
};

use spanledger_event::ErrorChain;
use tokio::{sync::oneshot, time::Instant};

use super::{
    ExporterConfig, InitError,
    outbox::{Pending, Source},
    spool::{Changes, Reopened, Spool, SpoolError, add_to_ranges},
};

#[cfg(test)]
mod tests;

/// How many settled records are gathered until their removal is written without other changes.
const SETTLED_MAX: usize = 512;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Journal {
    folder: Option<PathBuf>,
    /// `None` if there is no folder or the disk has failed.
    spool: Option<Spool>,
    /// The spool with which the disk has failed. It keeps its file for this process.
    failed: Option<Spool>,
    /// The file of this process.
    path: Option<PathBuf>,
    /// How long to wait after the disk has failed.
    retry: Duration,
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
    /// The intents of calls that have not ended.
    live: BTreeSet<u64>,
    /// Those of them that the disk did not take.
    unwritten: BTreeMap<u64, Vec<u8>>,
    /// The number after that of the last record.
    next_number: u64,
}

/// What was read from disk.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) records: Vec<Pending>,
    /// The first and the last number of records that should have been there and were not.
    pub(super) lost: Vec<(u64, u64)>,
}

impl Journal {
    /// Opens the spool, if its folder is configured.
    pub(super) fn open(config: &ExporterConfig) -> Result<Self, InitError> {
        let mut journal = Self::new(config);
        if let Some(folder) = &config.spool {
            let error = |source| InitError::Spool { path: folder.clone(), source: Box::new(source) };
            let spool = Spool::open(folder).map_err(error)?;
            journal.on_disk = spool.ranges().map_err(error)?;
            journal.bytes = spool.bytes().map_err(error)?;
            journal.next_number = journal.on_disk.back().map_or(0, |(_, last)| last + 1);
            journal.use_spool(spool);
        }
        Ok(journal)
    }

    /// A journal whose disk has failed at the start. It is tried again as after any failure.
    pub(super) fn without_disk(config: &ExporterConfig, now: Instant) -> Self {
        Self { retry_at: config.spool.as_ref().map(|_| now + config.spool_retry), ..Self::new(config) }
    }

    fn new(config: &ExporterConfig) -> Self {
        Self {
            folder: config.spool.clone(),
            spool: None,
            failed: None,
            path: None,
            retry: config.spool_retry,
            retry_at: None,
            bytes: 0,
            bytes_max: config.spool_bytes_max,
            changes: Changes::default(),
            staged: Vec::new(),
            on_disk: VecDeque::new(),
            intents: Vec::new(),
            live: BTreeSet::new(),
            unwritten: BTreeMap::new(),
            next_number: 0,
        }
    }

    fn use_spool(&mut self, spool: Spool) {
        self.path = Some(spool.path().to_owned());
        self.spool = Some(spool);
        self.retry_at = None;
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
        if let Some(intent) = ends {
            self.end_intent(intent);
        }
    }

    /// Notes that a call has ended whose intent was added.
    pub(super) fn end_intent(&mut self, number: u64) {
        self.live.remove(&number);
        self.unwritten.remove(&number);
        self.changes.ended.push(number);
    }

    /// Adds a record that is only on disk after the next commit.
    pub(super) fn add_only_here(&mut self, record: Pending, ends: Option<u64>) {
        self.add(&record, ends);
        self.staged.push(record);
    }

    /// Adds a call that is about to be sent. `noted` is told when the disk has it, or cannot have it.
    pub(super) fn add_intent(&mut self, number: u64, bytes: Vec<u8>, noted: oneshot::Sender<()>) {
        self.live.insert(number);
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
        let is_on_disk = written.is_ok() && self.spool.is_some();
        if let Err(error) = written {
            self.fail(&error, now);
        }
        let mut kept = Vec::new();
        if is_on_disk {
            for record in &staged {
                add_to_ranges(&mut self.on_disk, record.number);
            }
        } else {
            kept = staged;
            let live = changes.intents.into_iter().filter(|(number, _)| self.live.contains(number));
            self.unwritten.extend(live);
        }
        for noted in intents {
            // The call may have been given up meanwhile.
            noted.send(()).unwrap_or_default();
        }
        kept
    }

    fn fail(&mut self, error: &SpoolError, now: Instant) {
        if let Some(spool) = self.spool.take() {
            self.failed = Some(spool);
            let folder = self.folder.as_deref().unwrap_or(Path::new("")).display();
            let remedy = "records are kept in memory until the disk can be written again";
            tracing::error!(error = %ErrorChain(error), %folder, remedy, "spanledger.spool.failed");
        }
        self.retry_at = Some(now + self.retry);
    }

    /// Tries the disk again, if it has failed and it is time. `records` are those in memory. Returns the first and the
    /// last number of records that were only on disk and are not there any more.
    pub(super) fn retry<'a>(
        &mut self,
        now: Instant,
        records: impl Iterator<Item = &'a Pending>,
    ) -> Vec<(u64, u64)> {
        let Some(folder) = self.folder.clone().filter(|_| self.retry_at.is_some_and(|at| at <= now)) else {
            return Vec::new();
        };
        self.retry_at = Some(now + self.retry);
        let (spool, lost) = match Spool::reopen(&folder, self.path.as_deref(), &mut self.failed) {
            Ok(Reopened::Same(spool)) => (spool, VecDeque::new()),
            Ok(Reopened::TakenOver(spool)) => {
                self.on_disk.clear();
                (spool, VecDeque::new())
            }
            Ok(Reopened::Lost(spool)) => {
                let calls = self.live.len().saturating_sub(self.unwritten.len());
                if calls > 0 {
                    let reason = "if the process dies now, nothing tells that these calls were sent";
                    tracing::error!(calls, reason, "spanledger.spool.intents_lost");
                }
                (spool, std::mem::take(&mut self.on_disk))
            }
            Err(error) => {
                tracing::debug!(error = %ErrorChain(&error), "spanledger.spool.failed_again");
                return Vec::new();
            }
        };
        self.path = Some(spool.path().to_owned());
        let added: Vec<_> = records.map(|record| (record.number, record.bytes.clone())).collect();
        let in_memory: BTreeSet<_> = added.iter().map(|(number, _)| *number).collect();
        let is_kept = |number| {
            let mut ranges = self.on_disk.iter();
            in_memory.contains(&number) || ranges.any(|(first, last)| (*first..=*last).contains(&number))
        };
        let intents = self.unwritten.iter().map(|(number, bytes)| (*number, bytes.clone())).collect();
        let changes = Changes { added, intents, ..Changes::default() };
        match spool.restore(is_kept, |number| self.live.contains(&number), &changes) {
            Ok(()) => {
                self.bytes = spool.bytes().unwrap_or_default();
                self.unwritten.clear();
                self.use_spool(spool);
                tracing::info!(folder = %folder.display(), "spanledger.spool.recovered");
            }
            Err(_) => self.failed = Some(spool),
        }
        lost.into()
    }

    /// When the disk is tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Reads so many records of those that are only on disk, oldest first, and fewer if they have more bytes.
    pub(super) fn load(&mut self, now: Instant, count: usize, bytes: usize) -> Loaded {
        let (Some(spool), Some((first, last))) = (&self.spool, self.on_disk.front().copied()) else {
            return Loaded::default();
        };
        let (read, is_whole_range) = match spool.load(first, last, count, bytes) {
            Ok(read) => read,
            Err(error) => {
                self.fail(&error, now);
                return Loaded::default();
            }
        };
        let mut loaded = Loaded::default();
        let mut next = first;
        for (number, bytes) in read {
            if next < number {
                loaded.lost.push((next, number - 1));
            }
            next = number + 1;
            loaded.records.push(Pending { bytes, number, source: Source::Call });
        }
        self.on_disk.pop_front();
        if next <= last {
            if is_whole_range {
                loaded.lost.push((next, last));
            } else {
                self.on_disk.push_front((next, last));
            }
        }
        loaded
    }
}
