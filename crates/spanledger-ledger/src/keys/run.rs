//! A run: the keys of a range of observations, sorted, in pages of the table `key_page`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    error::KeyError,
    filter::{Filter, Probe},
    page::{Page, PageWriter, Problem, RUN_IDS, page_id},
};

/// A row of the table `key_run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) id: u64,
    /// How often its entries were merged.
    pub(super) level: u32,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) pages: u64,
    pub(super) entries: u64,
}

impl Manifest {
    /// The rows of the table, oldest observations first, checked against each other and the size of the file.
    pub(super) fn all(connection: &Connection) -> Result<Vec<Self>, KeyError> {
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let file_bytes = pragma("page_count")?.saturating_mul(pragma("page_size")?).cast_unsigned();
        let mut select = connection.prepare_cached(
            "SELECT id, level, first_seq, last_seq, pages, entries FROM key_run ORDER BY first_seq",
        )?;
        let mut rows = select.query([])?;
        let mut runs: Vec<Self> = Vec::new();
        while let Some(row) = rows.next()? {
            let run = Self::from_row(row)?;
            if runs.last().is_some_and(|previous| previous.last_seq >= run.first_seq) {
                return Err(run.damaged_row("it overlaps another run"));
            }
            // Memory is allocated by these numbers before a page is read.
            if run.entries > file_bytes || run.pages > run.entries {
                return Err(run.damaged_row("its counts cannot be right"));
            }
            runs.push(run);
        }
        Ok(runs)
    }

    fn from_row(row: &Row<'_>) -> Result<Self, KeyError> {
        let id: i64 = row.get(0)?;
        let number = |column| -> Result<u64, KeyError> {
            let value: i64 = row.get(column)?;
            u64::try_from(value).map_err(|_| KeyError::damaged_run(id, "a number is negative"))
        };
        let run = Self {
            id: number(0)?,
            level: u32::try_from(number(1)?)
                .map_err(|_| KeyError::damaged_run(id, "its level is too large"))?,
            first_seq: number(2)?,
            last_seq: number(3)?,
            pages: number(4)?,
            entries: number(5)?,
        };
        if run.id >= RUN_IDS || run.pages > 1 << 32 {
            return Err(run.damaged_row("a number is too large"));
        }
        if run.first_seq > run.last_seq || run.pages == 0 {
            return Err(run.damaged_row("it is empty"));
        }
        Ok(run)
    }

    fn damaged_row(&self, problem: Problem) -> KeyError {
        KeyError::damaged_run(self.id.cast_signed(), problem)
    }

    pub(super) fn insert(&self, transaction: &Connection) -> Result<(), KeyError> {
        transaction
            .prepare_cached(
                "INSERT INTO key_run (id, level, first_seq, last_seq, pages, entries) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute([self.id, u64::from(self.level), self.first_seq, self.last_seq, self.pages, self.entries].map(u64::cast_signed))?;
        Ok(())
    }

    /// Hands the entries of a page to `read`.
    pub(super) fn page<T>(
        &self,
        connection: &Connection,
        page: u64,
        read: impl FnOnce(Page<'_>) -> Result<T, Problem>,
    ) -> Result<T, KeyError> {
        let mut select = connection.prepare_cached("SELECT entries FROM key_page WHERE id = ?1")?;
        let read = select
            .query_row([page_id(self.id, page)], |row| {
                let bytes = row.get_ref(0)?.as_blob().map_err(|_| "it is not a blob");
                Ok(bytes.and_then(|bytes| Page::new(bytes, self, page)).and_then(read))
            })
            .optional()?;
        read.unwrap_or(Err("it is missing")).map_err(|problem| self.damaged(page, problem))
    }

    /// Adds the hash's numbers to `found`, newest first, until it has `limit`. `first_hash` says with which hash
    /// a page begins.
    pub(super) fn find(
        &self,
        connection: &Connection,
        hash: u64,
        limit: usize,
        found: &mut Vec<u64>,
        mut first_hash: impl FnMut(u64) -> Result<u64, KeyError>,
    ) -> Result<(), KeyError> {
        // Entries of one hash can fill several pages: the search begins in the last page that begins with a
        // smaller one.
        let (mut from, mut to) = (0, self.pages);
        while from < to {
            let middle = from + (to - from) / 2;
            if first_hash(middle)? < hash {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        let mut ascending = Vec::new();
        for page in from.saturating_sub(1)..self.pages {
            if first_hash(page)? > hash {
                break;
            }
            self.page(connection, page, |entries| {
                for entry in entries {
                    let entry = entry?;
                    if entry.hash == hash {
                        ascending.push(entry.seq);
                    } else if entry.hash > hash {
                        break;
                    }
                }
                Ok(())
            })?;
        }
        found.extend(ascending.into_iter().rev().take(limit.saturating_sub(found.len())));
        Ok(())
    }
}

/// A run as the writer knows it: what is in memory says where a key may be.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) manifest: Manifest,
    filter: Filter,
    /// The first hash of each page.
    fences: Vec<u64>,
}

impl Run {
    /// A run without pages yet, for at most so many entries.
    pub(super) fn new(id: u64, level: u32, (first_seq, last_seq): (u64, u64), entries: u64) -> Self {
        Self {
            manifest: Manifest { id, level, first_seq, last_seq, pages: 0, entries: 0 },
            filter: Filter::new(entries),
            fences: Vec::new(),
        }
    }

    /// Reads all pages of a run. This checks them, too.
    pub(super) fn load(connection: &Connection, manifest: Manifest) -> Result<Self, KeyError> {
        let mut filter = Filter::new(manifest.entries);
        let mut fences = Vec::new();
        let mut entries = 0;
        let mut last = 0;
        let mut select = connection
            .prepare_cached("SELECT id, entries FROM key_page WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
        let mut rows = select.query([page_id(manifest.id, 0), page_id(manifest.id + 1, 0)])?;
        for number in 0..manifest.pages {
            let damaged = |problem| manifest.damaged(number, problem);
            let row = rows.next()?.ok_or_else(|| damaged("it is missing"))?;
            if row.get::<_, i64>(0)? != page_id(manifest.id, number) {
                return Err(damaged("it is missing"));
            }
            let bytes = row.get_ref(1)?.as_blob().map_err(|_| damaged("it is not a blob"))?;
            let page = Page::new(bytes, &manifest, number).map_err(damaged)?;
            let first = page.first_hash();
            if first < last {
                return Err(damaged("it is out of order"));
            }
            fences.push(first);
            for entry in page {
                let entry = entry.map_err(damaged)?;
                filter.insert(entry.hash);
                last = entry.hash;
                entries += 1;
            }
        }
        if entries != manifest.entries || rows.next()?.is_some() {
            return Err(manifest.damaged_row("its pages hold another number of entries"));
        }
        Ok(Self { manifest, filter, fences })
    }

    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        self.filter.may_contain(probe)
    }

    pub(super) fn find(
        &self,
        connection: &Connection,
        hash: u64,
        limit: usize,
        found: &mut Vec<u64>,
    ) -> Result<(), KeyError> {
        let first_hash = |page| {
            Ok(usize::try_from(page).ok().and_then(|page| self.fences.get(page).copied()).unwrap_or(u64::MAX))
        };
        self.manifest.find(connection, hash, limit, found, first_hash)
    }

    /// Appends a page of entries in ascending order, which follow those of the previous page.
    pub(super) fn write_page(
        &mut self,
        transaction: &Connection,
        first: u64,
        page: &mut PageWriter,
    ) -> Result<usize, KeyError> {
        let id = page_id(self.manifest.id, self.manifest.pages);
        let entries = page.entries();
        let bytes = page.finish(id);
        transaction
            .prepare_cached("INSERT INTO key_page (id, entries) VALUES (?1, ?2)")?
            .execute(params![id, bytes])?;
        self.fences.push(first);
        self.manifest.pages += 1;
        self.manifest.entries += entries;
        Ok(bytes.len())
    }

    /// Notes an entry in the filter. Doing so again after a rolled-back transaction changes nothing.
    pub(super) fn note(&mut self, hash: u64) {
        self.filter.insert(hash);
    }

    /// Forgets the pages after the first `pages`, which had so many entries.
    pub(super) fn truncate(&mut self, pages: u64, entries: u64) {
        self.fences.truncate(usize::try_from(pages).unwrap_or(usize::MAX));
        self.manifest.pages = pages;
        self.manifest.entries = entries;
    }

    pub(super) fn filter_bytes(&self) -> usize {
        self.filter.bytes()
    }

    pub(super) fn bytes(&self) -> usize {
        self.filter.bytes() + self.fences.capacity() * size_of::<u64>()
    }
}
