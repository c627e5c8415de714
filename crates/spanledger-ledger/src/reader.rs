//! The reader. It works while a writer is open, in the same process or another one.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use spanledger_event::{CostEvent, EventId};

use crate::{
    LedgerError, open,
    row::{self, EVENT_COLUMNS, SELECT_EVENT},
};

/// A reader of a ledger file. It sees committed transactions, and never blocks the writer.
#[derive(Debug)]
pub struct LedgerReader {
    pub(crate) connection: Connection,
}

/// An event with the position of its latest change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The position of the change. A follower moves its cursor here after it has durably stored the event.
    pub seq: i64,
    /// The event as it is now.
    pub event: CostEvent,
}

/// How much a ledger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Observations, each counted once.
    pub observations: i64,
    /// Events that count, quarantined ones included.
    pub events: i64,
    /// Events that lack attribution.
    pub quarantined: i64,
    /// Void events, which do not count.
    pub void: i64,
    /// The greatest `change_seq`.
    pub last_change: i64,
}

impl LedgerReader {
    /// Opens an existing ledger for reading.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Ok(Self { connection: open::reader(path.as_ref())? })
    }

    /// Events that changed after `cursor`, in the order of their last change, at most `limit`.
    ///
    /// An event that changed several times appears once, as it is now.
    pub fn changes_after(&self, cursor: i64, limit: usize) -> Result<Vec<Change>, LedgerError> {
        let sql = format!(
            "SELECT change_seq, {} FROM event WHERE change_seq > ? ORDER BY change_seq LIMIT ?",
            *EVENT_COLUMNS
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query([cursor, limit])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            changes.push(Change { seq: row.get(0)?, event: row::read(row, 1)? });
        }
        Ok(changes)
    }

    /// The cursor after which `changes_after` returns the latest `count` changed events.
    pub fn nth_change_from_end(&self, count: i64) -> Result<i64, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT coalesce(min(change_seq) - 1, (SELECT coalesce(max(change_seq), 0) FROM event))
             FROM (SELECT change_seq FROM event ORDER BY change_seq DESC LIMIT ?)",
        )?;
        Ok(statement.query_row([count], |row| row.get(0))?)
    }

    /// The event with this id.
    pub fn event(&self, id: &EventId) -> Result<Option<CostEvent>, LedgerError> {
        let mut statement = self.connection.prepare_cached(&SELECT_EVENT)?;
        let mut rows = statement.query([id.as_str()])?;
        rows.next()?.map(|row| row::read(row, 1)).transpose()
    }

    /// The cursor of a follower; 0 before its first acknowledgement.
    pub fn cursor(&self, follower: &str) -> Result<i64, LedgerError> {
        let mut statement = self.connection.prepare_cached("SELECT cursor FROM follower WHERE name = ?")?;
        Ok(statement.query_row([follower], |row| row.get(0)).optional()?.unwrap_or_default())
    }

    /// How much the ledger holds.
    pub fn summary(&self) -> Result<Summary, LedgerError> {
        Ok(self.connection.query_row(
            "SELECT (SELECT count(*) FROM observation),
                    count(*) FILTER (WHERE state <> 'void'),
                    count(*) FILTER (WHERE state = 'quarantined'),
                    count(*) FILTER (WHERE state = 'void'),
                    coalesce(max(change_seq), 0) FROM event",
            [],
            |row| {
                Ok(Summary {
                    observations: row.get(0)?,
                    events: row.get(1)?,
                    quarantined: row.get(2)?,
                    void: row.get(3)?,
                    last_change: row.get(4)?,
                })
            },
        )?)
    }

    /// Lets SQLite check the whole file (`PRAGMA integrity_check`). Returns SQLite's messages about the
    /// errors that it found; the list is empty if there are none.
    pub fn integrity(&self) -> Result<Vec<String>, LedgerError> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let findings: Vec<String> = rows.collect::<Result<_, _>>()?;
        Ok(findings.into_iter().filter(|finding| finding != "ok").collect())
    }
}
