//! Receivers, networks and limits at which a request hangs or fails: the exporter tries again, and loses nothing.

use std::{
    env,
    fs::File,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use async_openai::config::OpenAIConfig;
use spanledger::{Attributed, ExporterConfig, Recorder};
use spanledger_testkit::world::{World, attribution, chat_request};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A proxy in front of a receiver. Of the answers on its first connections it passes so many bytes and then nothing
/// more, and it does not close them.
struct Proxy {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(receiver: SocketAddr, silent: usize, bytes: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let passes = if count.fetch_add(1, Ordering::AcqRel) < silent { bytes } else { usize::MAX };
                let Ok(server) = TcpStream::connect(receiver) else { return };
                let (from_client, to_client) = (client.try_clone().unwrap(), client);
                let (from_server, to_server) = (server.try_clone().unwrap(), server);
                thread::spawn(move || pass(from_client, to_server, usize::MAX));
                thread::spawn(move || pass(from_server, to_client, passes));
            }
        });
        Self { address, connections }
    }
}

/// Passes so many bytes, and keeps the connection open until the other side has closed it.
fn pass(mut from: TcpStream, mut to: TcpStream, bytes: usize) {
    let (mut left, mut buffer) = (bytes, vec![0; 16 * 1_024]);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let passed = read.min(left);
        left -= passed;
        if to.write_all(&buffer[..passed]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}

async fn call(world: &World, recorder: &Recorder, feature: &str) {
    let client = spanledger::instrument(world.config()).provider("openai").recorder(recorder.clone()).build();
    client.chat().attributed(&attribution(feature)).create(chat_request("hello")).await.unwrap();
}

fn config(endpoint: &str) -> ExporterConfig {
    let config = ExporterConfig::to(endpoint).service_name("api").linger(Duration::ZERO);
    config.timeout(Duration::from_millis(150)).backoff(Duration::from_millis(1))
}

/// Sends a record by way of a connection that stops in the middle of an answer, at each of these places.
async fn check_silence(
    of: impl Fn(ExporterConfig, SocketAddr) -> ExporterConfig,
    receiver: fn(&World) -> SocketAddr,
) {
    let world = World::start().await;
    let places = [0, 1, 30, 60, 90, 120, 150];
    for bytes in places {
        let proxy = Proxy::start(receiver(&world), 1, bytes);
        let recorder = Recorder::try_new(of(config("http://localhost"), proxy.address)).unwrap();
        call(&world, &recorder, &format!("after {bytes} bytes")).await;
        recorder.flush(TIMEOUT).await.unwrap();
        assert_eq!((recorder.stats().acknowledged, recorder.stats().lost), (1, 0), "after {bytes} bytes");
        assert!(bytes > 100 || proxy.connections.load(Ordering::Acquire) > 1, "after {bytes} bytes");
    }
    // Whether or not the receiver had it already, each record is in the ledger once.
    assert_eq!(world.receiver.events().len(), places.len());
}

/// Scenario: the receiver, or the network before it, goes silent: before its answer, or within it as a server that
/// sends a byte a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_over_http_loses_nothing() {
    let endpoint =
        |config: ExporterConfig, address: SocketAddr| config.endpoint(&format!("http://{address}"));
    check_silence(endpoint, |world| world.receiver.http_addr()).await;
}

/// As over HTTP. The connection carries all requests, so that it has to be replaced.
#[cfg(feature = "grpc")]
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_over_grpc_loses_nothing() {
    let endpoint = |config: ExporterConfig, address: SocketAddr| {
        let mut config = config.protocol(spanledger::Protocol::Grpc);
        config.url = Some(format!("http://{address}"));
        config
    };
    check_silence(endpoint, |world| world.receiver.grpc_addr()).await;
}

/// Guarantees: while a receiver never answers, calls succeed and a flush returns with what is pending.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_holds_up_neither_calls_nor_a_flush() {
    let world = World::start().await;
    let proxy = Proxy::start(world.receiver.http_addr(), 3, 0);
    // Each of the first three attempts takes as long as the test wants.
    let config = config(&format!("http://{}", proxy.address)).timeout(Duration::from_hours(1));
    let recorder = Recorder::try_new(config).unwrap();
    for n in 0..20 {
        call(&world, &recorder, &format!("f{n}")).await;
    }
    let error = recorder.flush(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!((error.pending, error.lost), (20, 0), "{error}");
    let error = recorder.flush_blocking(Duration::from_millis(100)).unwrap_err();
    assert_eq!((error.pending, error.lost), (20, 0), "{error}");
}

/// Scenario: the process has no file left when the exporter wants to connect.
/// Guarantees: the flush says why, and the records are sent when there are files again.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_files_loses_nothing() {
    let world = World::start().await;
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -n 128; exec \"$0\" \"$@\""]).arg(env::current_exe().unwrap());
    command.args(["--exact", "receivers::of_a_process_without_files", "--ignored", "--nocapture"]);
    command.env("TEST_PROVIDER", world.provider.base_url()).env("TEST_RECEIVER", world.receiver.http_url());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.receiver.events().len(), 10);
}

#[tokio::test]
#[ignore = "another test runs this one in a process of its own"]
async fn of_a_process_without_files() {
    // Nothing is sent before the flush, so that the exporter has no connection yet.
    let config = ExporterConfig::to(&env::var("TEST_RECEIVER").unwrap()).linger(Duration::from_hours(1));
    let recorder = Recorder::try_new(config).unwrap();
    let provider = OpenAIConfig::new().with_api_base(env::var("TEST_PROVIDER").unwrap()).with_api_key("k");
    let client = spanledger::instrument(provider).provider("openai").recorder(recorder.clone()).build();
    for n in 0..10 {
        let attribution = attribution(&format!("f{n}"));
        client.chat().attributed(&attribution).create(chat_request("hello")).await.unwrap();
    }
    let taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // A slow machine may need more than one flush until the first attempt has failed.
    let mut error = recorder.flush(Duration::from_millis(300)).await.unwrap_err();
    for _ in 0..20 {
        if error.last_error.is_some() {
            break;
        }
        error = recorder.flush(Duration::from_millis(300)).await.unwrap_err();
    }
    let reason = error.last_error.clone().unwrap_or_default();
    assert!((error.pending, error.lost) == (10, 0) && reason.contains("open files"), "{error}");
    drop(taken);
    recorder.flush(TIMEOUT).await.unwrap();
}
