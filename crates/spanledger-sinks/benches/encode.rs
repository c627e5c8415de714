//! Measures how many events a second each encoding writes on one thread, and the sinks `file` and `parquet` on a
//! disk, with their syncs. An event is about as large as one of a chat call with all its attribution.
//!
//! `SPANLEDGER_BENCH_DIR` is the folder of the files; the default is the one for temporary files.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first error, and prints"
)]

#[path = "support/event.rs"]
mod event;

use divan::{Bencher, counter::ItemsCount};
use spanledger_event::{CostEvent, EventId, SharedEvent};
use spanledger_sinks::encode::{Columns, Csv, JsonLine};

fn main() {
    divan::main();
}

const EVENTS: usize = 1_000;

/// Its ids are as random as real ones, because that decides how well they can be compressed.
fn event(number: i64) -> CostEvent {
    let random = |kind: &str| EventId::of_request(&format!("{kind}{number}"), 0).as_str().to_owned();
    let hex = |kind: &str| random(kind).replace('-', "");
    CostEvent {
        request_id: Some(random("request")),
        response_id: Some(format!("chatcmpl-{}", &hex("response")[..24])),
        trace_id: Some(hex("trace")),
        span_id: Some(hex("span")[..16].to_owned()),
        ..event::event(number)
    }
}

fn events() -> Vec<CostEvent> {
    (0..EVENTS).map(|number| event(i64::try_from(number).unwrap())).collect()
}

/// Measures a function that writes one event. No other sink has computed the JSON text of the events.
fn measure(bencher: Bencher<'_, '_>, write: impl Fn(&SharedEvent, &mut Vec<u8>)) {
    let shared = || events().into_iter().map(SharedEvent::new).collect::<Vec<_>>();
    let mut out = Vec::with_capacity(EVENTS * 2_048);
    bencher.counter(ItemsCount::new(EVENTS)).with_inputs(shared).bench_local_refs(|events| {
        out.clear();
        for event in events {
            write(event, &mut out);
        }
        out.len()
    });
}

#[divan::bench]
fn json_lines(bencher: Bencher<'_, '_>) {
    let json = JsonLine::default();
    measure(bencher, |event, out| json.write(event, out).unwrap());
}

/// Another sink has written the events before.
#[divan::bench]
fn json_lines_again(bencher: Bencher<'_, '_>) {
    let (json, events) =
        (JsonLine::default(), events().into_iter().map(SharedEvent::new).collect::<Vec<_>>());
    let mut out = Vec::with_capacity(EVENTS * 2_048);
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        out.clear();
        for event in &events {
            json.write(event, &mut out).unwrap();
        }
        out.len()
    });
}

#[divan::bench]
fn json_lines_of_ten_columns(bencher: Bencher<'_, '_>) {
    let names = ["timestamp", "feature", "route", "customer_id", "model", "cost_usd", "attempts"];
    let json = JsonLine::new(Columns::from_options(&names.map(str::to_owned), &[]).unwrap());
    measure(bencher, |event, out| json.write(event, out).unwrap());
}

#[divan::bench]
fn csv(bencher: Bencher<'_, '_>) {
    let csv = Csv::default();
    measure(bencher, |event, out| csv.write(event, out).unwrap());
}

#[cfg(feature = "parquet")]
#[divan::bench]
fn arrow(bencher: Bencher<'_, '_>) {
    let (events, arrow) = (events(), spanledger_sinks::encode::arrow::ArrowBatches::new(Columns::default()));
    let events: Vec<&CostEvent> = events.iter().collect();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| arrow.encode(&events).unwrap().batches.len());
}

/// Delivers one batch after another, as the receiver does.
mod sinks {
    use std::sync::Arc;

    use divan::{Bencher, counter::ItemsCount};
    use spanledger_event::SharedEvent;
    use spanledger_sinks::{Batch, BatchId, BoxSink, Opening, Positioned, Purpose, SINKS, SinkSpec};

    use super::event;

    fn batch(events: i64) -> Batch {
        let positioned =
            |position| Positioned { position, event: Arc::new(SharedEvent::new(event(position))) };
        Batch {
            id: BatchId { ledger: "0190a7e2".into(), sink: "bench".into(), from: 0, to: events },
            events: (1..=events).map(positioned).collect(),
        }
    }

    fn deliver(bencher: Bencher<'_, '_>, rows: i64, options: impl Fn(&std::path::Path) -> String) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let parent = std::env::var_os("SPANLEDGER_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
        let folder = tempfile::tempdir_in(parent).unwrap();
        let spec: SinkSpec = toml::from_str(&options(folder.path())).unwrap();
        let mut sink: BoxSink =
            spanledger_sinks::build(SINKS, [("bench", &spec)]).unwrap()[0].make().unwrap();
        let opening = Opening { ledger: "0190a7e2".into(), sink: "bench".into(), purpose: Purpose::Deliver };
        runtime.block_on(sink.open(&opening)).unwrap();
        let mut from = 0;
        let mut delivered = 0;
        let first = batch(rows);
        bencher
            .counter(ItemsCount::new(usize::try_from(rows).unwrap()))
            .with_inputs(|| {
                // The events are new ones for the sink: it has not seen the positions.
                from += rows;
                let mut batch = first.clone();
                (batch.id.from, batch.id.to) = (from, from + rows);
                batch
            })
            .bench_local_refs(|batch| {
                runtime.block_on(async {
                    sink.write(batch).await.unwrap();
                    sink.commit().await.unwrap();
                });
                delivered += batch.events.len() as u64;
            });
        if let Some(bytes) = walk(folder.path()).checked_div(delivered) {
            println!("{bytes} bytes an event");
        }
    }

    fn walk(folder: &std::path::Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { walk(&path) } else { path.metadata().unwrap().len() }).sum()
    }

    #[divan::bench(sample_count = 20, sample_size = 1)]
    fn file(bencher: Bencher<'_, '_>) {
        deliver(bencher, 5_000, |folder| {
            format!("kind = 'file'\npath = '{}/events.jsonl'", folder.display())
        });
    }

    #[cfg(feature = "parquet")]
    #[divan::bench(sample_count = 20, sample_size = 1)]
    fn parquet(bencher: Bencher<'_, '_>) {
        deliver(bencher, 10_000, |folder| format!("kind = 'parquet'\nlocation = '{}'", folder.display()));
    }
}
