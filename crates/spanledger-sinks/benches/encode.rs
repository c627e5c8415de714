//! Measures how many events a second each encoding writes on one thread. An event is about as large as one of a
//! chat call with all its attribution.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]

#[path = "support/event.rs"]
mod event;

use divan::{Bencher, counter::ItemsCount};
use event::event;
use spanledger_event::{CostEvent, SharedEvent};
use spanledger_sinks::encode::{Columns, Csv, JsonLine};

fn main() {
    divan::main();
}

const EVENTS: usize = 1_000;

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
