//! Reading beside the writer, from the same process or another.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use spanledger_event::{CostEvent, EventId};

use crate::{
    LedgerError,
    migrate::TARGET,
    open::{self, Snapshot},
    row::{self, EVENT_COLUMNS, SELECT_EVENT},
};

/// A reader of a ledger file. It sees what was committed, and never blocks the writer.
#[derive(Debug)]
pub struct LedgerReader {
    pub(crate) connection: Connection,
    path: PathBuf,
    /// What the files looked like at the opening, where this reader cannot see changes.
    snapshot: Option<Snapshot>,
}

/// An event at one of its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The position. A follower moves its cursor here once it has the event durably.
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
    /// Events that turned out not to count.
    pub void: i64,
    /// The greatest `change_seq`.
    pub last_change: i64,
}

impl LedgerReader {
    /// Opens an existing ledger for reading.
    ///
    /// Where this user may not create files beside the ledger and no writer has it, as on a read-only file
    /// system, the reader shows the state of this moment: see [`is_snapshot`](Self::is_snapshot).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let path = path.as_ref().to_owned();
        let open::ReadConnection { connection, snapshot } = open::reader(&path)?;
        Ok(Self { connection, path, snapshot })
    }

    /// Whether this reader shows the state of the moment when it was opened, and never a later one.
    pub fn is_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Whether a writer has changed the file since a [snapshot](Self::is_snapshot) was opened. What was read
    /// from the snapshot may then be wrong: open a new reader and read again.
    pub fn is_outdated(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| *snapshot != Snapshot::of(&self.path))
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

    /// The event of that id.
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

    /// The version of the file's tables, where it is older than this program's: the writer will bring
    /// such a file up to date.
    pub fn older_version(&self) -> Result<Option<i64>, LedgerError> {
        let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(Some(version).filter(|version| *version < TARGET.version()))
    }

    /// Lets SQLite check the whole file (`PRAGMA integrity_check`). Returns what it found wrong, in
    /// SQLite's words; an empty list means that the file is sound.
    pub fn integrity(&self) -> Result<Vec<String>, LedgerError> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let findings: Vec<String> = rows.collect::<Result<_, _>>()?;
        Ok(findings.into_iter().filter(|finding| finding != "ok").collect())
    }
}
