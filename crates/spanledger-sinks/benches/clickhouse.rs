//! Measures how many events a second the sink `clickhouse` delivers to ClickHouse's own engine behind its HTTP interface
//! (the peer `engines`), and how many bytes an event takes there.
//!
//! `cargo bench -p spanledger-sinks --features clickhouse --bench clickhouse -- [EVENTS]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first error and prints"
)]

#[path = "support/event.rs"]
mod event;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use event::event;
use spanledger_event::SharedEvent;
use spanledger_sinks::{
    Batch, BatchId, Opening, Positioned, Purpose, Sink as _, SinkConfig as _, clickhouse::ClickHouseConfig,
};
use spanledger_testkit::ClickHouse;

fn batch(from: i64, rows: i64) -> Batch {
    let positioned = |position| Positioned { position, event: Arc::new(SharedEvent::new(event(position))) };
    Batch {
        id: BatchId { ledger: "bench".into(), sink: "bench".into(), from, to: from + rows },
        events: (from + 1..=from + rows).map(positioned).collect(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let events: i64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let Some(server) = ClickHouse::start() else { return };
    let options = format!(
        "url = '{}'\nuser = '{}'\npassword = '{}'",
        server.url(),
        ClickHouse::USER,
        ClickHouse::PASSWORD
    );
    let mut sink = toml::from_str::<ClickHouseConfig>(&options).unwrap().build().unwrap();
    let opening = Opening { ledger: "bench".into(), sink: "bench".into(), purpose: Purpose::Deliver };
    sink.open(&opening).await.unwrap();
    let rows = i64::try_from(sink.shape().rows.get()).unwrap();
    let (mut position, mut spent) = (0, Duration::ZERO);
    while position < events {
        // Making the events is not measured.
        let batch = batch(position, rows.min(events - position));
        let started = Instant::now();
        assert!(sink.write(&batch).await.unwrap().rejected.is_empty());
        sink.commit().await.unwrap();
        spent += started.elapsed();
        position = batch.id.to;
    }
    let sql = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'openai_event_revisions'";
    let request = reqwest::Client::new()
        .post(server.url())
        .header("X-ClickHouse-User", ClickHouse::USER)
        .header("X-ClickHouse-Key", ClickHouse::PASSWORD);
    let bytes: i64 = request.body(sql).send().await.unwrap().text().await.unwrap().trim().parse().unwrap();
    println!(
        "{:>7.0} events a second in batches of {rows}, {} bytes an event",
        f64::from(i32::try_from(events).unwrap()) / spent.as_secs_f64(),
        bytes / events
    );
}
