//! The sink with servers of the three interfaces: moto, Azurite, and a server of our own for Google.

use std::{collections::BTreeMap, path::Path, process::Command, sync::Arc};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use futures_util::TryStreamExt as _;
use object_store::{
    ObjectStore, ObjectStoreExt as _, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder,
};
use spanledger_event::{CostEvent, Usd};

use super::{
    ParquetConfig, deliver, opening,
    peers::{Proxy, Server, free_port, lake, peer},
    readers::twelve_places,
    rounded,
};
use crate::{
    BoxSink, Fault, SinkConfig as _,
    conformance::{self, Harness},
    encode::arrow::tests::event_of_row,
};

/// A folder of a server, with a proxy in front of it.
struct Store {
    server: Server,
    proxy: Proxy,
    location: String,
    options: BTreeMap<String, String>,
    /// A client of the server that is not the one of the sink.
    reader: Arc<dyn ObjectStore>,
}

impl Store {
    fn config(&self) -> ParquetConfig {
        self.config_with(&[])
    }

    fn config_with(&self, options: &[(&str, &str)]) -> ParquetConfig {
        let mut all = self.options.clone();
        all.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let options = serde_json::to_value(&all).unwrap();
        let json = serde_json::json!({ "location": self.location, "store": options });
        serde_json::from_value(json).unwrap()
    }

    async fn names(&self) -> Vec<String> {
        let objects: Vec<_> = self.reader.list(None).try_collect().await.unwrap();
        objects.iter().map(|object| object.location.to_string()).collect()
    }

    async fn fault(&self, config: ParquetConfig) -> Fault {
        let mut sink = BoxSink::new(config.build().unwrap());
        match sink.open(&opening()).await {
            Err(fault) => fault,
            Ok(_) => sink.write(&conformance::batch(0, conformance::events(0..2))).await.unwrap_err(),
        }
    }
}

impl Harness for Store {
    fn sink(&self) -> BoxSink {
        BoxSink::new(self.config().build().unwrap())
    }

    async fn stored(&self) -> Vec<CostEvent> {
        let mut events = Vec::new();
        for name in self.names().await {
            let bytes = self.reader.get(&name.into()).await.unwrap().bytes().await.unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            for batch in reader.map(Result::unwrap) {
                events.extend((0..batch.num_rows()).map(|row| event_of_row(&batch, row)));
            }
        }
        events
    }

    fn as_stored(&self, event: CostEvent) -> CostEvent {
        rounded(event)
    }

    async fn set_broken(&self, broken: bool) -> bool {
        self.proxy.set_broken(broken);
        true
    }

    fn poison(&self, event: &mut CostEvent) -> bool {
        event.cost_usd = Some(Usd::from_picos(10_i128.pow(24)));
        true
    }
}

fn options(options: &[(&str, &str)]) -> BTreeMap<String, String> {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn moto(arguments: &[&str], variables: &[(&str, &str)]) -> Option<Server> {
    let port = free_port();
    let mut command = Command::new(peer("venv-lake/bin/moto_server")?);
    command
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .args(arguments)
        .envs(variables.iter().copied());
    Some(Server::start(&mut command, port))
}

fn s3_of(server: Server) -> Store {
    let proxy = Proxy::new(server.port);
    let endpoint = |port: u16| format!("http://127.0.0.1:{port}");
    let reader = AmazonS3Builder::new()
        .with_endpoint(endpoint(server.port))
        .with_allow_http(true)
        .with_bucket_name("lake")
        .with_region("us-east-1")
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .build();
    let options = options(&[
        ("aws_endpoint", &endpoint(proxy.port)),
        ("allow_http", "true"),
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", "secret"),
    ]);
    Store {
        server,
        proxy,
        location: "s3://lake/openai_events".into(),
        options,
        reader: Arc::new(reader.unwrap()),
    }
}

fn s3() -> Option<Store> {
    let server = moto(&[], &[])?;
    let answer = server.request("PUT", "/lake", "", "");
    assert!(answer.contains(" 200 "), "{answer}");
    Some(s3_of(server))
}

/// The part of Google's interface that the sink uses, as Google documents it.
fn google() -> Option<Store> {
    let port = free_port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/gcs_server.py");
    let mut command = Command::new(peer("venv-lake/bin/python")?);
    command.arg(script).args([&port.to_string(), "lake"]);
    let server = Server::start(&mut command, port);
    let proxy = Proxy::new(port);
    let account = serde_json::json!({
        "gcs_base_url": format!("http://127.0.0.1:{}", proxy.port),
        "disable_oauth": true,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    })
    .to_string();
    let reader = GoogleCloudStorageBuilder::new()
        .with_bucket_name("lake")
        .with_service_account_key(&account)
        .with_client_options(object_store::ClientOptions::new().with_allow_http(true))
        .build();
    let options = options(&[("google_service_account_key", &account), ("allow_http", "true")]);
    Some(Store {
        server,
        proxy,
        location: "gs://lake/openai_events".into(),
        options,
        reader: Arc::new(reader.unwrap()),
    })
}

/// The account that Azurite documents.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn azure() -> Option<(Store, tempfile::TempDir)> {
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let mut command = Command::new(peer("azurite/node_modules/.bin/azurite-blob")?);
    command.args(["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--blobHost", "127.0.0.1"]);
    command.args(["--blobPort", &port.to_string(), "--location"]).arg(folder.path());
    let server = Server::start(&mut command, port);
    let endpoint = |port: u16| format!("http://127.0.0.1:{port}/{AZURE_ACCOUNT}");
    let connection = format!(
        "DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};BlobEndpoint={};",
        endpoint(port)
    );
    lake(&["container", &connection, "lake"])?;
    let proxy = Proxy::new(server.port);
    let reader = MicrosoftAzureBuilder::new()
        .with_account(AZURE_ACCOUNT)
        .with_access_key(AZURE_KEY)
        .with_container_name("lake")
        .with_endpoint(endpoint(server.port))
        .with_allow_http(true)
        .build();
    let options = options(&[
        ("azure_storage_account_name", AZURE_ACCOUNT),
        ("azure_storage_account_key", AZURE_KEY),
        ("azure_endpoint", &endpoint(proxy.port)),
        ("allow_http", "true"),
    ]);
    let store = Store {
        server,
        proxy,
        location: "az://lake/openai_events".into(),
        options,
        reader: Arc::new(reader.unwrap()),
    };
    Some((store, folder))
}

#[tokio::test]
async fn the_sink_fulfills_the_contract_with_s3() {
    let Some(store) = s3() else { return };
    conformance::check(&store).await.unwrap();
    let names = store.names().await;
    assert!(names.iter().all(|name| name.starts_with("openai_events/date=2025-")), "{names:?}");
}

#[tokio::test]
async fn the_sink_fulfills_the_contract_with_google_cloud_storage() {
    let Some(store) = google() else { return };
    conformance::check(&store).await.unwrap();
}

#[tokio::test]
async fn the_sink_fulfills_the_contract_with_azure() {
    let Some((store, _folder)) = azure() else { return };
    conformance::check(&store).await.unwrap();
}

/// Scenario: another version of the program made the file of this batch before it was killed. The first file stays.
#[tokio::test]
async fn an_object_that_exists_is_not_replaced() {
    let (azure, google, s3) = (azure(), google(), s3());
    for store in [s3.as_ref(), google.as_ref(), azure.as_ref().map(|(store, _)| store)].into_iter().flatten()
    {
        let first = conformance::batch(0, conformance::events(0..3));
        let mut second = conformance::batch(0, conformance::events(10..13));
        second.id = first.id.clone();
        deliver(store.config(), &first).await;
        deliver(store.config(), &second).await;
        let expected: Vec<CostEvent> = first.events().map(|event| rounded(CostEvent::clone(event))).collect();
        assert_eq!(store.stored().await, expected, "{}", store.location);
    }
}

#[tokio::test]
async fn pyarrow_reads_the_files_from_s3() {
    let Some(store) = s3() else { return };
    let events = conformance::events(0..20);
    deliver(store.config(), &conformance::batch(0, events.clone())).await;
    let endpoint = format!("127.0.0.1:{}", store.server.port);
    let Some(read) = lake(&["read-s3", &endpoint, "lake/openai_events"]) else { return };
    assert_eq!(read["rows"], 20);
    let total: Usd = events.iter().filter_map(|event| event.cost_usd).sum();
    assert_eq!(read["sum"], twelve_places(total));
}

fn assert_blocked(fault: &Fault, location: &str, words: &str) {
    let Fault::Blocked { reason, remedy } = fault else { panic!("{words}: {fault:?}") };
    assert!(reason.contains(location), "{reason}");
    assert!(remedy.contains(words), "{remedy}: {reason}");
    assert!(!reason.contains("secret"), "{reason}");
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_blocks() {
    let (azure, google, s3) = (azure(), google(), s3());
    for store in [s3.as_ref(), google.as_ref(), azure.as_ref().map(|(store, _)| store)].into_iter().flatten()
    {
        let location = store.location.replace("lake", "missing");
        let config = ParquetConfig { location: location.clone(), ..store.config() };
        assert_blocked(&store.fault(config).await, &location, "create");
    }
}

/// moto checks credentials and rights from the first request on if it is asked to.
#[tokio::test]
async fn wrong_credentials_block() {
    let Some(server) = moto(&[], &[("INITIAL_NO_AUTH_ACTION_COUNT", "1")]) else { return };
    let answer = server.request("PUT", "/lake", "", "");
    assert!(answer.contains(" 200 "), "{answer}");
    let store = s3_of(server);
    assert_blocked(&store.fault(store.config()).await, "s3://lake", "correct the credentials");

    let Some((azure, _folder)) = azure() else { return };
    let config = azure.config_with(&[("azure_storage_account_key", "bm90IHRoZSBrZXk=")]);
    assert_blocked(&azure.fault(config).await, "az://lake", "credentials");
}

/// Scenario: the credentials are right, but their user may neither list nor create objects.
#[tokio::test]
async fn a_right_that_is_missing_is_a_remark_when_listing_and_blocks_when_writing() {
    // The bucket, the user and the key are made before moto checks rights.
    let Some(server) = moto(&[], &[("INITIAL_NO_AUTH_ACTION_COUNT", "3")]) else { return };
    assert!(server.request("PUT", "/lake", "", "").contains(" 200 "));
    let Some(user) = lake(&["user", &format!("http://127.0.0.1:{}", server.port)]) else { return };
    let store = s3_of(server);
    let text = |field: &str| user[field].as_str().unwrap().to_owned();
    let config =
        store.config_with(&[("aws_access_key_id", &text("id")), ("aws_secret_access_key", &text("key"))]);
    let mut sink = BoxSink::new(config.build().unwrap());
    let opened = sink.open(&opening()).await.unwrap();
    assert!(opened.remarks[0].contains("cannot be listed"), "{:?}", opened.remarks);
    let fault = sink.write(&conformance::batch(0, conformance::events(0..2))).await.unwrap_err();
    assert_blocked(&fault, "s3://lake", "allow these credentials to create objects");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_blocks_and_so_does_a_server_without_tls() {
    let Some(tls) = moto(&["--ssl"], &[]) else { return };
    let endpoint = format!("https://127.0.0.1:{}", tls.port);
    let store = s3_of(tls);
    let config = store.config_with(&[("aws_endpoint", &endpoint)]);
    assert_blocked(&store.fault(config).await, "s3://lake", "certificate");

    let Some(plain) = s3() else { return };
    let endpoint = format!("https://127.0.0.1:{}", plain.server.port);
    let config = plain.config_with(&[("aws_endpoint", &endpoint)]);
    assert_blocked(&plain.fault(config).await, "s3://lake", "certificate");
}

#[tokio::test]
async fn a_server_that_does_not_run_is_tried_again() {
    let (config, port): (ParquetConfig, u16) = {
        let port = free_port();
        let options = options(&[
            ("aws_endpoint", &format!("http://127.0.0.1:{port}")),
            ("allow_http", "true"),
            ("aws_region", "us-east-1"),
            ("aws_access_key_id", "key"),
            ("aws_secret_access_key", "secret"),
        ]);
        let json = serde_json::json!({ "location": "s3://lake", "store": options });
        (serde_json::from_value(json).unwrap(), port)
    };
    let fault = BoxSink::new(config.build().unwrap()).open(&opening()).await.unwrap_err();
    assert!(matches!(fault, Fault::Retry { .. }), "{port}: {fault:?}");
    assert!(fault.reason().starts_with("s3://lake: "), "{fault}");
}
