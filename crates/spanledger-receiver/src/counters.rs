//! Counts what the receiver has done since it started.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use spanledger_event::{RefusedReason, UnpricedReason};

/// Counters of requests, spans and observations, from the start of the process.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    refused: AtomicU64,
    spans: AtomicU64,
    records: AtomicU64,
    records_rejected: AtomicU64,
    records_lost: AtomicU64,
    observations: AtomicU64,
    duplicates: AtomicU64,
    forwarded: AtomicU64,
    unpriced: ByReason<UnpricedReason>,
    observations_refused: ByReason<RefusedReason>,
}

/// A counter for each reason.
#[derive(Debug)]
struct ByReason<R>(Mutex<BTreeMap<R, u64>>);

impl<R> Default for ByReason<R> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<R: Copy + Ord> ByReason<R> {
    /// The counts of all these reasons, also of those that did not occur.
    fn counts(&self, all: impl IntoIterator<Item = R>) -> BTreeMap<R, u64> {
        let mut counts: BTreeMap<R, u64> = all.into_iter().map(|reason| (reason, 0)).collect();
        counts.extend(self.0.lock().unwrap_or_else(PoisonError::into_inner).iter());
        counts
    }

    fn add(&self, reasons: &[R]) {
        if reasons.is_empty() {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for reason in reasons {
            *counts.entry(*reason).or_default() += 1;
        }
    }
}

/// Defines a public getter and a crate-wide adder for each counter.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident, $add:ident;)+) => {
        impl Counters {
            $(
                $(#[doc = $doc])+
                pub fn $name(&self) -> u64 {
                    self.$name.load(Ordering::Relaxed)
                }

                pub(crate) fn $add(&self, count: usize) {
                    self.$name.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
                }
            )+
        }
    };
}

counters! {
    /// Requests that arrived, including those that were refused.
    requests, add_requests;
    /// Requests that were refused.
    refused, add_refused;
    /// Spans of requests that could be decoded, whether they are spans of AI calls or not.
    spans, add_spans;
    /// Log records of requests that could be decoded, whether they are records of AI calls or not.
    records, add_records;
    /// Records of the crate `spanledger` without an event id, which are not stored.
    records_rejected, add_records_rejected;
    /// Records that services lost before they could send them, as their gap events say. A repeated gap event is
    /// counted again.
    records_lost, add_records_lost;
    /// Observations that were new.
    observations, add_observations;
    /// Observations that had been delivered before.
    duplicates, add_duplicates;
    /// Requests that the destination of traces accepted.
    forwarded, add_forwarded;
}

impl Counters {
    /// Observations of accepted requests that have no cost, by reason. An observation that had been
    /// delivered before is counted again.
    pub fn unpriced(&self) -> BTreeMap<UnpricedReason, u64> {
        self.unpriced.counts(UnpricedReason::ALL)
    }

    pub(crate) fn add_unpriced(&self, reasons: &[UnpricedReason]) {
        self.unpriced.add(reasons);
    }

    /// Observations that the ledger refused, because they exceed a limit of what belongs together, by reason.
    /// One that a client sends again is counted again.
    pub fn observations_refused(&self) -> BTreeMap<RefusedReason, u64> {
        self.observations_refused.counts(RefusedReason::ALL)
    }

    pub(crate) fn add_observations_refused(&self, reasons: &[RefusedReason]) {
        self.observations_refused.add(reasons);
    }
}
