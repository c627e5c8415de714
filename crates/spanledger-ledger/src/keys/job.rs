//! The making of one run, in slices of pages.

use rusqlite::Connection;

use super::{Limits, error::KeyError, page::PageWriter, run::Run, source::Source};

/// A run that is being written. Its pages are in the table before its row in the manifest is, so that they mean
/// nothing until it is complete.
#[derive(Debug)]
pub(super) struct Job<S: Source> {
    pub(super) source: S,
    pub(super) output: Run,
    /// The runs whose entries the new one has.
    replaced: Vec<u64>,
    /// Whether the manifest has the run.
    pub(super) complete: bool,
    committed: Committed<S::Position>,
}

/// Where the last committed transaction stopped.
#[derive(Debug)]
struct Committed<P> {
    position: P,
    pages: u64,
    entries: u64,
}

/// What was written since the index was opened.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Written {
    pub(super) pages: u64,
    pub(super) bytes: u64,
}

impl<S: Source> Job<S> {
    pub(super) fn new(source: S, output: Run, replaced: Vec<u64>) -> Self {
        let committed = Committed { position: source.position(), pages: 0, entries: 0 };
        Self { source, output, replaced, complete: false, committed }
    }

    /// Writes pages until they have `budget` entries, of which it subtracts what it wrote. At the end of the source
    /// it writes the manifest.
    pub(super) fn work(
        &mut self,
        transaction: &Connection,
        limits: &Limits,
        budget: &mut u64,
        written: &mut Written,
    ) -> Result<(), KeyError> {
        let mut page = PageWriter::default();
        while *budget > 0 && !self.complete {
            page.begin();
            let mut first = None;
            let mut ended = false;
            while page.has_room(limits.page_bytes) {
                let Some(entry) = self.source.next(transaction)? else {
                    ended = true;
                    break;
                };
                first.get_or_insert(entry.hash);
                page.push(entry, &self.output.manifest);
                self.output.note(entry.hash);
            }
            if let Some(first) = first {
                let bytes = self.output.write_page(transaction, first, &mut page)?;
                written.pages += 1;
                written.bytes += bytes as u64;
                *budget = budget.saturating_sub(page.entries());
            }
            if ended {
                self.complete(transaction)?;
            }
        }
        Ok(())
    }

    fn complete(&mut self, transaction: &Connection) -> Result<(), KeyError> {
        let mut delete = transaction.prepare_cached("DELETE FROM key_run WHERE id = ?1")?;
        for run in &self.replaced {
            delete.execute([run.cast_signed()])?;
        }
        self.output.manifest.insert(transaction)?;
        self.complete = true;
        Ok(())
    }

    /// The transaction of the last slice was committed.
    pub(super) fn confirm(&mut self) {
        let Run { manifest, .. } = &self.output;
        self.committed =
            Committed { position: self.source.position(), pages: manifest.pages, entries: manifest.entries };
    }

    /// The transaction of the last slice was rolled back.
    pub(super) fn rewind(&mut self) {
        let Committed { position, pages, entries } = &self.committed;
        self.source.seek(position);
        self.output.truncate(*pages, *entries);
        self.complete = false;
    }
}
