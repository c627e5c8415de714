//! Work on what is stored: pruning, pricing again, folding again.
//!
//! Each call does a bounded part of the work in one transaction, between the appends of others.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use spanledger_event::{Component, Cost, Observation, Timestamp, stored_components};

use crate::{Ledger, LedgerError, LedgerReader, apply::Append, error::RowError, journal, prepare::Keys};

#[cfg(test)]
mod tests;

/// A place in the order in which [`Ledger::prune`] looks at events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrunePosition {
    timestamp: i64,
    seq: i64,
}

/// What a call of [`Ledger::prune`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events that were deleted.
    pub events: usize,
    /// Observations that were deleted with them.
    pub observations: usize,
    /// Groups of events that were looked at and kept, because they belong together with later ones, or because a
    /// follower has not passed them.
    pub kept: usize,
    /// Where the next call goes on; `None` if every event that is old enough was looked at.
    pub next: Option<PrunePosition>,
}

/// What a call of [`Ledger::reprice`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    /// Events that have a new revision.
    pub events: usize,
}

/// What a call of [`Ledger::refold`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refolded {
    /// The last observation that was folded; the next call begins after it.
    pub last: i64,
    /// Events that differed from the fold of their observations, and were corrected.
    pub corrected: usize,
    /// Whether there are no more observations.
    pub is_done: bool,
}

impl Ledger {
    /// Deletes events that began before a moment, with their observations. One call looks at `limit` events;
    /// repeat it with [`next`](Pruned::next) until that is `None`.
    ///
    /// An event is deleted only after every follower that the ledger knows has passed it. The ledger knows a
    /// follower from its first batch or cursor on. The roll-ups keep its sums, and the index
    /// keeps its keys: a late sighting of it is counted ([`Appended::late`](crate::Appended::late)) and
    /// changes nothing. Events that belong together are deleted together.
    pub async fn prune(
        &self,
        before: Timestamp,
        after: Option<PrunePosition>,
        limit: usize,
    ) -> Result<Pruned, LedgerError> {
        self.work(move |append| append.prune(before, after, limit)).await
    }

    /// Begins to price stored observations again. Returns the number of the repricing, which becomes a part
    /// of the revisions of the events that it changes.
    pub async fn begin_repricing(&self) -> Result<i64, LedgerError> {
        self.work(|append| {
            append.state.epoch += 1;
            Ok(append.state.epoch)
        })
        .await
    }

    /// Gives observations, by their numbers, new costs, and folds their events again. The journal keeps the
    /// old costs.
    pub async fn reprice(&self, epoch: i64, costs: Vec<(i64, Cost)>) -> Result<Repriced, LedgerError> {
        self.work(move |append| append.reprice(epoch, &costs)).await
    }

    /// Folds at most `limit` observations after a number again, and corrects events that differ from the
    /// fold of their observations.
    pub async fn refold(&self, after: i64, limit: usize) -> Result<Refolded, LedgerError> {
        self.work(move |append| append.refold(after, limit)).await
    }

    /// Does work on the writer's thread, within a transaction.
    async fn work<T: Send + Default + 'static>(
        &self,
        mut work: impl FnMut(&mut Append<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let result = Arc::new(Mutex::new(T::default()));
        let place = Arc::clone(&result);
        self.run(Box::new(move |append| {
            let done = work(append)?;
            *place.lock().unwrap_or_else(PoisonError::into_inner) = done;
            Ok(())
        }))
        .await?;
        Ok(std::mem::take(&mut *result.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl LedgerReader {
    /// At most `limit` observations after a number, in the order of their numbers, with their present costs.
    pub fn observations(&self, after: i64, limit: usize) -> Result<Vec<(i64, Observation)>, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let words = self.words()?;
        let numbers = numbers(&self.connection, after, limit)?;
        let mut observations = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(observation) = journal::load(&self.connection, &words, number)? {
                observations.push((number, Arc::unwrap_or_clone(observation)));
            }
        }
        transaction.commit()?;
        Ok(observations)
    }
}

/// The numbers of the observations after a number.
fn numbers(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<i64>> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM observation WHERE seq > ? ORDER BY seq LIMIT ?")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map([after, limit], |row| row.get(0))?.collect()
}

impl Append<'_> {
    fn components(&self, numbers: &[i64]) -> Result<Vec<Component>, LedgerError> {
        let numbers: Vec<u64> = numbers.iter().map(|number| number.cast_unsigned()).collect();
        stored_components(&numbers, &mut self.stored_observations())
    }

    fn reprice(&mut self, epoch: i64, costs: &[(i64, Cost)]) -> Result<Repriced, LedgerError> {
        {
            let mut insert = self
                .connection
                .prepare_cached("REPLACE INTO repriced (seq, epoch, cost) VALUES (?, ?, ?)")?;
            for (seq, cost) in costs {
                insert.execute((seq, epoch, serde_json::to_string(cost).map_err(RowError::from)?))?;
            }
        }
        self.epoch = Some(epoch);
        let numbers: Vec<i64> = costs.iter().map(|(seq, _)| *seq).collect();
        let before = self.written;
        for component in self.components(&numbers)? {
            self.fold_stored(&component)?;
        }
        Ok(Repriced { events: self.written - before })
    }

    fn refold(&mut self, after: i64, limit: usize) -> Result<Refolded, LedgerError> {
        let numbers = numbers(self.connection, after, limit)?;
        let Some(&last) = numbers.last() else {
            return Ok(Refolded { last: after, corrected: 0, is_done: true });
        };
        let before = self.written;
        for component in self.components(&numbers)? {
            self.fold_stored(&component)?;
        }
        Ok(Refolded { last, corrected: self.written - before, is_done: numbers.len() < limit })
    }

    fn prune(
        &mut self,
        before: Timestamp,
        after: Option<PrunePosition>,
        limit: usize,
    ) -> Result<Pruned, LedgerError> {
        let passed: Option<i64> = self.connection.query_row(
            "SELECT min(cursor) FROM (SELECT cursor FROM follower UNION ALL SELECT cursor FROM batch)",
            [],
            |row| row.get(0),
        )?;
        let passed = passed.unwrap_or(i64::MAX);
        let after = after.unwrap_or(PrunePosition { timestamp: i64::MIN, seq: i64::MIN });
        let candidates: Vec<PrunePosition> = {
            let mut statement = self.connection.prepare_cached(
                "SELECT timestamp, seq FROM event WHERE timestamp < ?1 AND (timestamp, seq) > (?2, ?3)
                 ORDER BY timestamp, seq LIMIT ?4",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let position =
                |row: &rusqlite::Row<'_>| Ok(PrunePosition { timestamp: row.get(0)?, seq: row.get(1)? });
            let rows = statement.query_map([before.nanos(), after.timestamp, after.seq, limit], position)?;
            rows.collect::<Result<_, _>>()?
        };
        let next = candidates.last().copied().filter(|_| candidates.len() >= limit);
        let mut pruned = Pruned { next, ..Pruned::default() };
        let mut seen: BTreeSet<i64> = BTreeSet::new();
        for PrunePosition { seq, .. } in candidates {
            if seen.contains(&seq.abs()) {
                continue;
            }
            for component in self.components(&[seq.abs()])? {
                let members: Vec<i64> = component.stored.iter().map(|(seq, _)| seq.cast_signed()).collect();
                seen.extend(&members);
                match self.prunable(&members, before, passed)? {
                    Some(events) => {
                        self.delete(&component, &events)?;
                        pruned.events += events.len();
                        pruned.observations += members.len();
                    }
                    None => pruned.kept += 1,
                }
            }
        }
        Ok(pruned)
    }

    /// The rows of a component's events, if all of them may be deleted.
    fn prunable(
        &self,
        members: &[i64],
        before: Timestamp,
        passed: i64,
    ) -> Result<Option<Vec<i64>>, LedgerError> {
        let mut select =
            self.connection.prepare_cached("SELECT timestamp, change_seq FROM event WHERE seq = ?")?;
        let mut events = Vec::new();
        for seq in members.iter().flat_map(|seq| [*seq, -seq]) {
            let mut rows = select.query([seq])?;
            let Some(row) = rows.next()? else { continue };
            let (timestamp, change): (i64, i64) = (row.get(0)?, row.get(1)?);
            if timestamp >= before.nanos() || change > passed || self.state.in_flight.contains(change) {
                return Ok(None);
            }
            events.push(seq);
        }
        Ok(Some(events))
    }

    fn delete(&mut self, component: &Component, events: &[i64]) -> Result<(), LedgerError> {
        for seq in events {
            self.connection.prepare_cached("DELETE FROM change WHERE seq = ?1 AND change_seq = (SELECT change_seq FROM event WHERE seq = ?1)")?.execute([seq])?;
            self.connection.prepare_cached("DELETE FROM event WHERE seq = ?")?.execute([seq])?;
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
}

/// The numbers and keys of pruned observations whose keys are not in the index on disk.
pub(crate) fn pruned_keys(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, u64)>> {
    let mut statement = connection.prepare("SELECT seq, key FROM pruned_key WHERE seq > ?")?;
    let keys =
        statement.query_map([after], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    keys.collect()
}
