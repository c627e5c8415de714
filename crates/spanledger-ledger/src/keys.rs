//! The key index: from the hash of a key to the numbers of the observations that have it.
//!
//! An observation has a few keys, such as its event id and its call id. Keys are random, and nearly every look-up
//! of a new observation's keys finds nothing. A b-tree would change one page for every key. This index writes
//! keys in bulk instead:
//!
//! * `recent` holds the keys of the latest observations in memory (`recent.rs`);
//! * when it is full it is *frozen*: the next commits write it, in slices, as a *run* of sorted pages (`run.rs`);
//! * as many runs of one level as the fan-out are merged into one of the next level, in slices, too (`job.rs`,
//!   `source.rs`), and their pages are deleted (`maintain.rs`);
//! * of each run a filter and the first hash of each page stay in memory (`filter.rs`), so that the look-up of an
//!   absent key reads nothing from the file.
//!
//! A run is valid if the table `key_run` names it. Pages of other runs are left-overs and are deleted. All changes
//! of the tables are part of the writer's transactions. What is in memory only is in the journal, too: after
//! opening, the caller inserts the keys of the observations after [`last_seq`](KeyIndex::last_seq) again.
//!
//! The index stores a part of each key. Two different keys can therefore find each other's numbers, rarely: the
//! caller compares the observations.
//!
//! Keys must be hashes with a secret seed. Somebody who can choose them can make all look-ups slow.

use std::sync::Arc;

use rusqlite::Connection;

use filter::Probe;
use job::{Job, Written};
use maintain::Unneeded;
use page::short;
use recent::Recent;
use run::{Manifest, Run};
use source::{Frozen, Merge};

mod disk;
mod error;
mod filter;
mod job;
mod maintain;
mod page;
mod recent;
mod run;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use disk::{clear, find_on_disk, last_seq_on_disk};
pub(crate) use error::KeyError;

/// The tables. The id of a page is the run's id times 2³² and the page's number in the run.
pub(crate) const DDL: &str = "CREATE TABLE key_run (
    id INTEGER PRIMARY KEY,
    level INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    entries INTEGER NOT NULL
) STRICT;
CREATE TABLE key_page (
    id INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
) STRICT;
";

/// How many bits of a key are stored.
const HASH_BITS: u32 = 40;

/// A stored key and the number of an observation that has it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u64,
    seq: u64,
}

/// When the index does what.
#[derive(Debug, Clone)]
struct Limits {
    /// So many keys in memory are frozen.
    freeze: usize,
    /// A page has at most so many bytes.
    page_bytes: usize,
    /// So many runs of one level are merged.
    fan_out: usize,
    /// Work waits until so many entries are due: each slice also changes pages of the b-tree around it.
    slice: u64,
}

impl Limits {
    const DEFAULT: Self = Self {
        // The keys of 65,536 observations with four or five keys.
        freeze: 294_912,
        // A row of this size fits a page of 4,096 bytes in SQLite's file.
        page_bytes: 4_050,
        fan_out: 4,
        slice: 10_000,
    };

    /// Room for the keys that arrive until the next commit, so that the map does not have to grow.
    fn capacity(&self) -> usize {
        self.freeze / 4 * 5
    }
}

/// A place in the insertions. It is valid until the second [`maintain`](KeyIndex::maintain) after it.
#[derive(Debug)]
pub(crate) struct Mark {
    len: usize,
    maintains: u64,
}

/// Counts for metrics.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct KeyStats {
    /// Keys in memory only, those that are being written included.
    pub(crate) keys_in_memory: u64,
    /// Keys in complete runs.
    pub(crate) keys_in_runs: u64,
    /// Complete runs.
    pub(crate) runs: u64,
    /// Pages of complete runs.
    pub(crate) pages: u64,
    /// Pages that wait for their deletion.
    pub(crate) unneeded_pages: u64,
    /// Merges that have begun.
    pub(crate) merges: u64,
    /// Memory of the filters.
    pub(crate) filter_bytes: u64,
    /// All memory, about.
    pub(crate) memory_bytes: u64,
    /// Pages written since the index was opened, those of transactions that were rolled back included.
    pub(crate) pages_written: u64,
    /// Bytes of these pages.
    pub(crate) bytes_written: u64,
    /// Pages deleted since the index was opened.
    pub(crate) pages_deleted: u64,
}

/// The index of the writer.
#[derive(Debug)]
pub(crate) struct KeyIndex {
    limits: Limits,
    recent: Recent,
    /// The frozen part, on its way to a run.
    freezing: Option<Job<Frozen>>,
    /// Whether the last call of `maintain` froze it.
    froze: bool,
    /// The complete runs, oldest observations first.
    runs: Vec<Arc<Run>>,
    /// At most one for each level, the lowest first.
    merges: Vec<Job<Merge>>,
    unneeded: Vec<Unneeded>,
    next_run: u64,
    /// Entries to be written by the next slice.
    owed: u64,
    /// How often `maintain` was called.
    maintains: u64,
    written: Written,
    deleted: u64,
}

impl KeyIndex {
    /// Reads and checks all pages. The caller then inserts the keys of the observations after
    /// [`last_seq`](Self::last_seq).
    pub(crate) fn open(connection: &Connection) -> Result<Self, KeyError> {
        Self::open_with(connection, Limits::DEFAULT)
    }

    fn open_with(connection: &Connection, limits: Limits) -> Result<Self, KeyError> {
        let load = |manifest| Run::load(connection, manifest).map(Arc::new);
        let runs: Vec<_> = Manifest::all(connection)?.into_iter().map(load).collect::<Result<_, _>>()?;
        let (unneeded, next_run) = maintain::leftovers(connection, &runs)?;
        Ok(Self {
            recent: Recent::with_capacity(limits.capacity()),
            limits,
            freezing: None,
            froze: false,
            runs,
            merges: Vec::new(),
            unneeded,
            next_run,
            owed: 0,
            maintains: 0,
            written: Written::default(),
            deleted: 0,
        })
    }

    /// The last observation whose keys are in complete runs, 0 if there is none.
    pub(crate) fn last_seq(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.manifest.last_seq)
    }

    /// Whether the key may be present. Reads nothing from the file. Of absent keys, about one in a hundred may be
    /// present in a ledger of ten million observations.
    pub(crate) fn may_contain(&self, key: u64) -> bool {
        let probe = Probe::new(short(key));
        self.recent.contains(key)
            || self.freezing.as_ref().is_some_and(|job| job.source.recent.contains(key))
            || self.runs.iter().any(|run| run.may_contain(&probe))
    }

    /// The numbers stored under the key, newest first, at most `limit`. Reads a page of each run that may have the
    /// key.
    pub(crate) fn find(&self, connection: &Connection, key: u64, limit: usize) -> Result<Vec<u64>, KeyError> {
        let freezing = self.freezing.iter().flat_map(|job| job.source.recent.find(key));
        let mut found: Vec<u64> = self.recent.find(key).chain(freezing).take(limit).collect();
        let hash = short(key);
        let probe = Probe::new(hash);
        for run in self.runs.iter().rev() {
            if found.len() >= limit {
                break;
            }
            if run.may_contain(&probe) {
                run.find(connection, hash, limit, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Stores an observation's number under a key. Numbers begin at 1 and never become smaller. A number that
    /// is stored twice in succession is stored once.
    pub(crate) fn insert(&mut self, key: u64, seq: u64) {
        self.recent.insert(key, seq);
    }

    /// Where the insertions are now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { len: self.recent.len(), maintains: self.maintains }
    }

    /// Forgets what was inserted since the mark was set, and what a [`maintain`](Self::maintain) did since: its
    /// transaction was rolled back.
    pub(crate) fn undo(&mut self, mark: &Mark) {
        debug_assert!(self.maintains - mark.maintains <= 1, "the mark is of an earlier transaction");
        if self.maintains > mark.maintains {
            self.rewind();
            self.maintains = mark.maintains;
        }
        self.recent.truncate(mark.len);
    }

    /// Bytes and counts for metrics.
    pub(crate) fn stats(&self) -> KeyStats {
        let sum = |count: &dyn Fn(&Run) -> u64| self.runs.iter().map(|run| count(run)).sum();
        let growing =
            || self.freezing.iter().map(|job| &job.output).chain(self.merges.iter().map(|job| &job.output));
        let runs = || self.runs.iter().map(|run| &**run).chain(growing());
        let frozen: usize = self.freezing.iter().map(|job| job.source.bytes()).sum();
        let merges: usize = self.merges.iter().map(|job| job.source.bytes()).sum();
        let memory = self.recent.bytes() + frozen + merges + runs().map(Run::bytes).sum::<usize>();
        let frozen_keys: usize = self.freezing.iter().map(|job| job.source.recent.len()).sum();
        KeyStats {
            keys_in_memory: (self.recent.len() + frozen_keys) as u64,
            keys_in_runs: sum(&|run| run.manifest.entries),
            runs: self.runs.len() as u64,
            pages: sum(&|run| run.manifest.pages),
            unneeded_pages: self.unneeded_pages(),
            merges: self.merges.len() as u64,
            filter_bytes: runs().map(Run::filter_bytes).sum::<usize>() as u64,
            memory_bytes: memory as u64,
            pages_written: self.written.pages,
            bytes_written: self.written.bytes,
            pages_deleted: self.deleted,
        }
    }
}
