//! Functions that several tests use.

use std::path::{Path, PathBuf};

use spanledger_event::{Bucket, CostEvent, Observation, Usage, test_support::ObservationBuilder};
use spanledger_ledger::{Ledger, LedgerReader};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) use spanledger_event::test_support::SECOND;

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Opens a ledger that writes its roll-ups after every few observations, so that a test sees them on both
/// sides of that.
pub(crate) async fn open(path: &Path) -> Ledger {
    let ledger = Ledger::open(path).unwrap();
    ledger.roll_up_every(5).await.unwrap();
    ledger
}

/// A folder for a ledger, and the file in it.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    (folder, path)
}

/// Says why a test could not test anything on this system.
#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
pub(crate) fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// A priced call of the request, fully attributed, that takes one second.
pub(crate) fn call(request: &str, call: &str, second: i64, picos: i128) -> Observation {
    let usage = Usage::default().with(Bucket::Input, 100).with(Bucket::Reasoning, 7);
    ObservationBuilder::record(request, call, second).usage(usage).cost_picos(picos).build()
}

/// All events of a ledger, by their ids.
pub(crate) fn stored(reader: &LedgerReader) -> Vec<CostEvent> {
    let changes = reader.changes_after(0, usize::MAX).unwrap();
    let mut events: Vec<CostEvent> = changes.into_iter().map(|change| (**change.event).clone()).collect();
    events.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    events
}

/// A generator of random numbers (SplitMix64): the same seed gives the same numbers everywhere.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap() % bound
    }

    /// True in one of so many cases.
    pub(crate) fn one_in(&mut self, cases: usize) -> bool {
        self.below(cases) == 0
    }
}
