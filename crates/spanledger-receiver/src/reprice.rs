//! Prices stored observations again. `spanledger reprice` and the admin API use it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spanledger_event::{Cost, Observation, Timestamp};
use spanledger_ledger::{Ledger, LedgerError, LedgerReader};
use spanledger_otlp::price;
use spanledger_price::PriceBook;

use crate::Pace;

#[cfg(test)]
mod tests;

/// So many observations are read and priced at once.
const STEP: usize = 500;

/// Which observations are priced again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepriceSelection {
    /// Only calls that began at this moment or later.
    pub since: Option<Timestamp>,
    /// Only calls that began before this moment.
    pub until: Option<Timestamp>,
    /// Only calls without a price.
    pub unpriced_only: bool,
}

/// What a repricing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repricing {
    /// The number of the repricing; 0 if no cost changed.
    pub epoch: i64,
    /// Observations whose cost changed. Several may be of one call.
    pub observations: usize,
    /// Events that have a new revision.
    pub events: usize,
}

/// Prices the selected observations with a book, and gives the ledger the costs that changed. An observation
/// whose cost is the same keeps it, with the version of its prices.
///
/// Works in small steps, each of them durable. If it ends early, it can be repeated: what is done stays.
pub async fn reprice(
    ledger: &Ledger,
    book: &PriceBook,
    selection: RepriceSelection,
    mut pace: Pace,
) -> Result<Repricing, LedgerError> {
    let mut done = Repricing::default();
    let mut step =
        Step { reader: ledger.reader()?, book: book.clone(), selection, last: 0, costs: Vec::new() };
    loop {
        // SQLite blocks, so it does not run on a thread of the runtime.
        let next = tokio::task::spawn_blocking(move || step.next()).await;
        let Some(next) = next.map_err(|_| LedgerError::Closed)?? else { return Ok(done) };
        step = next;
        if step.costs.is_empty() {
            continue;
        }
        if done.epoch == 0 {
            done.epoch = ledger.begin_repricing().await?;
        }
        let mut costs = std::mem::take(&mut step.costs);
        while !costs.is_empty() {
            let rest = costs.split_off(costs.len().min(pace.limit()));
            done.observations += costs.len();
            let repriced = ledger.reprice(done.epoch, costs).await?;
            done.events += repriced.events;
            pace.worked(repriced.took).await;
            costs = rest;
        }
    }
}

struct Step {
    reader: LedgerReader,
    book: PriceBook,
    selection: RepriceSelection,
    /// The last observation that was read.
    last: i64,
    costs: Vec<(i64, Cost)>,
}

impl Step {
    /// Reads and prices the next observations; `None` if there are no more.
    fn next(mut self) -> Result<Option<Self>, LedgerError> {
        let observations = self.reader.observations(self.last, STEP)?;
        let Some((last, _)) = observations.last() else { return Ok(None) };
        self.last = *last;
        for (number, observation) in observations {
            if let Some(cost) = new_cost(&self.book, self.selection, observation) {
                self.costs.push((number, cost));
            }
        }
        Ok(Some(self))
    }
}

/// The new cost of an observation; `None` if it is not selected or its cost would be the same.
fn new_cost(book: &PriceBook, selection: RepriceSelection, mut observation: Observation) -> Option<Cost> {
    let start = observation.start;
    let old = observation.cost.take();
    let is_priced = old.as_ref().is_some_and(|cost| cost.usd.is_some());
    let is_selected = selection.since.is_none_or(|since| since <= start)
        && selection.until.is_none_or(|until| start < until)
        && !(selection.unpriced_only && is_priced);
    if !is_selected {
        return None;
    }
    price(book, &mut observation);
    let new = observation.cost?;
    let is_same = old.is_some_and(|old| Cost { price_version: Arc::clone(&new.price_version), ..old } == new);
    (!is_same).then_some(new)
}
