//! What followers are given: batches that do not change until they are acknowledged.
//!
//! A batch is a range of changes. It is stored before its events are read for the first time, so that the
//! follower gets the same batch after a restart. While it is in flight, a revision that a later one
//! replaces is kept in the table `superseded`.

use rusqlite::{Connection, OptionalExtension};
use spanledger_event::limits::COMPONENT_MAX;

use crate::{LedgerError, words};

/// The identity of a batch: the same range always holds the same events until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRange {
    /// The ledger's id.
    pub ledger: String,
    /// The follower.
    pub follower: String,
    /// The batch begins after this change.
    pub cursor: i64,
    /// Its last change.
    pub last: i64,
}

/// An event whose row cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The change.
    pub seq: i64,
    /// What is wrong with it.
    pub error: LedgerError,
}

/// The ranges of all batches in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<(String, i64, i64)>);

impl InFlight {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare("SELECT follower, cursor, last FROM batch")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(Self(rows.collect::<Result<_, _>>()?))
    }

    /// Whether a batch in flight contains the change.
    pub(crate) fn contains(&self, change: i64) -> bool {
        self.0.iter().any(|(_, cursor, last)| (cursor + 1..=*last).contains(&change))
    }

    fn of(&self, follower: &str) -> Option<(i64, i64)> {
        let (_, cursor, last) =
            self.0.iter().filter(|(name, ..)| name == follower).min_by_key(|batch| batch.1)?;
        Some((*cursor, *last))
    }
}

/// Gives the follower its batch in flight, or a new one of at most `limit` changes. `None` if it has
/// received everything.
///
/// A batch does not end with a void event, so that an event and the one that takes its place come together.
pub(crate) fn hand_out(
    connection: &Connection,
    in_flight: &mut InFlight,
    follower: &str,
    limit: usize,
) -> Result<Option<(i64, i64)>, LedgerError> {
    if let Some(range) = in_flight.of(follower) {
        return Ok(Some(range));
    }
    let cursor: i64 = connection
        .prepare_cached("SELECT cursor FROM follower WHERE name = ?")?
        .query_row([follower], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let sql = format!(
        "SELECT n, is_void FROM (
            SELECT * FROM (SELECT seq AS n, state = {void} AS is_void FROM event
                WHERE seq > ?1 AND change_seq = seq ORDER BY seq LIMIT ?2)
            UNION ALL
            SELECT * FROM (SELECT c.change_seq, e.state = {void} FROM change c JOIN event e ON e.seq = c.seq
                WHERE c.change_seq > ?1 ORDER BY c.change_seq LIMIT ?2)
        ) ORDER BY n",
        void = words::VOID
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let limit = limit.max(1);
    // The void events before their successor are at most those of one component.
    let most = i64::try_from(limit.saturating_add(COMPONENT_MAX)).unwrap_or(i64::MAX);
    let mut rows = statement.query((cursor, most))?;
    let (mut last, mut count) = (None, 0);
    while let Some(row) = rows.next()? {
        last = Some(row.get::<_, i64>(0)?);
        count += 1;
        if count >= limit && !row.get::<_, bool>(1)? {
            break;
        }
    }
    drop(rows);
    let Some(last) = last else { return Ok(None) };
    connection
        .prepare_cached("INSERT INTO batch (follower, cursor, last) VALUES (?, ?, ?)")?
        .execute((follower, cursor, last))?;
    in_flight.0.push((follower.to_owned(), cursor, last));
    Ok(Some((cursor, last)))
}

/// Moves a follower's cursor forward, and forgets the batches that it has passed with the revisions that
/// were kept for them.
pub(crate) fn advance(
    connection: &Connection,
    in_flight: &mut InFlight,
    follower: &str,
    cursor: i64,
) -> Result<(), LedgerError> {
    connection
        .prepare_cached(
            "INSERT INTO follower (name, cursor) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET cursor = max(cursor, excluded.cursor)",
        )?
        .execute((follower, cursor))?;
    connection
        .prepare_cached("DELETE FROM batch WHERE follower = ? AND last <= ?")?
        .execute((follower, cursor))?;
    in_flight.0.retain(|(name, _, last)| name != follower || *last > cursor);
    connection
        .prepare_cached(
            "DELETE FROM superseded WHERE change_seq <= ? AND NOT EXISTS (
                SELECT 1 FROM batch WHERE cursor < superseded.change_seq AND superseded.change_seq <= last)",
        )?
        .execute([cursor])?;
    Ok(())
}
