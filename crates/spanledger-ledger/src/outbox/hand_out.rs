//! Which batch a follower is given.

use rusqlite::Connection;
use spanledger_event::limits::COMPONENT_MAX;

use super::{followers::Batch, tail::NotHeld};
use crate::{LedgerError, state::State, words};

/// The batch of a follower that begins after a change, or its first one: the one in flight, or a new one of about
/// `limit` changes. `None` if there is nothing new.
pub(super) fn give(
    connection: &Connection,
    state: &mut State,
    follower: &str,
    after: Option<i64>,
    limit: usize,
) -> Result<Option<Batch>, LedgerError> {
    match known(state, follower, after) {
        Known::InFlight(batch) => return Ok(Some(batch.clone())),
        Known::Nothing => return Ok(None),
        Known::Unknown => {}
    }
    let last = state.followers.batches(follower).last().map(|batch| batch.last);
    let last = last.unwrap_or_else(|| state.followers.cursor(follower));
    if let Some(asked) = after.filter(|after| *after != last) {
        return Err(LedgerError::NotAPosition { follower: follower.to_owned(), asked, last });
    }
    let end = match state.tail.end(last, limit) {
        Ok(end) => end,
        Err(NotHeld) => end(connection, last, limit)?,
    };
    let Some(end) = end else { return Ok(None) };
    store(connection, follower, (last, end), last)?;
    let batch = Batch { follower: follower.to_owned(), cursor: last, last: end, known: last };
    state.followers.push(batch.clone());
    Ok(Some(batch))
}

/// What is known of the next batch without a look at the tables.
pub(super) enum Known<'s> {
    /// It is in flight.
    InFlight(&'s Batch),
    /// There is nothing new.
    Nothing,
    /// It has to be made, or the request is wrong.
    Unknown,
}

/// What is known of the batch that begins after a change.
pub(super) fn known<'s>(state: &'s State, follower: &'s str, after: Option<i64>) -> Known<'s> {
    let mut batches = state.followers.batches(follower);
    if let Some(batch) = batches.find(|batch| after.is_none_or(|after| after == batch.cursor)) {
        return Known::InFlight(batch);
    }
    let last = state.followers.batches(follower).last().map(|batch| batch.last);
    let last = last.unwrap_or_else(|| state.followers.cursor(follower));
    let has_nothing = last >= state.last_number || matches!(state.tail.end(last, 1), Ok(None));
    if has_nothing && after.is_none_or(|after| after == last) { Known::Nothing } else { Known::Unknown }
}

/// The last change of a new batch.
fn end(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Option<i64>> {
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
    let mut rows = statement.query((after, most))?;
    let (mut last, mut count) = (None, 0);
    while let Some(row) = rows.next()? {
        last = Some(row.get::<_, i64>(0)?);
        count += 1;
        if count >= limit && !row.get::<_, bool>(1)? {
            break;
        }
    }
    Ok(last)
}

/// Stores a batch.
pub(super) fn store(
    connection: &Connection,
    follower: &str,
    (cursor, last): (i64, i64),
    known: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO batch (follower, cursor, last, known) VALUES (?, ?, ?, ?)")?
        .execute((follower, cursor, last, known))?;
    Ok(())
}
