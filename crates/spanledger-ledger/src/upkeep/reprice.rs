//! Pricing stored observations again.

use std::{sync::Arc, time::Duration};

use spanledger_event::{Cost, Observation};

use super::numbers;
use crate::{Ledger, LedgerError, LedgerReader, apply::Append, error::RowError, journal};

/// What a call of [`Ledger::reprice`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    /// Events that have a new revision.
    pub events: usize,
    /// How long the work took, the commit not included.
    pub took: Duration,
}

impl Ledger {
    /// Begins to price stored observations again. Returns the number of the repricing, which becomes a part
    /// of the revisions of the events that it changes.
    pub async fn begin_repricing(&self) -> Result<i64, LedgerError> {
        let (epoch, _) = self
            .work(|append| {
                append.state.epoch += 1;
                Ok(append.state.epoch)
            })
            .await?;
        Ok(epoch)
    }

    /// Gives observations, by their numbers, new costs, and folds their events again. The journal keeps the
    /// old costs.
    pub async fn reprice(&self, epoch: i64, costs: Vec<(i64, Cost)>) -> Result<Repriced, LedgerError> {
        let (repriced, took) = self.work(move |append| append.reprice(epoch, &costs)).await?;
        Ok(Repriced { took, ..repriced })
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

impl Append<'_> {
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
        Ok(Repriced { events: self.written - before, took: Duration::ZERO })
    }
}
