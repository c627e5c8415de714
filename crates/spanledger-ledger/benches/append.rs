//! Events a second into the ledger, each commit synced to disk.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::sync::atomic::{AtomicUsize, Ordering};

use divan::{Bencher, counter::ItemsCount};
use spanledger_event::{
    Bucket, Cost, EventId, Observation, ObservedAs, PartialAttribution, Timestamp, Usage,
};
use spanledger_ledger::Ledger;

fn main() {
    divan::main();
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

fn call() -> Observation {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let start =
        Timestamp::from_nanos(1_763_700_000_000_000_000 + i64::try_from(number).unwrap_or(0) * 1_000_000);
    let mut o = Observation::new(
        EventId::of_request(&number.to_string(), 1),
        number.to_string(),
        ObservedAs::Record,
        start,
    );
    o.provider = "openai".into();
    o.emitter = "bench".into();
    o.model = Some("gpt-5.5".into());
    o.trace_id = Some(format!("{number:032x}"));
    o.attribution = PartialAttribution {
        feature: Some(format!("feature-{}", number % 8)),
        route: Some(format!("/route/{}", number % 16)),
        customer_id: Some(format!("customer-{}", number % 100)),
        environment: Some("bench".into()),
        ..PartialAttribution::default()
    };
    o.usage = Some(Usage::default().with(Bucket::Input, 1_000).with(Bucket::Output, 200));
    o.cost = Some(Cost::free("bench", start));
    o
}

#[divan::bench(args = [1, 100, 1_000, 8_000], sample_count = 10)]
fn append(bencher: Bencher<'_, '_>, size: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("bench.db")).unwrap();
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| (0..size).map(|_| call()).collect::<Vec<_>>())
        .bench_values(|calls| runtime.block_on(ledger.append(calls)).unwrap());
}
