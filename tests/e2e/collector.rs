//! A real OpenTelemetry Collector with the shipped configuration runs in front of the receiver; another
//! Collector is the trace backend.

use std::{
    collections::BTreeSet,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use async_openai::config::OpenAIConfig;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use serde_json::{Value, json};
use spanledger::{Attributed as _, ExporterConfig, Recorder};
use spanledger_event::{CostEvent, EventState};
use spanledger_testkit::{
    Provider, Reply, Usage,
    world::{attribution, chat_request, keep_spans_enabled},
};
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};
use tracing_subscriber::{Registry, layer::SubscriberExt as _};

use crate::{
    python_service,
    support::{Serve, TIMEOUT, peer, peer_command},
};

/// The configuration that we ship.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector-config/spanledger.yaml")
}

/// An address on which no program listens. Its port is below the range from which systems choose ports, so
/// that no other program takes it before the test uses it.
pub(crate) fn free_address() -> SocketAddr {
    const FIRST: u16 = 16_000;
    const COUNT: u16 = 16_000;
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin at different places.
    let begin = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    loop {
        let offset = (begin + TAKEN.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A client that ignores the machine's proxy: all servers are local.
fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A running Collector.
pub(crate) struct Collector {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    /// The URL of its own metrics; empty if it serves none.
    metrics: String,
    log: PathBuf,
}

impl Collector {
    /// Starts a Collector in front of Spanledger, as a user runs it.
    fn in_front(otelcol: &Path, folder: &Path, spanledger: SocketAddr, backend: SocketAddr) -> Self {
        let (grpc, http, metrics) = (free_address(), free_address(), free_address().port());
        let mut command = peer_command(otelcol);
        command
            .arg("--config")
            .arg(shipped())
            .env("COLLECTOR_GRPC_LISTEN", grpc.to_string())
            .env("COLLECTOR_HTTP_LISTEN", http.to_string())
            .env("SPANLEDGER_ENDPOINT", spanledger.to_string())
            .env("TRACE_BACKEND_ENDPOINT", backend.to_string())
            .env("COLLECTOR_METRICS_PORT", metrics.to_string());
        let metrics = format!("http://localhost:{metrics}/metrics");
        Self::start(command, grpc, http, metrics, folder.join("front.log"))
    }

    /// Starts a Collector as a trace backend that receives spans and log records and writes them to a file.
    fn as_backend(otelcol: &Path, folder: &Path, file: &Path) -> Self {
        let (grpc, http) = (free_address(), free_address());
        let protocols =
            json!({"grpc": {"endpoint": grpc.to_string()}, "http": {"endpoint": http.to_string()}});
        let pipeline = json!({"receivers": ["otlp"], "exporters": ["file"]});
        let config = json!({
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": {"file": {"path": file}},
            "service": {
                "pipelines": {"traces": pipeline, "logs": pipeline},
                "telemetry": {"metrics": {"level": "none"}},
            },
        });
        let path = folder.join("backend.yaml");
        // JSON is a subset of YAML.
        std::fs::write(&path, config.to_string()).unwrap();
        let mut command = peer_command(otelcol);
        command.arg("--config").arg(path);
        Self::start(command, grpc, http, String::new(), folder.join("backend.log"))
    }

    pub(crate) fn start(
        mut command: Command,
        grpc: SocketAddr,
        http: SocketAddr,
        metrics: String,
        log: PathBuf,
    ) -> Self {
        let file = File::create(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let mut this = Self { child, grpc, http, metrics, log };
        let until = Instant::now() + TIMEOUT;
        while [grpc, http].iter().any(|address| TcpStream::connect(address).is_err()) {
            let ended = this.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "the Collector: {}", this.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        this
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The numbers of `spans` and `log_records` that each exporter sent with success, read from the
    /// Collector's metrics.
    async fn sent(&self) -> BTreeSet<(String, String, u64)> {
        let text = http_client().get(&self.metrics).send().await.unwrap().text().await.unwrap();
        let row = |line: &str| {
            let (kind, rest) = line.strip_prefix("otelcol_exporter_sent_")?.split_once('{')?;
            let exporter = rest.split_once("exporter=\"")?.1.split_once('"')?.0;
            let count = rest.rsplit_once(' ')?.1.parse().ok()?;
            Some((kind.to_owned(), exporter.to_owned(), count))
        };
        text.lines().filter_map(row).collect()
    }

    /// Waits until the counts of [`Collector::sent`] are exactly these.
    async fn wait_until_sent(&self, rows: &[(&str, &str, usize)]) {
        let rows = rows.iter().map(|(kind, exporter, count)| {
            ((*kind).to_owned(), (*exporter).to_owned(), u64::try_from(*count).unwrap())
        });
        let rows: BTreeSet<_> = rows.collect();
        let until = Instant::now() + TIMEOUT;
        loop {
            let sent = self.sent().await;
            if sent == rows {
                return;
            }
            assert!(Instant::now() < until, "the Collector sent {sent:?} instead of {rows:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until an attempt to send spans and one to send records to Spanledger have failed.
    async fn wait_until_refused(&self) {
        let refused = |log: &str, signal: &str| {
            log.lines().any(|line| {
                ["Will retry", "\"otlp_grpc/spanledger\"", signal].iter().all(|part| line.contains(part))
            })
        };
        let until = Instant::now() + TIMEOUT;
        while !["\"traces\"", "\"logs\""].iter().all(|signal| refused(&self.log(), signal)) {
            assert!(Instant::now() < until, "the Collector did not try");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends SIGTERM, as a service manager does. The Collector sends the content of its queues before it
    /// ends.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "the Collector: {}", self.log());
    }
}

impl Drop for Collector {
    #[expect(clippy::print_stderr, reason = "a failed test prints the Collector's log")]
    fn drop(&mut self) {
        // Killing fails if the Collector has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.log.display(), self.log());
        }
    }
}

/// The content of the file exporter's file: the log records, and the name and the ids of each span.
#[derive(Default)]
struct Written {
    records: Vec<Value>,
    spans: Vec<(String, String, String)>,
}

impl Written {
    fn read(file: &Path) -> Self {
        let mut this = Self::default();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let all = |resources: &str, scopes: &str, items: &str| -> Vec<Value> {
                let lists = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
                let scopes: Vec<Value> =
                    lists(&line, resources).iter().flat_map(|resource| lists(resource, scopes)).collect();
                scopes.iter().flat_map(|scope| lists(scope, items)).collect()
            };
            this.records.extend(all("resourceLogs", "scopeLogs", "logRecords"));
            let text = |span: &Value, key: &str| span[key].as_str().unwrap().to_owned();
            let spans = all("resourceSpans", "scopeSpans", "spans");
            this.spans.extend(
                spans.iter().map(|span| (text(span, "name"), text(span, "traceId"), text(span, "spanId"))),
            );
        }
        this
    }
}

/// Sends one log record to the backend directly. The record proves that the backend writes records, so that
/// the absence of other records means that none was sent.
async fn send_control_record(backend: &Collector) {
    let record = json!({"body": {"stringValue": "control"}});
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    let request = http_client()
        .post(format!("http://{}/v1/logs", backend.http))
        .header("content-type", "application/json")
        .body(body.to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// The costs of the Rust service's calls; the first call is in a trace, the second has no span. A million
/// tokens of gpt-5.5 cost 5 dollars (input), 0.50 (cached input) and 30 (output).
const RUST_COSTS: [&str; 2] = [
    // 1,000 × 5 = 5,000; 100 × 30 = 3,000; in all 8,000 millionths.
    "0.008",
    // 500 × 5 = 2,500; 1,500 × 0.5 = 750; 50 × 30 = 1,500; in all 4,750 millionths.
    "0.00475",
];

/// A Rust service with the crate `spanledger` that makes two calls, one of them traced, and sends
/// its span over gRPC and its records over HTTP to the Collector. Returns the ids of the responses.
async fn run_rust_service(collector: &Collector, provider: &Provider) -> Vec<String> {
    keep_spans_enabled();
    provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    provider.push(Reply::new().usage(Usage::new(2_000, 50).cached(1_500)));
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(format!("http://{}", collector.grpc))
        .build()
        .unwrap();
    let tracer = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("search-api").build())
        .build();
    let records = ExporterConfig::to(&format!("http://{}", collector.http)).service_name("search-api");
    let recorder = Recorder::new(records);
    let config = OpenAIConfig::new().with_api_base(provider.base_url()).with_api_key("test");
    let client = spanledger::instrument(config)
        .http_client(http_client())
        .provider("openai")
        .recorder(recorder.clone())
        .build();
    let (attribution, request) = (attribution("search"), chat_request("Hi"));
    let subscriber =
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(tracer.tracer("app")));
    let call = async || client.chat().attributed(&attribution).create(request.clone()).await.unwrap().id;
    let with_span = call().with_subscriber(subscriber).await;
    let without_span = call().with_subscriber(NoSubscriber::new()).await;
    recorder.flush(TIMEOUT).await.unwrap();
    assert_eq!((recorder.stats().acknowledged, recorder.stats().lost), (2, 0));
    tokio::task::spawn_blocking(move || tracer.shutdown().unwrap()).await.unwrap();
    vec![with_span, without_span]
}

fn check_rust_events(events: &[CostEvent], ids: &[String]) {
    assert_eq!(events.len(), RUST_COSTS.len(), "{events:#?}");
    for ((event, id), cost) in events.iter().zip(ids).zip(RUST_COSTS) {
        assert_eq!(event.response_id.as_ref(), Some(id));
        assert_eq!(event.billed_usd.unwrap().to_string(), cost);
        assert_eq!((event.state, event.attempts, event.flags.len()), (EventState::Live, 1, 0));
        assert_eq!((event.feature.as_deref(), event.customer_id.as_deref()), (Some("search"), Some("acme")));
        assert!(event.emitter.starts_with("spanledger"), "{event:#?}");
    }
    assert!(events[0].span_id.is_some() && events[1].span_id.is_none(), "{events:#?}");
}

/// The number of spans of both services: the request and the calls of the Python service, one call of the
/// Rust service.
const SPANS: usize = 1 + python_service::CALLS + 1;

/// Checks the events of both services.
fn check(events: Vec<CostEvent>, report: &Value, ids: &[String]) {
    let (of_python, of_rust): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| event.service_name.as_deref() == Some("checkout-api"));
    python_service::check(&of_python, report);
    check_rust_events(&of_rust, ids);
}

/// The Collector accepts the shipped configuration with the default of every variable.
#[test]
fn the_collector_accepts_the_shipped_configuration() {
    let Some(otelcol) = peer("bin/otelcol") else { return };
    let output = peer_command(&otelcol).args(["validate", "--config"]).arg(shipped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Scenario: the set-up of collector-config/README.md.
/// Guarantees: spans go to Spanledger and to the backend, records go to Spanledger only, and each call is
/// counted once, also the call that arrives as a span and as a record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_collector_fans_out_and_every_call_is_counted_once() {
    let (Some(python), Some(otelcol)) = (peer("venv/bin/python"), peer("bin/otelcol")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backend.jsonl");
    let serve = Serve::start(&folder.path().join("l.db"), &[]);
    let backend = Collector::as_backend(&otelcol, folder.path(), &file);
    let front = Collector::in_front(&otelcol, folder.path(), serve.grpc, backend.grpc);

    let shop = python_service::provider().await;
    let report = python_service::run_client(&python, "grpc", &format!("http://{}", front.grpc), &shop);
    let search = Provider::builder().seed(12).start().await.unwrap();
    let ids = run_rust_service(&front, &search).await;
    python_service::check_nothing_leaked(&shop, python_service::CALLS);
    python_service::check_nothing_leaked(&search, RUST_COSTS.len());

    serve.wait_for_events(python_service::CALLS + RUST_COSTS.len());
    // The counts include the span and the record of the same call.
    front
        .wait_until_sent(&[
            ("spans", "otlp_grpc/spanledger", SPANS),
            ("log_records", "otlp_grpc/spanledger", RUST_COSTS.len()),
            ("spans", "otlp_grpc/traces", SPANS),
        ])
        .await;
    front.stop();
    send_control_record(&backend).await;
    backend.stop();
    let events = serve.events();
    check(events.clone(), &report, &ids);

    let written = Written::read(&file);
    assert_eq!(written.records.len(), 1, "{:#?}", written.records);
    assert_eq!(written.records[0]["body"]["stringValue"], "control");
    assert_eq!(written.spans.len(), SPANS, "{:#?}", written.spans);
    assert!(written.spans.iter().any(|(name, _, _)| name == "POST /checkout"));
    let spans: BTreeSet<(&str, &str)> =
        written.spans.iter().map(|(_, trace, span)| (trace.as_str(), span.as_str())).collect();
    assert_eq!(spans.len(), SPANS, "a span is there twice: {:#?}", written.spans);
    for event in &events {
        let ids = event.trace_id.as_deref().zip(event.span_id.as_deref());
        assert!(ids.is_none_or(|ids| spans.contains(&ids)), "the backend lacks the span of {event:#?}");
    }
}

/// Scenario: Spanledger is down while the calls are made, and starts after the services have ended. The trace
/// backend stays down.
/// Guarantees: the Collector keeps all spans and records for Spanledger, and the trace backend delays
/// nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_collector_keeps_calls_for_a_spanledger_that_is_down() {
    let (Some(python), Some(otelcol)) = (peer("venv/bin/python"), peer("bin/otelcol")) else { return };
    let folder = tempfile::tempdir().unwrap();
    // The receiver's HTTP port also accepts gRPC, which the Collector sends.
    let spanledger = free_address();
    let front = Collector::in_front(&otelcol, folder.path(), spanledger, free_address());
    let shop = python_service::provider().await;
    let report =
        python_service::run_client(&python, "http/protobuf", &format!("http://{}", front.http), &shop);
    let search = Provider::builder().seed(13).start().await.unwrap();
    let ids = run_rust_service(&front, &search).await;
    front.wait_until_refused().await;

    let serve = Serve::start(&folder.path().join("l.db"), &["--http-addr", &spanledger.to_string()]);
    serve.wait_for_events(python_service::CALLS + RUST_COSTS.len());
    front
        .wait_until_sent(&[
            ("spans", "otlp_grpc/spanledger", SPANS),
            ("log_records", "otlp_grpc/spanledger", RUST_COSTS.len()),
        ])
        .await;
    check(serve.events(), &report, &ids);
}
