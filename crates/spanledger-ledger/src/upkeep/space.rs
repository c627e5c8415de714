//! Giving free pages of the file back to the file system.
//!
//! What is pruned leaves free pages in the file, which later appends use. `PRAGMA incremental_vacuum` moves
//! pages from the end of the file into free ones and cuts the end off, some pages in each transaction. This is
//! possible in files that were made with `auto_vacuum = INCREMENTAL`, as new ledgers are. An older file has to
//! be written anew once, which keeps everyone else from writing until it is done.

use std::time::Duration;

use rusqlite::Connection;

use crate::{FileSizes, Ledger, LedgerError, LedgerReader, apply::Append, open};

/// The value of `PRAGMA auto_vacuum` for which `incremental_vacuum` works.
const INCREMENTAL: i64 = 2;
/// How long the file is tried to be locked when it is written anew.
const REBUILD_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The pages of a ledger's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// The size of a page in bytes.
    pub bytes: u64,
    /// All pages.
    pub total: u64,
    /// Pages that hold nothing.
    pub free: u64,
    /// Whether free pages can be given back in parts ([`Ledger::compact`]). If not, the file must be written
    /// anew once ([`Ledger::rebuild_file`]).
    pub can_shrink: bool,
}

/// What a call of [`Ledger::compact`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Pages by which the file becomes smaller.
    pub pages: u64,
    /// What the file has now.
    pub left: Pages,
    /// How long the work took, the commit not included.
    pub took: Duration,
}

impl Pages {
    pub(crate) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let count = |name: &str| Ok::<_, rusqlite::Error>(u64::try_from(number(name)?).unwrap_or_default());
        Ok(Self {
            bytes: count("page_size")?,
            total: count("page_count")?,
            free: count("freelist_count")?,
            can_shrink: number("auto_vacuum")? == INCREMENTAL,
        })
    }
}

impl LedgerReader {
    /// The pages of the file.
    pub fn pages(&self) -> Result<Pages, LedgerError> {
        Ok(Pages::of(&self.connection)?)
    }
}

impl Ledger {
    /// Takes at most `limit` free pages out of the file. Repeat it until there are none. The file becomes
    /// smaller when its log is copied into it ([`copy_log`](Self::copy_log)).
    pub async fn compact(&self, limit: usize) -> Result<Compacted, LedgerError> {
        let (compacted, took) = self.work(move |append| append.compact(limit)).await?;
        Ok(Compacted { took, ..compacted })
    }

    /// Copies the write-ahead log into the file, as far as no reader prevents it, and returns the sizes of
    /// both. It blocks, but keeps nobody from appending.
    pub fn copy_log(&self) -> Result<FileSizes, LedgerError> {
        let connection = open::again(self.identity())?;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        drop(connection);
        self.identity().check()
    }

    /// Writes the file anew, without free pages, so that [`compact`](Self::compact) works from now on. It
    /// blocks, and nothing can be appended meanwhile; call it while nobody else uses the ledger. SQLite needs
    /// room for a copy in the folder of temporary files and for another one in the log. A crash leaves the
    /// file as it was.
    pub fn rebuild_file(&self) -> Result<(), LedgerError> {
        let connection = open::again(self.identity())?;
        connection.busy_timeout(REBUILD_BUSY_TIMEOUT)?;
        // The copy would not fit into memory.
        connection.pragma_update(None, "temp_store", "FILE")?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        Ok(connection.execute_batch("VACUUM")?)
    }
}

impl Append<'_> {
    fn compact(&mut self, limit: usize) -> Result<Compacted, LedgerError> {
        let before = Pages::of(self.connection)?;
        if before.can_shrink && before.free > 0 {
            let mut statement =
                self.connection.prepare(&format!("PRAGMA incremental_vacuum({})", limit.max(1)))?;
            let mut rows = statement.query([])?;
            // Each step moves one page.
            while rows.next()?.is_some() {}
        }
        let left = Pages::of(self.connection)?;
        Ok(Compacted { pages: before.total.saturating_sub(left.total), left, took: Duration::ZERO })
    }
}
