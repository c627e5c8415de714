//! What followers are given: batches that do not change until they are acknowledged.
//!
//! A batch is a range of changes. It is stored before its events are read for the first time, so that the
//! follower gets the same batch after a restart. While it is in flight, a revision that a later one
//! replaces is kept in the table `superseded`.
//!
//! The events of the latest commits are in memory (`tail.rs`), so that followers that keep up do not read the
//! file.
//!
//! A follower may have several batches in flight. They follow each other without a gap, from its cursor on.
//! What it could not deliver and never will is a *dead letter*, which is stored with the cursor that passes it.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension};
use spanledger_event::SharedEvent;

use crate::{Ledger, LedgerError};

mod dead_letter;
mod followers;
mod hand_out;
mod read;
mod request;
mod tail;

pub(crate) use self::{
    dead_letter::{DDL as DEAD_LETTERS, forget as forget_dead_letters},
    followers::Followers,
    request::{Reply, Request, drop_batches},
    tail::{Kept, Tail},
};
pub use self::{
    dead_letter::{DeadLetter, StoredDeadLetter},
    read::BatchChanges,
};

/// An event at one of its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The position. A follower moves its cursor here once it has the event durably.
    pub seq: i64,
    /// The event as it was then, or as it is now if the table of events was read.
    pub event: Arc<SharedEvent>,
    /// Whether the follower may have been given an earlier revision of the event.
    pub was_given: bool,
}

/// The identity of a batch: the same range always holds the same events until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// A batch that a follower was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// Its identity.
    pub range: BatchRange,
    /// Its events, if the writer still had all of them in memory. They equal what
    /// [`LedgerReader::batch`](crate::LedgerReader::batch) reads.
    pub changes: Option<Vec<Change>>,
}

/// An event whose row cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The change.
    pub seq: i64,
    /// What is wrong with it.
    pub error: LedgerError,
}

impl Ledger {
    /// The follower's batches in flight, in their order. After a restart it delivers these first.
    pub async fn batches(&self, follower: &str) -> Result<Vec<BatchRange>, LedgerError> {
        match self.ask(Request::Batches { follower: follower.to_owned() }).await? {
            Reply::Batches(ranges) => {
                Ok(ranges.into_iter().map(|range| self.batch_range(follower, range)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Gives a follower the batch that begins after the change `after`: the stored one, or else a new one of
    /// about `limit` changes. `None` if there is nothing new.
    ///
    /// A follower may ask for further batches before it has acknowledged the first ones. `after` is the last
    /// change of its latest batch, or its cursor if it has none in flight; another position is an
    /// error ([`LedgerError::NotAPosition`]).
    ///
    /// The batch is stored before this returns: until it is acknowledged, it holds the same events, also
    /// after a restart. A batch does not end with a void event, so that an event and the one that takes its place
    /// come together.
    pub async fn next_batch(
        &self,
        follower: &str,
        after: i64,
        limit: usize,
    ) -> Result<Option<HandedOut>, LedgerError> {
        Ok(self.give(follower, Some(after), limit, 1).await?.pop())
    }

    /// Gives a follower up to `most` batches that follow each other, as many calls of
    /// [`next_batch`](Self::next_batch) do, but with one commit for all of them. If one of them is in flight
    /// already, it returns those in flight and makes no new ones.
    pub async fn next_batches(
        &self,
        follower: &str,
        after: i64,
        limit: usize,
        most: usize,
    ) -> Result<Vec<HandedOut>, LedgerError> {
        let mut given = self.give(follower, Some(after), limit, most).await?;
        given.reverse();
        Ok(given)
    }

    /// Gives a follower its first batch in flight, or a new one of about `limit` changes. `None` if there is
    /// nothing new. [`LedgerReader::batch`](crate::LedgerReader::batch) reads its events.
    ///
    /// This is [`next_batch`](Self::next_batch) for a follower with one batch in flight.
    pub async fn hand_out(&self, follower: &str, limit: usize) -> Result<Option<BatchRange>, LedgerError> {
        Ok(self.give(follower, None, limit, 1).await?.pop().map(|given| given.range))
    }

    /// The batches that a follower is given, the last one first.
    async fn give(
        &self,
        follower: &str,
        after: Option<i64>,
        limit: usize,
        most: usize,
    ) -> Result<Vec<HandedOut>, LedgerError> {
        let request = Request::Give { follower: follower.to_owned(), after, limit, most };
        let Reply::Given(given) = self.ask(request).await? else { return Ok(Vec::new()) };
        let handed_out = |(range, changes)| HandedOut { range: self.batch_range(follower, range), changes };
        Ok(given.into_iter().rev().map(handed_out).collect())
    }

    /// Replaces a batch in flight by two, of which the first ends with the change `at`. A part that is sent alone
    /// has an identity of its own in this way, also after a restart. Together the parts hold the same events; if the
    /// batch of another follower keeps an earlier revision of an event of the second part, the first part has that
    /// revision.
    ///
    /// An event that became void and the one that takes its place may get into different parts.
    pub async fn split(&self, range: &BatchRange, at: i64) -> Result<(BatchRange, BatchRange), LedgerError> {
        let (follower, cursor, last) = (range.follower.clone(), range.cursor, range.last);
        self.ask(Request::Split { follower, cursor, last, at }).await?;
        let first = BatchRange { last: at, ..range.clone() };
        let second = BatchRange { cursor: at, ..range.clone() };
        Ok((first, second))
    }

    /// Moves a follower's cursor forward, and stores what it could not deliver, in one transaction. Call it after
    /// the follower has durably stored all other changes up to that cursor.
    ///
    /// Batches up to the cursor are forgotten. A batch that the cursor is inside of becomes shorter. A cursor that
    /// is not ahead of the stored one moves nothing.
    pub async fn acknowledge(
        &self,
        follower: &str,
        cursor: i64,
        dead: Vec<DeadLetter>,
    ) -> Result<(), LedgerError> {
        let reply = self.ask(Request::Acknowledge { follower: follower.to_owned(), cursor, dead }).await?;
        if let Reply::Freed(events) = reply {
            drop(events);
        }
        Ok(())
    }

    /// Moves a follower's cursor forward: [`acknowledge`](Self::acknowledge) without dead letters.
    pub async fn advance(&self, follower: &str, cursor: i64) -> Result<(), LedgerError> {
        self.acknowledge(follower, cursor, Vec::new()).await
    }

    /// Moves a follower's cursor back, so that it receives again what changed after it, for instance because its
    /// destination was restored from a backup. Its batches in flight are forgotten, and what follows is divided
    /// into batches anew.
    ///
    /// It fails if events that changed after the cursor were pruned
    /// ([`LedgerError::Pruned`]), or if the follower has not come that far ([`LedgerError::NotAPosition`]).
    pub async fn rewind(&self, follower: &str, cursor: i64) -> Result<(), LedgerError> {
        self.ask(Request::Rewind { follower: follower.to_owned(), cursor }).await?;
        Ok(())
    }

    /// Removes dead letters of a follower by their numbers. Returns how many there were.
    pub async fn remove_dead_letters(&self, follower: &str, numbers: Vec<i64>) -> Result<usize, LedgerError> {
        match self.ask(Request::RemoveDead { follower: follower.to_owned(), numbers }).await? {
            Reply::Removed(count) => Ok(count),
            _ => Ok(0),
        }
    }

    fn batch_range(&self, follower: &str, (cursor, last): (i64, i64)) -> BatchRange {
        BatchRange { ledger: self.id().to_owned(), follower: follower.to_owned(), cursor, last }
    }
}

/// The cursor of a follower; 0 before its first acknowledgement.
pub(crate) fn cursor(connection: &Connection, follower: &str) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("SELECT cursor FROM follower WHERE name = ?")?;
    Ok(statement.query_row([follower], |row| row.get(0)).optional()?.unwrap_or_default())
}

/// Of each row the latest of its changes, in the order of the changes.
fn latest<T>(changes: &mut Vec<(i64, i64, T)>) {
    let mut latest: HashMap<i64, i64> = HashMap::with_capacity(changes.len());
    for (row, change, _) in changes.iter() {
        latest.entry(*row).and_modify(|known| *known = (*known).max(*change)).or_insert(*change);
    }
    changes.retain(|(row, change, _)| latest.get(row) == Some(change));
}
