//! What the tests share.

use std::path::PathBuf;

use spanledger_event::{
    Bucket, Cost, CostEvent, EventId, Observation, ObservedAs, PartialAttribution, Timestamp, Usage,
    UsageSource, Usd,
};
use spanledger_ledger::LedgerReader;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// A folder for a ledger, and the file in it.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    (folder, path)
}

/// A priced call of the request, fully attributed, that takes one second.
pub(crate) fn call(request: &str, call: &str, second: i64, picos: i128) -> Observation {
    let start = Timestamp::from_nanos(second * SECOND);
    let mut o = Observation::new(EventId::of_request(request, 1), call, ObservedAs::Record, start);
    o.end = Timestamp::from_nanos((second + 1) * SECOND);
    o.provider = "openai".into();
    o.emitter = "test".into();
    o.model = Some("gpt-5.5".into());
    o.attribution = PartialAttribution {
        feature: Some("search".into()),
        route: Some("/search".into()),
        customer_id: Some("acme".into()),
        environment: Some("test".into()),
        request_id: Some(request.into()),
        ..PartialAttribution::default()
    };
    o.usage = Some(Usage::default().with(Bucket::Input, 100).with(Bucket::Reasoning, 7));
    o.usage_source = UsageSource::Provider;
    o.cost = Some(Cost { usd: Some(Usd::from_picos(picos)), ..Cost::free("test", start) });
    o
}

/// All events of a ledger, by their ids.
pub(crate) fn stored(reader: &LedgerReader) -> Vec<CostEvent> {
    let changes = reader.changes_after(0, usize::MAX).unwrap();
    let mut events: Vec<_> = changes.into_iter().map(|change| change.event).collect();
    events.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    events
}
