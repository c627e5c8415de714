//! Deleting old events.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rusqlite::Connection;
use spanledger_event::{Component, Timestamp};

use crate::{Ledger, LedgerError, LedgerReader, apply::Append, prepare::Keys};

/// A place in the order in which [`Ledger::prune`] looks at events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrunePosition {
    timestamp: i64,
    seq: i64,
}

/// What a call of [`Ledger::prune`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events that were deleted.
    pub events: usize,
    /// Observations that were deleted with them.
    pub observations: usize,
    /// Groups of events that were looked at and kept: because they belong together with later ones, because a
    /// follower has not passed them, or because they cannot be read.
    pub kept: usize,
    /// Those of them that a follower has not passed.
    pub held: usize,
    /// These followers.
    pub held_by: BTreeSet<String>,
    /// The beginning of the oldest event that a follower has not passed.
    pub oldest_held: Option<Timestamp>,
    /// Groups of events that were kept because their observations cannot be read.
    pub unreadable: usize,
    /// Where the next call goes on; `None` if every event that is old enough was looked at.
    pub next: Option<PrunePosition>,
    /// How long the work took, the commit not included.
    pub took: Duration,
}

/// What a pruning would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunePreview {
    /// Events that are old enough, void ones included.
    pub old: i64,
    /// Those of them that every follower has passed. One that belongs together with a later event stays
    /// nevertheless.
    pub prunable: i64,
    /// The followers that have not passed some of them, and how many.
    pub held_by: BTreeMap<String, i64>,
    /// The beginning of the oldest event.
    pub oldest: Option<Timestamp>,
}

/// The cursor behind which each follower has everything.
const CURSORS: &str = "SELECT name, min(cursor) FROM (
    SELECT name, cursor FROM follower UNION ALL SELECT follower, cursor FROM batch) GROUP BY name";

fn cursors(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare_cached(CURSORS)?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

impl Ledger {
    /// Deletes events that began before a moment, with their observations. One call looks at `limit` events;
    /// repeat it with [`next`](Pruned::next) until that is `None`.
    ///
    /// An event is deleted only after every follower that the ledger knows has passed it. The ledger knows a
    /// follower from its first batch or cursor on, until it is [forgotten](Ledger::forget). The roll-ups keep
    /// the event's sums, and the index keeps its keys: a late sighting of it is counted
    /// ([`Appended::late`](crate::Appended::late)) and changes nothing. Events that belong together are
    /// deleted together.
    pub async fn prune(
        &self,
        before: Timestamp,
        after: Option<PrunePosition>,
        limit: usize,
    ) -> Result<Pruned, LedgerError> {
        let (pruned, took) = self.work(move |append| append.prune(before, after, limit)).await?;
        Ok(Pruned { took, ..pruned })
    }
}

impl LedgerReader {
    /// What [`Ledger::prune`] would do.
    pub fn prune_preview(&self, before: Timestamp) -> Result<PrunePreview, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let count = |cursor: i64| -> rusqlite::Result<(i64, i64, Option<i64>)> {
            self.connection
                .prepare_cached(
                    "SELECT count(*), count(*) FILTER (WHERE change_seq <= ?2), min(timestamp)
                     FROM event WHERE timestamp < ?1",
                )?
                .query_row([before.nanos(), cursor], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        };
        let cursors = cursors(&self.connection)?;
        let least = cursors.iter().map(|(_, cursor)| *cursor).min().unwrap_or(i64::MAX);
        let (old, prunable, oldest) = count(least)?;
        let mut held_by = BTreeMap::new();
        for (name, cursor) in cursors {
            let held = if prunable == old { 0 } else { old - count(cursor)?.1 };
            if held > 0 {
                held_by.insert(name, held);
            }
        }
        transaction.commit()?;
        Ok(PrunePreview { old, prunable, held_by, oldest: oldest.map(Timestamp::from_nanos) })
    }
}

/// An event that is old enough.
struct Candidate {
    position: PrunePosition,
    change: i64,
}

impl Append<'_> {
    fn prune(
        &mut self,
        before: Timestamp,
        after: Option<PrunePosition>,
        limit: usize,
    ) -> Result<Pruned, LedgerError> {
        // The index has these keys by now.
        self.connection.prepare_cached("DELETE FROM pruned_key WHERE seq <= ?")?.execute([self
            .state
            .index
            .last_seq()
            .cast_signed()])?;
        let cursors = cursors(self.connection)?;
        let passed = cursors.iter().map(|(_, cursor)| *cursor).min().unwrap_or(i64::MAX);
        let candidates = self.candidates(before, after, limit)?;
        let next =
            candidates.last().map(|candidate| candidate.position).filter(|_| candidates.len() >= limit);
        let mut pruned = Pruned { next, ..Pruned::default() };
        let mut seen: BTreeSet<i64> = BTreeSet::new();
        for Candidate { position: PrunePosition { timestamp, seq }, change } in candidates {
            if seen.contains(&seq.abs()) {
                continue;
            }
            // An event that a follower has not passed is kept without a look at its relatives, because there
            // can be very many of them.
            let mut held = (change > passed).then_some(change);
            if held.is_none() {
                let components = match self.components(&[seq.abs()]) {
                    Err(LedgerError::Damaged(error)) => {
                        tracing::debug!(%error, observation = seq.abs(), "ledger.prune.unreadable");
                        pruned.unreadable += 1;
                        pruned.kept += 1;
                        continue;
                    }
                    components => components?,
                };
                for component in components {
                    let members: Vec<i64> =
                        component.stored.iter().map(|(seq, _)| seq.cast_signed()).collect();
                    seen.extend(&members);
                    match self.prunable(&members, before, passed)? {
                        Ok(events) => {
                            self.delete(&component, &events)?;
                            pruned.events += events.len();
                            pruned.observations += members.len();
                        }
                        Err(Kept::Held(change)) => held = Some(change),
                        Err(Kept::Later) => pruned.kept += 1,
                    }
                }
            }
            if let Some(change) = held {
                pruned.kept += 1;
                pruned.held += 1;
                pruned.oldest_held = pruned.oldest_held.or(Some(Timestamp::from_nanos(timestamp)));
                let names = cursors.iter().filter(|(_, cursor)| *cursor < change).map(|(name, _)| name);
                for name in names {
                    if !pruned.held_by.contains(name) {
                        pruned.held_by.insert(name.clone());
                    }
                }
            }
        }
        Ok(pruned)
    }

    fn candidates(
        &self,
        before: Timestamp,
        after: Option<PrunePosition>,
        limit: usize,
    ) -> rusqlite::Result<Vec<Candidate>> {
        let after = after.unwrap_or(PrunePosition { timestamp: i64::MIN, seq: i64::MIN });
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT timestamp, seq, change_seq FROM event WHERE timestamp < ?1 AND (timestamp, seq) > (?2, ?3)
             ORDER BY timestamp, seq LIMIT ?4",
        )?;
        let rows = statement.query_map([before.nanos(), after.timestamp, after.seq, limit], |row| {
            let position = PrunePosition { timestamp: row.get(0)?, seq: row.get(1)? };
            Ok(Candidate { position, change: row.get(2)? })
        })?;
        rows.collect()
    }

    /// The rows of a component's events and their changes, if all of them may be deleted.
    fn prunable(
        &self,
        members: &[i64],
        before: Timestamp,
        passed: i64,
    ) -> Result<Result<Vec<(i64, i64)>, Kept>, LedgerError> {
        let mut select =
            self.connection.prepare_cached("SELECT timestamp, change_seq FROM event WHERE seq = ?")?;
        let mut events = Vec::new();
        for seq in members.iter().flat_map(|seq| [*seq, -seq]) {
            let mut rows = select.query([seq])?;
            let Some(row) = rows.next()? else { continue };
            if !self.is_settled(seq) {
                // It was appended in this transaction, and its sums are not in the roll-ups.
                return Ok(Err(Kept::Later));
            }
            let (timestamp, change): (i64, i64) = (row.get(0)?, row.get(1)?);
            if timestamp >= before.nanos() {
                return Ok(Err(Kept::Later));
            }
            if change > passed || self.state.followers.hold(change) {
                return Ok(Err(Kept::Held(change)));
            }
            events.push((seq, change));
        }
        Ok(Ok(events))
    }

    fn delete(&mut self, component: &Component, events: &[(i64, i64)]) -> Result<(), LedgerError> {
        for (seq, change) in events {
            self.delete_event(*seq)?;
            self.state.pruned_to = self.state.pruned_to.max(*change);
            self.state.tail.remove(*change);
        }
        for (number, observation) in &component.stored {
            let seq = number.cast_signed();
            if *number > self.state.index.last_seq() {
                // The keys are only in memory, and after a restart they are read from the journal.
                for key in Keys::of(observation, self.state.seed).filed() {
                    self.connection
                        .prepare_cached("INSERT INTO pruned_key (seq, key) VALUES (?, ?)")?
                        .execute((seq, key.cast_signed()))?;
                }
            }
            self.connection.prepare_cached("DELETE FROM repriced WHERE seq = ?")?.execute([seq])?;
            self.connection.prepare_cached("DELETE FROM observation WHERE seq = ?")?.execute([seq])?;
        }
        Ok(())
    }

    /// Deletes the row of an event, and that of its change.
    pub(super) fn delete_event(&self, seq: i64) -> Result<(), LedgerError> {
        self.connection
            .prepare_cached(
                "DELETE FROM change WHERE seq = ?1 AND change_seq = (SELECT change_seq FROM event WHERE seq = ?1)",
            )?
            .execute([seq])?;
        self.connection.prepare_cached("DELETE FROM event WHERE seq = ?")?.execute([seq])?;
        Ok(())
    }
}

/// Why a component is kept.
enum Kept {
    /// It has an event that is not old enough.
    Later,
    /// A follower has not passed this change.
    Held(i64),
}

/// The numbers and keys of pruned observations whose keys are not in the index on disk.
pub(crate) fn pruned_keys(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, u64)>> {
    let mut statement = connection.prepare("SELECT seq, key FROM pruned_key WHERE seq > ?")?;
    let keys =
        statement.query_map([after], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    keys.collect()
}
