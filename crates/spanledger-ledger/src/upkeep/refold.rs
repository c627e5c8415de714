//! Folding stored observations again.

use std::time::Duration;

use rusqlite::OptionalExtension as _;
use spanledger_event::Component;

use super::numbers;
use crate::{Ledger, LedgerError, apply::Append};

/// What a call of [`Ledger::refold`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refolded {
    /// The last observation that was folded; the next call begins after it.
    pub last: i64,
    /// Observations that were folded.
    pub observations: usize,
    /// Events that differed from the fold of their observations, and were corrected.
    pub corrected: usize,
    /// Observations that were not folded, because they or their relatives cannot be read.
    pub unreadable: usize,
    /// Whether there are no more observations.
    pub is_done: bool,
    /// How long the work took, the commit not included.
    pub took: Duration,
}

/// What is known of an event whose row cannot be read.
struct DamagedRow {
    seq: i64,
    epoch: Option<i64>,
    revision: i64,
    timestamp: i64,
}

impl Ledger {
    /// Folds at most `limit` observations after a number again, and corrects events that differ from the
    /// fold of their observations, those whose rows cannot be read included.
    pub async fn refold(&self, after: i64, limit: usize) -> Result<Refolded, LedgerError> {
        let (refolded, took) = self.work(move |append| append.refold(after, limit)).await?;
        Ok(Refolded { took, ..refolded })
    }
}

impl Append<'_> {
    fn refold(&mut self, after: i64, limit: usize) -> Result<Refolded, LedgerError> {
        let numbers = numbers(self.connection, after, limit)?;
        let Some(&last) = numbers.last() else {
            return Ok(Refolded { last: after, is_done: true, ..Refolded::default() });
        };
        let (components, unreadable) = self.readable_components(&numbers)?;
        let before = self.written;
        for component in components {
            // The call that came to the first observation of a component has folded all of it.
            let first = component.stored.iter().map(|(seq, _)| seq.cast_signed()).min();
            if first.is_some_and(|first| first > after) {
                let damaged = self.remove_damaged(&component)?;
                self.fold_stored(&component)?;
                for row in damaged {
                    self.restore(&row)?;
                }
            }
        }
        Ok(Refolded {
            last,
            observations: numbers.len() - unreadable,
            corrected: self.written - before,
            unreadable,
            is_done: numbers.len() < limit,
            took: Duration::ZERO,
        })
    }

    /// The components of stored observations, and how many of these observations have none that can be read.
    fn readable_components(&self, numbers: &[i64]) -> Result<(Vec<Component>, usize), LedgerError> {
        match self.components(numbers) {
            Err(LedgerError::Damaged(_)) => {}
            components => return Ok((components?, 0)),
        }
        let (mut components, mut unreadable) = (Vec::new(), 0);
        for number in numbers {
            match self.components(&[*number]) {
                Ok(more) => components.extend(more),
                Err(LedgerError::Damaged(_)) => unreadable += 1,
                Err(error) => return Err(error),
            }
        }
        Ok((components, unreadable))
    }

    /// Removes the events of a component whose rows cannot be read. The fold then writes them anew.
    fn remove_damaged(&mut self, component: &Component) -> Result<Vec<DamagedRow>, LedgerError> {
        let mut damaged = Vec::new();
        for seq in component.stored.iter().map(|(seq, _)| seq.cast_signed()).flat_map(|seq| [seq, -seq]) {
            match self.stored(seq) {
                Err(LedgerError::Damaged(_)) => {}
                stored => {
                    stored?;
                    continue;
                }
            }
            let row = self
                .connection
                .prepare_cached("SELECT epoch, revision, timestamp FROM event WHERE seq = ?")?
                .query_row([seq], |row| {
                    Ok(DamagedRow { seq, epoch: row.get(0)?, revision: row.get(1)?, timestamp: row.get(2)? })
                })
                .optional()?;
            self.delete_event(seq)?;
            self.state.tail.clear(self.state.last_number);
            damaged.extend(row);
        }
        Ok(damaged)
    }

    /// Gives an event that was written anew what must not be lost of its damaged row: its repricing, a
    /// revision that is greater, and the timestamp under which sinks may have stored it.
    fn restore(&mut self, row: &DamagedRow) -> Result<(), LedgerError> {
        let Some((_, event)) = self.stored(row.seq)? else { return Ok(()) };
        self.state.tail.clear(self.state.last_number);
        // The sums have the event already, because nothing took the unreadable one out of them.
        self.deltas.remove(&event, self.is_settled(row.seq), &mut self.words);
        let is_handed_out = row.seq.abs() <= self.state.handed_out;
        let timestamp = if is_handed_out { row.timestamp } else { event.timestamp.nanos() };
        self.connection
            .prepare_cached(
                "UPDATE event SET epoch = ?, revision = max(revision, ?), timestamp = ? WHERE seq = ?",
            )?
            .execute((row.epoch, row.revision.saturating_add(1), timestamp, row.seq))?;
        Ok(())
    }
}
