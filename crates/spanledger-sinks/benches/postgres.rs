//! Measures how many events a second the sink `postgres` delivers to a real server (the peer `postgres`), and how many
//! bytes an event takes there.
//!
//! `cargo bench -p spanledger-sinks --features postgres --bench postgres -- [EVENTS]`
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
    Batch, BatchId, Opening, Positioned, Purpose, Sink as _, SinkConfig as _, postgres::PostgresConfig,
};
use spanledger_testkit::Postgres;

fn batch(from: i64, rows: i64) -> Batch {
    let positioned = |position| Positioned { position, event: Arc::new(SharedEvent::new(event(position))) };
    Batch {
        id: BatchId { ledger: "bench".into(), sink: "bench".into(), from, to: from + rows },
        events: (from + 1..=from + rows).map(positioned).collect(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let events: i64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(500_000);
    // The settings of a small server; it syncs every commit.
    let Some(server) = Postgres::start_with(&["shared_buffers=1GB", "max_wal_size=8GB"]) else { return };
    for partitions in ["none", "month"] {
        let table = format!("events_{partitions}");
        let options = format!(
            "url = {:?}\ntable = '{table}'\nview = 'view_{partitions}'\npartitions = '{partitions}'",
            server.url()
        );
        let mut sink = toml::from_str::<PostgresConfig>(&options).unwrap().build().unwrap();
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
        let sizes = format!("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{table}')");
        let sizes =
            if partitions == "none" { format!("SELECT pg_total_relation_size('{table}')") } else { sizes };
        let bytes: i64 = server.query(&sizes).unwrap().trim().parse().unwrap();
        println!(
            "partitions = {partitions:>5}: {:>7.0} events a second in batches of {rows}, {} bytes an event with its indexes",
            f64::from(i32::try_from(events).unwrap()) / spent.as_secs_f64(),
            bytes / events
        );
    }
}
