//! The batches of a sink that are not committed.

use std::collections::VecDeque;

use spanledger_event::CostEvent;
use spanledger_ledger::{BatchRange, DeadLetter};
use spanledger_sinks::{Batch, Rejection, Written};

use super::source::Made;

/// The batches, in their order. The first ones may have been written already.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Uncommitted>);

/// A batch that is not committed.
#[derive(Debug)]
pub(super) struct Uncommitted {
    pub(super) range: BatchRange,
    pub(super) batch: Batch,
    /// The events that the destination refused when the batch was written, by their places in it.
    rejected: Vec<Rejection>,
    /// The event that was refused alone, and is no longer part of the batch.
    dead: Option<DeadLetter>,
}

impl Queue {
    pub(super) fn push(&mut self, made: Made) {
        let Made { range, batch } = made;
        self.0.push_back(Uncommitted { range, batch, rejected: Vec::new(), dead: None });
    }

    pub(super) fn get(&self, index: usize) -> Option<&Uncommitted> {
        self.0.get(index)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Notes what became of a batch that was written.
    pub(super) fn note(&mut self, index: usize, written: Written) {
        if let Some(uncommitted) = self.0.get_mut(index) {
            uncommitted.rejected = written.rejected;
            uncommitted.rejected.sort_by_key(|rejection| rejection.index);
        }
    }

    /// Replaces a batch by its two parts, whose ranges are stored.
    pub(super) fn divide(&mut self, index: usize, first: BatchRange, second: BatchRange) {
        let Some(whole) = self.0.remove(index) else { return };
        let (first_batch, second_batch) = whole.batch.split_at(first.last);
        for (range, batch) in [(second, second_batch), (first, first_batch)] {
            self.0.insert(index, Uncommitted { range, batch, rejected: Vec::new(), dead: None });
        }
    }

    /// Takes the only event out of a batch, because the destination refuses it.
    pub(super) fn bury(&mut self, index: usize, reason: &str) {
        if let Some(uncommitted) = self.0.get_mut(index)
            && let Some(event) = uncommitted.batch.events.pop()
        {
            uncommitted.dead = Some(letter(event.position, &event.event, reason));
        }
    }

    /// The events that the destination refused in the first batches.
    pub(super) fn dead_letters(&self, batches: usize) -> Vec<DeadLetter> {
        let mut letters = Vec::new();
        for uncommitted in self.0.iter().take(batches) {
            letters.extend(uncommitted.dead.clone());
            letters.extend(uncommitted.rejected.iter().filter_map(|rejection| {
                let event = uncommitted.batch.events.get(rejection.index)?;
                Some(letter(event.position, &event.event, &rejection.reason))
            }));
        }
        letters
    }

    /// How many events in a row were refused at the end of the first batches, if `before` were refused before
    /// them, and the greatest such number on the way.
    pub(super) fn refused_in_a_row(&self, batches: usize, before: usize) -> (usize, usize) {
        let (mut now, mut most) = (before, before);
        for uncommitted in self.0.iter().take(batches) {
            let mut rejected = uncommitted.rejected.iter().map(|rejection| rejection.index).peekable();
            for index in 0..uncommitted.batch.events.len() {
                if rejected.next_if_eq(&index).is_some() {
                    now += 1;
                    most = most.max(now);
                } else {
                    now = 0;
                }
            }
            now += usize::from(uncommitted.dead.is_some());
            most = most.max(now);
        }
        (now, most)
    }

    /// How many events of the first batches the destination took.
    pub(super) fn taken(&self, batches: usize) -> usize {
        let taken = |batch: &Uncommitted| batch.batch.events.len().saturating_sub(batch.rejected.len());
        self.0.iter().take(batches).map(taken).sum()
    }

    /// Removes the first batches, which are committed.
    pub(super) fn pass(&mut self, batches: usize) {
        self.0.drain(..batches.min(self.0.len()));
    }
}

fn letter(position: i64, event: &CostEvent, reason: &str) -> DeadLetter {
    DeadLetter {
        seq: position,
        event_id: event.event_id.clone(),
        revision: event.revision,
        reason: reason.to_owned(),
        event: event.clone(),
    }
}

#[cfg(test)]
mod tests;
