//! Where the entries of a new run come from: the frozen part of memory, or older runs.

use std::sync::Arc;

use rusqlite::Connection;

use super::{Entry, error::KeyError, recent::Recent, run::Run};

/// Entries in ascending order of hash and number.
pub(super) trait Source {
    /// A place between two entries.
    type Position: Clone;

    fn next(&mut self, connection: &Connection) -> Result<Option<Entry>, KeyError>;
    fn position(&self) -> Self::Position;
    fn seek(&mut self, position: &Self::Position);
}

/// The number of parts that are sorted one after the other, so that no call sorts all entries. The first byte
/// of a hash chooses the part.
const PARTS: usize = 256;

/// Keys that get no additions any more and are being written. They stay searchable until all are.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) recent: Recent,
    /// The entries, part by part.
    entries: Vec<Entry>,
    /// The end of each part.
    ends: Vec<usize>,
    /// How many parts are sorted.
    sorted: usize,
    next: usize,
}

impl Frozen {
    pub(super) fn new(recent: Recent) -> Self {
        let part = |entry: &Entry| usize::try_from(entry.hash >> (super::HASH_BITS - 8)).unwrap_or(0) % PARTS;
        let mut counts = [0; PARTS];
        for entry in recent.entries() {
            counts[part(&entry)] += 1;
        }
        let mut end = 0;
        let mut places = counts.map(|count| {
            end += count;
            end - count
        });
        let mut entries = vec![Entry::default(); recent.len()];
        for entry in recent.entries() {
            let place = &mut places[part(&entry)];
            entries[*place] = entry;
            *place += 1;
        }
        Self { recent, entries, ends: places.into(), sorted: 0, next: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.recent.bytes() + self.entries.capacity() * size_of::<Entry>()
    }
}

impl Source for Frozen {
    type Position = usize;

    fn next(&mut self, _: &Connection) -> Result<Option<Entry>, KeyError> {
        let sorted_to = |parts: usize| parts.checked_sub(1).map_or(0, |part| self.ends[part]);
        if self.next == sorted_to(self.sorted) && self.next < self.entries.len() {
            let begin = self.next;
            let part = self.ends.partition_point(|end| *end <= begin);
            self.entries[begin..self.ends[part]].sort_unstable();
            self.sorted = part + 1;
        }
        let entry = self.entries.get(self.next).copied();
        self.next += usize::from(entry.is_some());
        Ok(entry)
    }

    fn position(&self) -> usize {
        self.next
    }

    fn seek(&mut self, position: &usize) {
        self.next = *position;
    }
}

/// The place in one of the merged runs.
#[derive(Debug)]
struct Cursor {
    run: Arc<Run>,
    page: u64,
    /// The next entry of the page.
    at: usize,
    /// The entries of the page, if they were read.
    entries: Vec<Entry>,
}

impl Cursor {
    /// The hash of the next entry. At the end it is greater than any hash.
    fn head(&mut self, connection: &Connection) -> Result<u64, KeyError> {
        if self.at == self.entries.len() && self.at > 0 {
            self.page += 1;
            self.at = 0;
            self.entries.clear();
        }
        if self.entries.is_empty() && self.page < self.run.manifest.pages {
            let entries = &mut self.entries;
            self.run.manifest.page(connection, self.page, |page| {
                for entry in page {
                    entries.push(entry?);
                }
                Ok(())
            })?;
        }
        Ok(self.entries.get(self.at).map_or(u64::MAX, |entry| entry.hash))
    }
}

/// Several runs as one. They are ordered from the oldest observations to the newest.
#[derive(Debug)]
pub(super) struct Merge {
    cursors: Vec<Cursor>,
    /// The hash of each cursor's next entry; empty until the pages were read.
    heads: Vec<u64>,
}

impl Merge {
    pub(super) fn new(runs: &[Arc<Run>]) -> Self {
        let cursor = |run: &Arc<Run>| Cursor { run: Arc::clone(run), page: 0, at: 0, entries: Vec::new() };
        Self { cursors: runs.iter().map(cursor).collect(), heads: Vec::new() }
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.cursors.iter().map(|cursor| &cursor.run)
    }

    pub(super) fn bytes(&self) -> usize {
        self.cursors.iter().map(|cursor| cursor.entries.capacity() * size_of::<Entry>()).sum()
    }
}

impl Source for Merge {
    type Position = Vec<(u64, usize)>;

    fn next(&mut self, connection: &Connection) -> Result<Option<Entry>, KeyError> {
        if self.heads.is_empty() {
            let heads: Result<_, _> = self.cursors.iter_mut().map(|cursor| cursor.head(connection)).collect();
            self.heads = heads?;
        }
        // Of equal hashes that of the oldest run is first: numbers ascend from run to run.
        let (mut least, mut hash) = (0, u64::MAX);
        for (index, head) in self.heads.iter().enumerate() {
            // Which is less cannot be predicted; these two are chosen without a branch.
            let less = *head < hash;
            least = if less { index } else { least };
            hash = if less { *head } else { hash };
        }
        let cursor = &mut self.cursors[least];
        let Some(entry) = cursor.entries.get(cursor.at).copied() else { return Ok(None) };
        cursor.at += 1;
        self.heads[least] = match cursor.entries.get(cursor.at) {
            Some(next) => next.hash,
            None => cursor.head(connection)?,
        };
        Ok(Some(entry))
    }

    fn position(&self) -> Self::Position {
        self.cursors.iter().map(|cursor| (cursor.page, cursor.at)).collect()
    }

    fn seek(&mut self, position: &Self::Position) {
        for (cursor, (page, at)) in self.cursors.iter_mut().zip(position) {
            (cursor.page, cursor.at) = (*page, *at);
            cursor.entries.clear();
        }
        self.heads.clear();
    }
}
