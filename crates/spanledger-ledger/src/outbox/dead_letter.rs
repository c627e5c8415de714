//! Events that a follower could not deliver and never will.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, Row};
use spanledger_event::{CostEvent, EventId, Timestamp};

use crate::{LedgerError, LedgerReader, error::RowError};

pub(crate) const DDL: &str = "CREATE TABLE dead_letter (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    follower TEXT NOT NULL,
    change_seq INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    event TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX dead_letter_change ON dead_letter (follower, change_seq);";

/// An event that a follower's destination refuses for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its position.
    pub seq: i64,
    /// Its id.
    pub event_id: EventId,
    /// Its revision.
    pub revision: i64,
    /// Why the destination refuses it.
    pub reason: String,
    /// The event as it was sent.
    pub event: CostEvent,
}

/// A dead letter of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Its number, which no other dead letter of the ledger has.
    pub number: i64,
    /// When it was stored.
    pub at: Timestamp,
    /// The event and the reason.
    pub letter: DeadLetter,
}

/// Stores dead letters. One that the follower has already at the same position is replaced.
pub(super) fn store(
    connection: &Connection,
    follower: &str,
    letters: &[DeadLetter],
) -> Result<(), LedgerError> {
    if letters.is_empty() {
        return Ok(());
    }
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    let mut insert = connection.prepare_cached(
        "INSERT INTO dead_letter (follower, change_seq, event_id, revision, at, reason, event)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (follower, change_seq) DO UPDATE SET event_id = excluded.event_id,
            revision = excluded.revision, at = excluded.at, reason = excluded.reason, event = excluded.event",
    )?;
    for DeadLetter { seq, event_id, revision, reason, event } in letters {
        let json = event.to_json();
        insert.execute((follower, seq, event_id.as_str(), revision, at, reason, json))?;
    }
    Ok(())
}

pub(super) fn remove(connection: &Connection, follower: &str, numbers: &[i64]) -> rusqlite::Result<usize> {
    let mut delete =
        connection.prepare_cached("DELETE FROM dead_letter WHERE follower = ? AND number = ?")?;
    numbers.iter().map(|number| delete.execute((follower, number))).sum()
}

/// Removes all dead letters of a follower.
pub(crate) fn forget(connection: &Connection, follower: &str) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM dead_letter WHERE follower = ?", [follower])
}

impl LedgerReader {
    /// The dead letters of a follower, in the order in which they were stored.
    pub fn dead_letters(&self, follower: &str) -> Result<Vec<StoredDeadLetter>, LedgerError> {
        self.dead_letters_after(follower, 0, usize::MAX)
    }

    /// The dead letters of a follower with greater numbers than `after`, at most `limit`.
    pub fn dead_letters_after(
        &self,
        follower: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at, change_seq, event_id, revision, reason, event FROM dead_letter
             WHERE follower = ? AND number > ? ORDER BY number LIMIT ?",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query((follower, after, limit))?;
        let mut letters = Vec::new();
        while let Some(row) = rows.next()? {
            letters.push(read(row)?);
        }
        Ok(letters)
    }

    /// The numbers and positions of a follower's dead letters, without their events.
    pub fn dead_letter_positions(&self, follower: &str) -> Result<Vec<(i64, i64)>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, change_seq FROM dead_letter WHERE follower = ? ORDER BY number",
        )?;
        let rows = statement.query_map([follower], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many dead letters each follower has. A follower without any is left out.
    pub fn dead_letter_counts(&self) -> Result<BTreeMap<String, i64>, LedgerError> {
        let mut statement =
            self.connection.prepare_cached("SELECT follower, count(*) FROM dead_letter GROUP BY follower")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read(row: &Row<'_>) -> Result<StoredDeadLetter, LedgerError> {
    let event = row.get_ref(6)?.as_str().map_err(RowError::from)?;
    Ok(StoredDeadLetter {
        number: row.get(0)?,
        at: Timestamp::from_nanos(row.get(1)?),
        letter: DeadLetter {
            seq: row.get(2)?,
            event_id: EventId::from_text(row.get::<_, String>(3)?),
            revision: row.get(4)?,
            reason: row.get(5)?,
            event: serde_json::from_str(event).map_err(RowError::from)?,
        },
    })
}
