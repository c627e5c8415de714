//! The requests of followers to the writer, within its transaction.

use std::sync::Arc;

use rusqlite::Connection;
use spanledger_event::SharedEvent;

use super::{
    Change, DeadLetter, dead_letter,
    followers::{Batch, Followers},
    hand_out::{self, Known},
};
use crate::{LedgerError, state::State};

/// What a follower asks of the writer.
#[derive(Debug)]
pub(crate) enum Request {
    Batches {
        follower: String,
    },
    /// Batches that follow each other: from the one after a change on, or from the first in flight.
    Give {
        follower: String,
        after: Option<i64>,
        limit: usize,
        most: usize,
    },
    Split {
        follower: String,
        cursor: i64,
        last: i64,
        at: i64,
    },
    Acknowledge {
        follower: String,
        cursor: i64,
        dead: Vec<DeadLetter>,
    },
    Rewind {
        follower: String,
        cursor: i64,
    },
    RemoveDead {
        follower: String,
        numbers: Vec<i64>,
    },
}

/// The change before the first one of a batch, and its last one.
pub(crate) type Range = (i64, i64);

/// What the writer answers.
#[derive(Debug)]
pub(crate) enum Reply {
    Batches(Vec<Range>),
    Given(Vec<(Range, Option<Vec<Change>>)>),
    /// Events that nobody but the caller needs any more. The caller frees their memory.
    Freed(Vec<Arc<SharedEvent>>),
    Removed(usize),
    Done,
}

impl Request {
    /// Whether it has no effect if nobody waits for the answer any more.
    pub(crate) const fn is_question(&self) -> bool {
        matches!(self, Self::Batches { .. } | Self::Give { .. })
    }

    /// The answer, if nothing has to be stored for it.
    pub(crate) fn at_hand(&self, state: &State) -> Option<Reply> {
        match self {
            Self::Batches { follower } => {
                Some(Reply::Batches(state.followers.batches(follower).map(|batch| batch.range()).collect()))
            }
            Self::Give { follower, after, most, .. } => match hand_out::known(state, follower, *after) {
                Known::InFlight(first) => {
                    let batches = state.followers.batches(follower);
                    let batches = batches.skip_while(|batch| batch.cursor != first.cursor);
                    Some(Reply::Given(batches.take(*most).map(|batch| given(state, batch)).collect()))
                }
                Known::Nothing => Some(Reply::Done),
                Known::Unknown => None,
            },
            _ => None,
        }
    }

    /// Does what the request asks for.
    pub(crate) fn run(&self, connection: &Connection, state: &mut State) -> Result<Reply, LedgerError> {
        let reply = self.answer(connection, state)?;
        state.tail.turn(state.followers.is_any(), state.last_number);
        Ok(reply)
    }

    fn answer(&self, connection: &Connection, state: &mut State) -> Result<Reply, LedgerError> {
        match self {
            Self::Batches { .. } => Ok(self.at_hand(state).unwrap_or(Reply::Done)),
            Self::Give { follower, after, limit, most } => {
                if let Some(reply) = self.at_hand(state) {
                    return Ok(reply);
                }
                let (mut all, mut after) = (Vec::new(), *after);
                while all.len() < *most {
                    let batch = hand_out::give(connection, state, follower, after, *limit)?;
                    let Some(batch) = batch else { break };
                    state.handed_out = state.handed_out.max(batch.last);
                    after = Some(batch.last);
                    all.push(given(state, &batch));
                }
                Ok(Reply::Given(all))
            }
            Self::Split { follower, cursor, last, at } => {
                split(connection, &mut state.followers, follower, (*cursor, *last), *at)?;
                Ok(Reply::Done)
            }
            Self::Acknowledge { follower, cursor, dead } => {
                acknowledge(connection, &mut state.followers, follower, *cursor)?;
                dead_letter::store(connection, follower, dead)?;
                state.handed_out = state.handed_out.max(*cursor);
                state.tail.release(&state.followers, *cursor);
                Ok(Reply::Freed(state.tail.take_freed()))
            }
            Self::Rewind { follower, cursor } => {
                rewind(connection, state, follower, *cursor)?;
                Ok(Reply::Done)
            }
            Self::RemoveDead { follower, numbers } => {
                Ok(Reply::Removed(dead_letter::remove(connection, follower, numbers)?))
            }
        }
    }
}

/// A batch, with its events if they are in memory.
fn given(state: &State, batch: &Batch) -> (Range, Option<Vec<Change>>) {
    (batch.range(), state.tail.batch(batch.range(), batch.known))
}

fn split(
    connection: &Connection,
    followers: &mut Followers,
    follower: &str,
    (cursor, last): (i64, i64),
    at: i64,
) -> Result<(), LedgerError> {
    let batch = followers.batches(follower).find(|batch| batch.range() == (cursor, last));
    let Some(batch) = batch.filter(|_| cursor < at && at < last) else {
        return Err(LedgerError::NotInBatch { follower: follower.to_owned(), cursor, last, at });
    };
    let known = batch.known;
    connection
        .prepare_cached("UPDATE batch SET last = ?3 WHERE follower = ?1 AND cursor = ?2")?
        .execute((follower, cursor, at))?;
    hand_out::store(connection, follower, (at, last), known)?;
    followers.split(follower, cursor, at);
    Ok(())
}

/// Moves a follower's cursor forward, and forgets the batches that it has passed with the revisions that
/// were kept for them.
fn acknowledge(
    connection: &Connection,
    followers: &mut Followers,
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
    connection
        .prepare_cached("UPDATE batch SET cursor = ?2 WHERE follower = ?1 AND cursor < ?2")?
        .execute((follower, cursor))?;
    followers.acknowledge(follower, cursor);
    connection
        .prepare_cached(
            "DELETE FROM superseded WHERE change_seq <= ? AND NOT EXISTS (
                SELECT 1 FROM batch WHERE cursor < superseded.change_seq AND superseded.change_seq <= last)",
        )?
        .execute([cursor])?;
    Ok(())
}

fn rewind(connection: &Connection, state: &mut State, follower: &str, to: i64) -> Result<(), LedgerError> {
    let present = state.followers.cursor(follower);
    if to > present {
        let follower = follower.to_owned();
        return Err(LedgerError::NotAPosition { follower, asked: to, last: present });
    }
    if to < state.pruned_to && to < present {
        let follower = follower.to_owned();
        return Err(LedgerError::Pruned { follower, asked: to, pruned_to: state.pruned_to });
    }
    if to == present {
        return Ok(());
    }
    connection.execute("UPDATE follower SET cursor = ? WHERE name = ?", (to, follower))?;
    drop_batches(connection, follower)?;
    state.followers.rewind(follower, to);
    state.tail.release(&state.followers, i64::MAX);
    Ok(())
}

/// Forgets the batches in flight of a follower, and the revisions that were kept for them alone.
pub(crate) fn drop_batches(connection: &Connection, follower: &str) -> rusqlite::Result<usize> {
    let batches = connection.execute("DELETE FROM batch WHERE follower = ?", [follower])?;
    connection.execute(
        "DELETE FROM superseded WHERE NOT EXISTS (
            SELECT 1 FROM batch WHERE cursor < superseded.change_seq AND superseded.change_seq <= last)",
        [],
    )?;
    Ok(batches)
}
