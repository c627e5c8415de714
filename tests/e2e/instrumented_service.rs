//! A Rust service with the crate `spanledger` and the usual OpenTelemetry set-up. Each call is counted
//! once, also if another instrumentation reports it too.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_openai::config::OpenAIConfig;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::{
    KeyValue,
    trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _},
};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use prost::Message as _;
use spanledger::{Attributed, ExporterConfig, Recorder};
use spanledger_event::{CostEvent, keys};
use spanledger_testkit::{
    Provider, Reply, Usage,
    world::{attribution, chat_request},
};
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::{Registry, layer::SubscriberExt as _};

use crate::support::{Serve, TIMEOUT};

/// A trace backend that keeps what it receives.
#[derive(Clone, Default)]
struct Backend {
    bodies: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Backend {
    async fn start(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let this = self.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let this = this.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let this = this.clone();
                    async move {
                        let path = request.uri().path().to_owned();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        this.bodies.lock().unwrap().push((path, body));
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                    }
                });
                tokio::spawn(async move {
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // The connection stays open until the end of the test.
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        address
    }

    fn spans(&self) -> Vec<String> {
        let bodies = self.bodies.lock().unwrap();
        assert!(bodies.iter().all(|(path, _)| path == "/v1/traces"), "only traces are passed on: {bodies:?}");
        bodies
            .iter()
            .flat_map(|(_, body)| ExportTraceServiceRequest::decode(body.clone()).unwrap().resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .map(|span| span.name)
            .collect()
    }
}

/// A service with the usual set-up: `tracing`, `tracing-opentelemetry`, the OTLP exporter.
struct Service {
    provider: Provider,
    tracer: SdkTracerProvider,
    recorder: Recorder,
}

impl Service {
    async fn start(serve: &Serve, sampler: Sampler) -> Self {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(serve.grpc_url())
            .build()
            .unwrap();
        let tracer = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(Resource::builder().with_service_name("api").build())
            .build();
        let recorder = Recorder::new(ExporterConfig::to(&serve.http_url()).service_name("api"));
        Self { provider: Provider::builder().seed(3).start().await.unwrap(), tracer, recorder }
    }

    /// Makes one call with 1,000 input and 100 output tokens, which costs 0.008 dollars.
    async fn call(&self, request_id: &str) -> String {
        self.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
        // The URL has OpenAI's host name, because the response ids of that host are known to be unique.
        let http_client = reqwest::Client::builder()
            .resolve("api.openai.com", self.provider.addr())
            .no_proxy()
            .build()
            .unwrap();
        let base = format!("http://api.openai.com:{}/v1", self.provider.addr().port());
        let config = OpenAIConfig::new().with_api_base(base).with_api_key("test");
        let client = spanledger::instrument(config)
            .provider("openai")
            .http_client(http_client)
            .recorder(self.recorder.clone())
            .build();
        let attribution = attribution("search").with_request_id(request_id).unwrap();
        let otel = tracing_opentelemetry::layer().with_tracer(self.tracer.tracer("app"));
        let subscriber = Registry::default().with(otel);
        async { client.chat().attributed(&attribution).create(chat_request(request_id)).await.unwrap().id }
            .with_subscriber(subscriber)
            .await
    }

    async fn end(&self) {
        self.recorder.flush(TIMEOUT).await.unwrap();
        let tracer = self.tracer.clone();
        tokio::task::spawn_blocking(move || tracer.force_flush().unwrap()).await.unwrap();
    }
}

fn check_one(event: &CostEvent) {
    assert_eq!(event.billed_usd.unwrap().to_string(), "0.008", "{event:#?}");
    assert_eq!((event.attempts, event.feature.as_deref()), (1, Some("search")));
    assert!(event.flags.is_empty(), "{event:#?}");
}

/// Guarantees: the span of a sampled call goes to the receiver and from there to the backend; its record goes
/// to the receiver only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_and_span_are_one_event_and_only_the_span_goes_on() {
    let backend = Backend::default();
    let address = backend.start().await;
    let folder = tempfile::tempdir().unwrap();
    let forward = format!("http://{address}");
    let serve = Serve::start(&folder.path().join("l.db"), &["--forward-traces", &forward]);
    let service = Service::start(&serve, Sampler::AlwaysOn).await;
    for id in ["a", "b", "c"] {
        service.call(id).await;
    }
    service.end().await;
    let events = serve.events();
    assert_eq!(events.len(), 3);
    events.iter().for_each(check_one);
    assert_eq!(backend.spans(), ["chat gpt-5.5"; 3]);
    assert!(events.iter().all(|event| event.emitter.starts_with("spanledger") && event.span_id.is_some()));
}

/// Guarantees: calls whose spans are not sampled become the same events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sampler_of_zero_percent_loses_no_event() {
    let backend = Backend::default();
    let address = backend.start().await;
    let folder = tempfile::tempdir().unwrap();
    let forward = format!("http://{address}");
    let serve = Serve::start(&folder.path().join("l.db"), &["--forward-traces", &forward]);
    let service = Service::start(&serve, Sampler::TraceIdRatioBased(0.0)).await;
    for id in ["a", "b", "c"] {
        service.call(id).await;
    }
    service.end().await;
    let events = serve.events();
    assert_eq!(events.len(), 3);
    events.iter().for_each(check_one);
    assert!(backend.spans().is_empty());
}

/// Scenario: another instrumentation reports the same responses, before or after our records.
/// Guarantees: our attributed events count, and the events of the other instrumentation are void.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_foreign_emitter_each_call_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("l.db"), &[]);
    let service = Service::start(&serve, Sampler::AlwaysOn).await;
    let foreign = |id: &str| {
        let tracer = service.tracer.tracer("gateway");
        let mut span = tracer.span_builder("chat gpt-5.5").with_kind(SpanKind::Client).start(&tracer);
        for attribute in [
            KeyValue::new(keys::OPERATION_NAME, "chat"),
            KeyValue::new(keys::PROVIDER_NAME, "openai"),
            KeyValue::new(keys::SERVER_ADDRESS, "api.openai.com"),
            KeyValue::new(keys::REQUEST_MODEL, "gpt-5.5"),
            KeyValue::new(keys::RESPONSE_ID, id.to_owned()),
            KeyValue::new(keys::INPUT_TOKENS, 1_000),
            KeyValue::new(keys::OUTPUT_TOKENS, 100),
        ] {
            span.set_attribute(attribute);
        }
        span.end();
    };
    let id = service.call("a").await;
    foreign(&id);
    service.end().await;
    let id = service.call("b").await;
    // This span arrives before our record is sent.
    foreign(&id);
    let tracer = service.tracer.clone();
    tokio::task::spawn_blocking(move || tracer.force_flush().unwrap()).await.unwrap();
    service.end().await;

    let (live, void): (Vec<_>, Vec<_>) = serve.events().into_iter().partition(CostEvent::counts);
    assert_eq!((live.len(), void.len()), (2, 2));
    live.iter().for_each(check_one);
    for event in void {
        assert!(live.iter().any(|other| Some(&other.event_id) == event.superseded_by.as_ref()));
    }
}

/// Guarantees: the exporter keeps all records while the receiver is down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_wait_for_a_receiver_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("l.db");
    let serve = Serve::start(&ledger, &[]);
    let address = serve.http.to_string();
    let service = Service::start(&serve, Sampler::AlwaysOff).await;
    serve.kill();
    for id in ["a", "b", "c"] {
        service.call(id).await;
    }
    let error = service.recorder.flush(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.pending, 3);
    let serve = Serve::start(&ledger, &["--http-addr", &address]);
    service.recorder.flush(TIMEOUT).await.unwrap();
    assert_eq!(serve.events().len(), 3);
    assert_eq!((service.recorder.stats().acknowledged, service.recorder.stats().lost), (3, 0));
}
