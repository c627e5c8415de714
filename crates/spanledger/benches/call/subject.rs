//! A process with one kind of client. It makes the calls that it is asked for on its standard input, and prints what
//! they took. Each kind has a process of its own, so that nothing of one, such as a `tracing` subscriber, reaches
//! another.

use std::{
    collections::HashMap,
    io::{self, BufRead as _},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanledger::{ExporterConfig, Recorder};
use spanledger_testkit::world::attribution;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::{
    Layer as _, filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    client::{Layered, Target, TestedClient, request},
    cpu::CpuTimes,
    memory::Reply,
    order::{Order, Taken},
};

/// The kinds of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Without the layer.
    Bare,
    /// With the layer, and no span.
    Layered,
    /// With the layer, and a span through `tracing` and the SDK's batch processor, which exports it by OTLP.
    Spans,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::Layered, Self::Spans];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Layered => "layered",
            Self::Spans => "spans",
        }
    }
}

/// The longest time in which the records and spans of a round are exported.
const EXPORT_MAX: Duration = Duration::from_secs(60);

struct Subject {
    layered: Option<Layered>,
    spans: Option<SdkTracerProvider>,
    /// For calls one after the other: all of them run on this thread.
    one_thread: Runtime,
    /// For calls at the same time: a thread for each processor.
    threads: Runtime,
    clients: HashMap<(bool, Target), TestedClient>,
    /// Sends the spans.
    _otlp: Option<Runtime>,
}

/// Serves orders until the end of the standard input.
pub(crate) fn run(kind: Kind, http: &str, grpc: &str) {
    let layered = (kind != Kind::Bare).then(|| Layered {
        recorder: Recorder::new(ExporterConfig::to(http)),
        attribution: attribution("search"),
    });
    let (spans, otlp) = (kind == Kind::Spans).then(|| set_up_spans(grpc)).unzip();
    let mut subject = Subject {
        layered,
        spans,
        one_thread: Builder::new_current_thread().enable_all().build().unwrap(),
        threads: Builder::new_multi_thread().enable_all().build().unwrap(),
        clients: HashMap::new(),
        _otlp: otlp,
    };
    for line in io::stdin().lock().lines() {
        let taken = subject.measure(&line.unwrap().parse().unwrap());
        println!("{taken}");
    }
}

/// The usual set-up of a service: `tracing`, `tracing-opentelemetry`, a batch processor and an exporter.
fn set_up_spans(grpc: &str) -> (SdkTracerProvider, Runtime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let entered = runtime.enter();
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(grpc).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter.unwrap()).build();
    drop(entered);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("service"));
    tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO)).init();
    (provider, runtime)
}

impl Subject {
    /// Makes the calls, and then exports what was recorded.
    fn measure(&mut self, order: &Order) -> Taken {
        let (at_once, target) = (order.at_once, target(order));
        let layered = self.layered.as_ref();
        let key = (at_once, target.clone());
        let client = &*self.clients.entry(key).or_insert_with(|| TestedClient::new(&target, layered));
        let request = request(&target, order.chunks > 0);
        let chunks = order.chunks;
        let call = || {
            let (client, request) = (client.clone(), request.clone());
            async move {
                if chunks == 0 {
                    client.call(request).await;
                } else {
                    assert!(client.stream(request).await >= chunks, "a stream was cut");
                }
            }
        };
        let before = CpuTimes::now();
        let start = Instant::now();
        if at_once {
            let calls: Vec<_> = (0..order.calls).map(|_| self.threads.spawn(call())).collect();
            for ended in self.threads.block_on(join_all(calls)) {
                ended.unwrap();
            }
        } else {
            self.one_thread.block_on(async {
                for _ in 0..order.calls {
                    call().await;
                }
            });
        }
        let wall = start.elapsed();
        let after = CpuTimes::now();
        if let Some(layered) = layered {
            layered.recorder.flush_blocking(EXPORT_MAX).unwrap();
        }
        if let Some(spans) = &self.spans {
            spans.force_flush().unwrap();
        }
        let exported = CpuTimes::now();
        Taken {
            wall,
            caller: after.caller.saturating_sub(before.caller),
            all: exported.all.saturating_sub(before.all),
            exporter: exported.exporter.saturating_sub(before.exporter),
        }
    }
}

fn target(order: &Order) -> Target {
    match (order.target.as_str(), order.chunks) {
        ("memory", 0) => Target::Memory(Reply::Whole),
        ("memory", chunks) => Target::Memory(Reply::Chunks { count: chunks, in_turns: true }),
        (url, _) => Target::Http(url.to_owned()),
    }
}
