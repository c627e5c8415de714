//! Work on what is stored: pruning, pricing again, folding again, giving space back, forgetting followers.
//!
//! Each call does a bounded part of the work in one transaction, between the appends of others. It says how
//! long it took, so that the caller can choose the size of the next part.

mod follower;
mod prune;
mod refold;
mod reprice;
mod space;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use spanledger_event::{Component, stored_components};

pub(crate) use self::prune::pruned_keys;
pub use self::{
    prune::{PrunePosition, PrunePreview, Pruned},
    refold::Refolded,
    reprice::Repriced,
    space::{Compacted, Pages},
};
use crate::{Ledger, LedgerError, apply::Append};

impl Ledger {
    /// Does work on the writer's thread, within a transaction. Returns how long it took, too.
    async fn work<T: Send + Default + 'static>(
        &self,
        mut work: impl FnMut(&mut Append<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<(T, Duration), LedgerError> {
        let result = Arc::new(Mutex::new((T::default(), Duration::ZERO)));
        let place = Arc::clone(&result);
        self.run(Box::new(move |append| {
            let begin = Instant::now();
            let done = work(append)?;
            *place.lock().unwrap_or_else(PoisonError::into_inner) = (done, begin.elapsed());
            Ok(())
        }))
        .await?;
        Ok(std::mem::take(&mut *result.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Append<'_> {
    /// The components of stored observations.
    fn components(&self, numbers: &[i64]) -> Result<Vec<Component>, LedgerError> {
        let numbers: Vec<u64> = numbers.iter().map(|number| number.cast_unsigned()).collect();
        stored_components(&numbers, &mut self.stored_observations())
    }
}

/// The numbers of the observations after a number.
fn numbers(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<i64>> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM observation WHERE seq > ? ORDER BY seq LIMIT ?")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map([after, limit], |row| row.get(0))?.collect()
}
