//! Measures how many spans a second go from a socket to the ledger: OTLP/HTTP over loopback with 1,000
//! spans in each request. A request is answered when the AI calls in it are committed and synced.
//!
//! Each request has new ids, so that no request is a duplicate.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]

use std::{
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use divan::{Bencher, counter::ItemsCount};
use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use spanledger_event::keys;
use spanledger_testkit::{
    otlp::{self, SpanBuilder, integer, text},
    world::TestReceiver,
};

fn main() {
    divan::main();
}

/// The number of spans in one request.
const SPANS: u64 = 1_000;

/// A span of a web service or of an AI call, about as large as the spans that SDKs send.
fn span(number: u64, is_call: bool) -> Span {
    let span = if is_call {
        SpanBuilder::chat("gpt-5.5")
            .tokens(1_000, 200)
            .response_id(format!("chatcmpl-{number:016x}"))
            .attributes([
                text(keys::FEATURE, format!("feature-{}", number % 8)),
                text(keys::ROUTE, format!("/route/{}", number % 16)),
                text(keys::CUSTOMER_ID, format!("customer-{}", number % 100)),
            ])
    } else {
        SpanBuilder::new("GET /v1/orders/{id}/items").kind(SpanKind::Client)
    };
    span.number(number)
        .start(otlp::START + number * 1_000)
        .duration(50_000_000)
        .parent(number.to_be_bytes())
        .attributes([
            text("server.address", "api.example.com"),
            text("network.protocol.version", "1.1"),
            text("url.full", "https://api.example.com/v1/orders/4711/items?expand=customer,lines&limit=100"),
            text(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            text("thread.name", "tokio-runtime-worker"),
            text("code.function.name", "orders::handlers::list_items"),
            text("code.file.path", "services/orders/src/handlers.rs"),
            integer("code.line.number", 217),
            integer("http.response.status_code", 200),
        ])
        .build()
}

/// A request with new ids.
fn body(calls_percent: u64, is_compressed: bool) -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let first = NEXT.fetch_add(SPANS, Ordering::Relaxed);
    let spans = (0..SPANS).map(|i| span(first + i, i % 100 < calls_percent));
    let resource = otlp::resource([
        text(keys::SERVICE_NAME, "orders"),
        text(keys::DEPLOYMENT_ENVIRONMENT_NAME, "bench"),
    ]);
    let message = otlp::protobuf(&otlp::traces_of(resource, otlp::scope("bench", "1"), spans));
    if !is_compressed {
        return message;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&message).unwrap();
    encoder.finish().unwrap()
}

/// The number of concurrent requests. With one request at a time, only the disk's sync would be measured.
const IN_FLIGHT: usize = 8;

fn receive(bencher: Bencher<'_, '_>, calls_percent: u64, is_compressed: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let receiver = runtime.block_on(TestReceiver::start());
    let url = format!("{}/v1/traces", receiver.http_url());
    let client = reqwest::Client::new();

    bencher
        .counter(ItemsCount::new(SPANS * u64::try_from(IN_FLIGHT).unwrap()))
        .with_inputs(|| (0..IN_FLIGHT).map(|_| body(calls_percent, is_compressed)).collect::<Vec<_>>())
        .bench_values(|bodies| {
            let requests = bodies.into_iter().map(|body| {
                let mut request = client.post(&url).header("content-type", otlp::PROTOBUF).body(body);
                if is_compressed {
                    request = request.header("content-encoding", "gzip");
                }
                request.send()
            });
            for response in runtime.block_on(futures_util::future::join_all(requests)) {
                assert!(response.unwrap().status().is_success());
            }
        });

    let counters = receiver.counters();
    assert_eq!(counters.observations(), counters.spans() / 100 * calls_percent);
    assert_eq!((counters.duplicates(), counters.refused()), (0, 0));
    drop(client);
    let _ledger = runtime.block_on(receiver.shut_down());
}

#[divan::bench(args = [0, 1, 100], sample_count = 20, sample_size = 1)]
fn identity(bencher: Bencher<'_, '_>, calls_percent: u64) {
    receive(bencher, calls_percent, false);
}

#[divan::bench(args = [0, 1, 100], sample_count = 20, sample_size = 1)]
fn gzip(bencher: Bencher<'_, '_>, calls_percent: u64) {
    receive(bencher, calls_percent, true);
}
