//! Functions that several tests use.

use std::path::PathBuf;

use spanledger_event::{Bucket, CostEvent, Observation, Usage, test_support::ObservationBuilder};
use spanledger_ledger::LedgerReader;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) use spanledger_event::test_support::SECOND;

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
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
    let mut events: Vec<_> = changes.into_iter().map(|change| change.event).collect();
    events.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    events
}
