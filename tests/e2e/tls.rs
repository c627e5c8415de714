//! A service sends its records over TLS to a Collector, which sends them to Spanledger.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use async_openai::config::OpenAIConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use spanledger::{Attributed as _, ExporterConfig, Protocol, Recorder};
use spanledger_testkit::{
    Provider,
    world::{attribution, chat_request},
};

use crate::{
    collector::{Collector, free_address},
    support::{Serve, TIMEOUT, peer, peer_command},
};

const PROVIDER: &str = "TEST_PROVIDER";

/// An authority that is made for a test.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate.
    path: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let path = folder.join(format!("{name}.pem"));
        std::fs::write(&path, issuer.pem()).unwrap();
        Self { issuer, path }
    }

    /// Writes a certificate for `localhost` and its key.
    fn certify(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let paths = (folder.join("server.pem"), folder.join("server.key"));
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }
}

/// Starts a Collector that takes records over TLS, with a certificate of this authority.
fn collector(
    otelcol: &Path,
    folder: &Path,
    authority: &Authority,
    spanledger: SocketAddr,
    (grpc, http): (SocketAddr, SocketAddr),
) -> Collector {
    let (certificate, key) = authority.certify(folder);
    let tls = json!({"cert_file": certificate, "key_file": key});
    let config = json!({
        "receivers": {"otlp": {"protocols": {
            "grpc": {"endpoint": grpc.to_string(), "tls": tls},
            "http": {"endpoint": http.to_string(), "tls": tls},
        }}},
        "exporters": {"otlp_grpc": {
            "endpoint": spanledger.to_string(),
            "tls": {"insecure": true},
            "sending_queue": {"enabled": false},
        }},
        "service": {
            "pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["otlp_grpc"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
    });
    let path = folder.join("tls.yaml");
    // JSON is a subset of YAML.
    std::fs::write(&path, config.to_string()).unwrap();
    let mut command = peer_command(otelcol);
    command.arg("--config").arg(path);
    Collector::start(command, grpc, http, String::new(), folder.join("tls.log"))
}

async fn call(provider: &str, recorder: &Recorder, feature: &str) {
    let config = OpenAIConfig::new().with_api_base(provider).with_api_key("k");
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = spanledger::instrument(config)
        .http_client(http_client)
        .provider("openai")
        .recorder(recorder.clone())
        .build();
    client.chat().attributed(&attribution(feature)).create(chat_request("hello")).await.unwrap();
}

/// Scenario: the variables of OpenTelemetry name an `https` receiver and the authority of its certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_arrive_over_tls() {
    let Some(otelcol) = peer("bin/otelcol") else { return };
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("l.db"), &[]);
    let authority = Authority::new(folder.path(), "authority");
    let addresses = (free_address(), free_address());
    let collector = collector(&otelcol, folder.path(), &authority, serve.grpc, addresses);
    let provider = Provider::builder().seed(5).start().await.unwrap();
    for (protocol, address) in [("grpc", collector.grpc), ("http/protobuf", collector.http)] {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "tls::a_service_with_the_variables_of_opentelemetry",
                "--ignored",
                "--nocapture",
            ])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://localhost:{}", address.port()))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_CERTIFICATE", &authority.path)
            .env(PROVIDER, provider.base_url());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{protocol}: {output:?}");
    }
    let events = serve.events();
    assert_eq!(events.len(), 2, "{events:#?}");
    assert!(events.iter().all(|event| event.cost_state == "priced"));
    collector.stop();
}

#[tokio::test]
#[ignore = "another test runs this one in a process of its own"]
async fn a_service_with_the_variables_of_opentelemetry() {
    let recorder = Recorder::try_new(ExporterConfig::from_env()).unwrap();
    call(&env::var(PROVIDER).unwrap(), &recorder, &env::var("OTEL_EXPORTER_OTLP_PROTOCOL").unwrap()).await;
    recorder.flush(TIMEOUT).await.unwrap();
    assert_eq!(recorder.stats().acknowledged, 1);
}

/// Scenario: the receiver has a certificate of an authority that the service does not trust, until it is given another.
/// Guarantees: the error of a flush says why; the records are kept, sent again and recorded once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_trusted_is_told_and_loses_nothing() {
    let Some(otelcol) = peer("bin/otelcol") else { return };
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("l.db"), &[]);
    let [trusted, other] = ["trusted", "other"].map(|name| Authority::new(folder.path(), name));
    let addresses = (free_address(), free_address());
    let provider = Provider::builder().seed(5).start().await.unwrap();
    let wrong = collector(&otelcol, folder.path(), &other, serve.grpc, addresses);
    let mut recorders = Vec::new();
    for (protocol, address) in [(Protocol::Grpc, wrong.grpc), (Protocol::HttpProtobuf, wrong.http)] {
        let url = format!("https://localhost:{}", address.port());
        let mut config = ExporterConfig::to(&url).protocol(protocol).backoff_max(Duration::from_secs(1));
        if protocol == Protocol::Grpc {
            config.url = Some(url);
        }
        config.certificates.authority = Some(trusted.path.clone());
        let recorder = Recorder::try_new(config).unwrap();
        call(&provider.base_url(), &recorder, &format!("{protocol:?}")).await;
        let error = recorder.flush(Duration::from_secs(2)).await.unwrap_err();
        assert_eq!((error.pending, error.lost), (1, 0), "{error}");
        let reason = error.last_error.clone().unwrap_or_default();
        assert!(reason.contains("certificate"), "{protocol:?}: {error}");
        recorders.push(recorder);
    }
    assert_eq!(serve.events().len(), 0);
    wrong.stop();
    let right = collector(&otelcol, folder.path(), &trusted, serve.grpc, addresses);
    for recorder in recorders {
        recorder.flush(TIMEOUT).await.unwrap();
        assert_eq!((recorder.stats().acknowledged, recorder.stats().lost), (1, 0));
    }
    assert_eq!(serve.events().len(), 2);
    right.stop();
}
