//! Spans a second from a socket to the ledger: OTLP/HTTP over loopback, 1,000 spans a request,
//! each request answered when what it says of AI calls is committed and synced.
//!
//! No request is a duplicate of another: its ids are new.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::{
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use divan::{Bencher, counter::ItemsCount};
use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_receiver::{Pipeline, Server};

fn main() {
    divan::main();
}

const SPANS: u64 = 1_000;
const START: u64 = 1_763_719_200_000_000_000;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// A span of a web service, or of an AI call, about as large as SDKs send them.
fn span(number: u64, is_call: bool) -> Span {
    let mut trace_id = [0xab; 16];
    trace_id[8..].copy_from_slice(&number.to_be_bytes());
    let mut attributes = vec![
        text("server.address", "api.example.com"),
        text("network.protocol.version", "1.1"),
        text("url.full", "https://api.example.com/v1/orders/4711/items?expand=customer,lines&limit=100"),
        text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        text("thread.name", "tokio-runtime-worker"),
        text("code.function.name", "orders::handlers::list_items"),
        text("code.file.path", "services/orders/src/handlers.rs"),
        attribute("code.line.number", Value::IntValue(217)),
        attribute("http.response.status_code", Value::IntValue(200)),
    ];
    if is_call {
        attributes.extend([
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-5.5"),
            text("gen_ai.response.id", &format!("chatcmpl-{number:016x}")),
            attribute("gen_ai.usage.input_tokens", Value::IntValue(1_000)),
            attribute("gen_ai.usage.output_tokens", Value::IntValue(200)),
            text("spanledger.feature", &format!("feature-{}", number % 8)),
            text("spanledger.route", &format!("/route/{}", number % 16)),
            text("spanledger.customer_id", &format!("customer-{}", number % 100)),
        ]);
    }
    Span {
        trace_id: trace_id.to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        parent_span_id: number.to_be_bytes().to_vec(),
        name: if is_call { "chat gpt-5.5" } else { "GET /v1/orders/{id}/items" }.to_owned(),
        kind: 3,
        start_time_unix_nano: START + number * 1_000,
        end_time_unix_nano: START + number * 1_000 + 50_000_000,
        attributes,
        ..Span::default()
    }
}

fn body(calls_percent: u64, is_compressed: bool) -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let first = NEXT.fetch_add(SPANS, Ordering::Relaxed);
    let spans = (0..SPANS).map(|i| span(first + i, i % 100 < calls_percent)).collect();
    let resource = Resource {
        attributes: vec![text("service.name", "orders"), text("deployment.environment.name", "bench")],
        ..Resource::default()
    };
    let message = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec();
    if !is_compressed {
        return message;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&message).unwrap();
    encoder.finish().unwrap()
}

/// Requests in flight at once: a client that waits for each answer measures the disk's sync alone.
const IN_FLIGHT: usize = 8;

fn receive(bencher: Bencher<'_, '_>, calls_percent: u64, is_compressed: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("bench.db")).unwrap();
    let pipeline = Pipeline::new(ledger, PriceBook::builtin(), ObservationReader::default());
    let server = runtime.block_on(async {
        let server = Server::builder().bind().await.unwrap();
        server.spawn(pipeline.clone())
    });
    let url = format!("http://{}/v1/traces", server.addresses().http);
    let client = reqwest::Client::new();

    bencher
        .counter(ItemsCount::new(SPANS * u64::try_from(IN_FLIGHT).unwrap()))
        .with_inputs(|| (0..IN_FLIGHT).map(|_| body(calls_percent, is_compressed)).collect::<Vec<_>>())
        .bench_values(|bodies| {
            let requests = bodies.into_iter().map(|body| {
                let mut request =
                    client.post(&url).header("content-type", "application/x-protobuf").body(body);
                if is_compressed {
                    request = request.header("content-encoding", "gzip");
                }
                request.send()
            });
            for response in runtime.block_on(futures_util::future::join_all(requests)) {
                assert!(response.unwrap().status().is_success());
            }
        });

    let counters = pipeline.counters();
    assert_eq!(counters.observations(), counters.spans() / 100 * calls_percent);
    assert_eq!((counters.duplicates(), counters.refused()), (0, 0));
    drop(client);
    runtime.block_on(server.stop()).unwrap();
}

#[divan::bench(args = [0, 1, 100], sample_count = 20, sample_size = 1)]
fn identity(bencher: Bencher<'_, '_>, calls_percent: u64) {
    receive(bencher, calls_percent, false);
}

#[divan::bench(args = [0, 1, 100], sample_count = 20, sample_size = 1)]
fn gzip(bencher: Bencher<'_, '_>, calls_percent: u64) {
    receive(bencher, calls_percent, true);
}
