//! The work beside insertion: writing the frozen part, merging runs, deleting what is no longer needed.

use std::{mem, sync::Arc};

use rusqlite::Connection;

use super::{
    KeyIndex,
    error::KeyError,
    job::Job,
    page::{RUN_IDS, page_id, run_of},
    recent::Recent,
    run::Run,
    source::{Frozen, Merge},
};

/// How many keys an observation has at most, usually.
const KEYS_PER_OBSERVATION: u64 = 5;
/// How much more is done than what is needed. Work that has begun then comes to its end before there is more
/// of its kind, and the runs that are being merged do not wait long: each of them costs every look-up.
const PACE: u64 = 2;
/// About how many entries a page has. Deleting keeps pace with writing.
const ENTRIES_PER_PAGE: u64 = 512;

/// Pages of a run that the manifest does not name: it was merged, or never completed.
#[derive(Debug)]
pub(super) struct Unneeded {
    run: u64,
    /// The first page that is not deleted.
    next: u64,
    committed: u64,
    /// The page after the last.
    end: u64,
}

impl Unneeded {
    fn merged(run: &Run) -> Self {
        Self { run: run.manifest.id, next: 0, committed: 0, end: run.manifest.pages }
    }

    fn remaining(&self) -> u64 {
        self.end - self.next
    }
}

/// Finds the pages of runs that the manifest does not name, and the first free number of a run.
pub(super) fn leftovers(
    connection: &Connection,
    runs: &[Arc<Run>],
) -> Result<(Vec<Unneeded>, u64), KeyError> {
    let mut unneeded = Vec::new();
    let mut next_run = runs.iter().map(|run| run.manifest.id + 1).max().unwrap_or(1);
    let mut first = connection.prepare("SELECT min(id) FROM key_page WHERE id >= ?1")?;
    let mut last = connection.prepare("SELECT max(id) FROM key_page WHERE id < ?1")?;
    let mut from = i64::MIN;
    while let Some(id) = first.query_row([from], |row| row.get::<_, Option<i64>>(0))? {
        let run = run_of(id);
        if id < 0 || run >= RUN_IDS {
            return Err(KeyError::damaged_run(id >> 32, "it does not exist, but it has pages"));
        }
        from = page_id(run + 1, 0);
        if !runs.iter().any(|known| known.manifest.id == run) {
            let last: i64 = last.query_row([from], |row| row.get(0))?;
            let page = |id: i64| id.cast_unsigned() & u64::from(u32::MAX);
            unneeded.push(Unneeded { run, next: page(id), committed: page(id), end: page(last) + 1 });
        }
        next_run = next_run.max(run + 1);
    }
    Ok((unneeded, next_run))
}

impl KeyIndex {
    /// Does a slice of the work beside insertion, inside the writer's transaction. Call it once in each transaction,
    /// before the commit, with the number of new observations: the work is proportional to it.
    ///
    /// If it fails, or if the transaction is not committed, [`undo`](Self::undo) a mark that was set before.
    /// The next call takes for granted that the transaction of this one was committed.
    pub(crate) fn maintain(&mut self, transaction: &Connection, observations: usize) -> Result<(), KeyError> {
        self.confirm();
        self.maintains += 1;
        self.freeze();
        self.begin_merges();
        if self.froze {
            // Freezing takes milliseconds itself, so that this call writes nothing.
            return Ok(());
        }
        if self.freezing.is_none() && self.merges.is_empty() && self.unneeded.is_empty() {
            self.owed = 0;
            return Ok(());
        }
        // Each entry is written once and then merged once for each level.
        let levels = self.runs.iter().map(|run| u64::from(run.manifest.level) + 2).max().unwrap_or(1);
        let entries = (observations as u64).saturating_mul(KEYS_PER_OBSERVATION * levels * PACE);
        self.owed = self.owed.saturating_add(entries);
        if self.owed < self.limits.slice {
            return Ok(());
        }
        let mut budget = mem::take(&mut self.owed);
        self.delete(transaction, budget / ENTRIES_PER_PAGE + 1)?;
        if let Some(job) = &mut self.freezing {
            job.work(transaction, &self.limits, &mut budget, &mut self.written)?;
        }
        // The lower levels first: their runs grow in number more quickly.
        for job in &mut self.merges {
            job.work(transaction, &self.limits, &mut budget, &mut self.written)?;
        }
        Ok(())
    }

    /// What the previous call did is committed: complete runs take the place of what they were made of.
    fn confirm(&mut self) {
        self.froze = false;
        if let Some(mut job) = self.freezing.take() {
            if job.complete {
                self.runs.push(Arc::new(job.output));
            } else {
                job.confirm();
                self.freezing = Some(job);
            }
        }
        for mut job in mem::take(&mut self.merges) {
            if job.complete {
                let inputs: Vec<_> = job.source.runs().map(|run| run.manifest.id).collect();
                self.unneeded.extend(job.source.runs().map(|run| Unneeded::merged(run)));
                self.runs.retain(|run| !inputs.contains(&run.manifest.id));
                self.runs.push(Arc::new(job.output));
            } else {
                job.confirm();
                self.merges.push(job);
            }
        }
        self.runs.sort_by_key(|run| run.manifest.first_seq);
        for pages in &mut self.unneeded {
            pages.committed = pages.next;
        }
        self.unneeded.retain(|pages| pages.remaining() > 0);
    }

    /// What the last call did was rolled back.
    pub(super) fn rewind(&mut self) {
        if self.froze {
            self.froze = false;
            if let Some(job) = self.freezing.take() {
                // Nothing was inserted since: the insertions of a transaction end before its `maintain`.
                self.recent = job.source.recent;
            }
        }
        if let Some(job) = &mut self.freezing {
            job.rewind();
        }
        for job in &mut self.merges {
            job.rewind();
        }
        for pages in &mut self.unneeded {
            pages.next = pages.committed;
        }
    }

    fn freeze(&mut self) {
        if self.freezing.is_some() || self.recent.len() < self.limits.freeze {
            return;
        }
        let Some(seqs) = self.recent.seqs() else { return };
        let recent = mem::replace(&mut self.recent, Recent::with_capacity(self.limits.capacity()));
        let output = Run::new(self.run_id(), 0, seqs, recent.len() as u64);
        self.freezing = Some(Job::new(Frozen::new(recent), output, Vec::new()));
        self.froze = true;
    }

    /// Begins to merge the oldest runs of a level if it has enough of them, one merge for each level.
    fn begin_merges(&mut self) {
        let highest = self.runs.iter().map(|run| run.manifest.level).max().unwrap_or(0);
        for level in 0..=highest {
            if self.merges.iter().any(|job| job.output.manifest.level == level + 1) {
                continue;
            }
            let runs: Vec<_> = self
                .runs
                .iter()
                .filter(|run| run.manifest.level == level)
                .take(self.limits.fan_out)
                .cloned()
                .collect();
            let [oldest, .., newest] = runs.as_slice() else { continue };
            if runs.len() < self.limits.fan_out {
                continue;
            }
            let seqs = (oldest.manifest.first_seq, newest.manifest.last_seq);
            let entries = runs.iter().map(|run| run.manifest.entries).sum();
            let replaced = runs.iter().map(|run| run.manifest.id).collect();
            let output = Run::new(self.run_id(), level + 1, seqs, entries);
            self.merges.push(Job::new(Merge::new(&runs), output, replaced));
        }
        self.merges.sort_by_key(|job| job.output.manifest.level);
    }

    fn run_id(&mut self) -> u64 {
        let id = self.next_run;
        self.next_run += 1;
        id
    }

    fn delete(&mut self, transaction: &Connection, mut pages: u64) -> Result<(), KeyError> {
        let mut delete = transaction.prepare_cached("DELETE FROM key_page WHERE id >= ?1 AND id < ?2")?;
        for unneeded in &mut self.unneeded {
            let end = unneeded.end.min(unneeded.next.saturating_add(pages));
            let deleted =
                delete.execute([page_id(unneeded.run, unneeded.next), page_id(unneeded.run, end)])?;
            pages -= end - unneeded.next;
            self.deleted += deleted as u64;
            unneeded.next = end;
            if pages == 0 {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn unneeded_pages(&self) -> u64 {
        self.unneeded.iter().map(Unneeded::remaining).sum()
    }
}
