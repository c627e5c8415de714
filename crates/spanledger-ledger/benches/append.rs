//! Measures how many events per second the ledger stores when each commit is synced to disk.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::sync::atomic::{AtomicUsize, Ordering};

use divan::{Bencher, counter::ItemsCount};
use spanledger_event::{Observation, PartialAttribution, Timestamp, test_support::ObservationBuilder};
use spanledger_ledger::Ledger;

fn main() {
    divan::main();
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A call that no other call of the benchmark repeats. Calls start a millisecond apart.
fn call() -> Observation {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let start = Timestamp::from_nanos(1_763_700_000_000_000_000 + i64::try_from(number).unwrap() * 1_000_000);
    ObservationBuilder::record(&number.to_string(), &number.to_string(), 0)
        .attribution(PartialAttribution {
            feature: Some(format!("feature-{}", number % 8)),
            route: Some(format!("/route/{}", number % 16)),
            customer_id: Some(format!("customer-{}", number % 100)),
            environment: Some("bench".into()),
            ..PartialAttribution::default()
        })
        .tokens(1_000, 200)
        .with(|o| {
            (o.start, o.end) = (start, start);
            o.trace_id = Some(format!("{number:032x}"));
        })
        .cost_picos(0)
        .build()
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
