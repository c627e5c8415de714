//! The exporter against the real receiver, at the edges of a process: without a runtime, after it, and in a process
//! with a proxy.

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    pin::pin,
    process::Command,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use futures_util::StreamExt as _;
use spanledger::{Attributed, Compression, ExporterConfig, Recorder};
use spanledger_testkit::{
    Reply, Usage,
    world::{TestReceiver, World, attribution, chat_request},
};
use tokio::runtime::{Builder, Runtime};

const TIMEOUT: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn call(world: &World, recorder: &Recorder, feature: &str) {
    let client = spanledger::instrument(world.config()).provider("openai").recorder(recorder.clone()).build();
    client.chat().attributed(&attribution(feature)).create(chat_request("hello")).await.unwrap();
}

/// Polls a future without any runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_flush_needs_no_runtime() {
    let receivers = runtime();
    let world = receivers.block_on(World::start());
    runtime().block_on(call(&world, &world.recorder, "blocking"));
    world.recorder.flush_blocking(TIMEOUT).unwrap();
    runtime().block_on(call(&world, &world.recorder, "without a runtime"));
    block_on(world.recorder.flush(TIMEOUT)).unwrap();
    runtime().block_on(call(&world, &world.recorder, "signal thread"));
    let recorder = world.recorder.clone();
    thread::spawn(move || recorder.flush_blocking(TIMEOUT)).join().unwrap().unwrap();
    assert_eq!(world.receiver.events().len(), 3);
}

#[test]
fn a_blocking_flush_works_inside_a_runtime_of_one_thread() {
    let receivers = runtime();
    let world = receivers.block_on(World::start());
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        call(&world, &world.recorder, "search").await;
        world.recorder.flush_blocking(TIMEOUT).unwrap();
    });
    assert_eq!(world.receiver.events().len(), 1);
}

/// Scenario: the runtime of the service is shut down while streams are open.
#[test]
fn streams_that_a_runtime_drops_at_its_end_are_recorded() {
    let receivers = runtime();
    let world = receivers.block_on(World::start());
    let service = runtime();
    service.block_on(async {
        for _ in 0..10 {
            world.provider.push(Reply::new().chunks(1_000).chunk_delay(Duration::from_millis(50)));
            let client = world.client();
            let group = client.chat();
            let mut stream =
                group.attributed(&attribution("digest")).create_stream(chat_request("hello")).await.unwrap();
            stream.next().await.unwrap().unwrap();
            tokio::spawn(async move { while stream.next().await.is_some() {} });
        }
    });
    drop(service);
    world.recorder.flush_blocking(TIMEOUT).unwrap();
    let events = world.receiver.events();
    assert_eq!(events.len(), 10);
    assert!(events.iter().all(|event| event.error_code.as_deref() == Some("cancelled")));
}

#[tokio::test]
async fn a_flush_of_the_process_covers_every_recorder() {
    let world = World::start().await;
    let slow = ExporterConfig::to(&world.receiver.http_url()).linger(Duration::from_hours(1));
    let others = [Recorder::new(slow.clone()), Recorder::new(slow)];
    for recorder in &others {
        call(&world, recorder, "search").await;
    }
    // Another test may have a recorder whose receiver is gone; this flush may report that.
    drop(spanledger::flush(TIMEOUT).await);
    assert_eq!(world.receiver.events().len(), 2);
    assert!(others.iter().all(|recorder| recorder.stats().acknowledged == 1));
}

#[tokio::test]
async fn a_flush_does_not_wait_for_calls_that_go_on() {
    let world = World::start().await;
    call(&world, &world.recorder, "search").await;
    world.provider.push(Reply::hang());
    let (client, attribution) = (world.client(), attribution("slow"));
    let group = client.chat().attributed(&attribution);
    let mut hanging = pin!(group.create(chat_request("hello")));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut hanging).await.is_err());
    world.recorder.flush(TIMEOUT).await.unwrap();
    assert_eq!(world.receiver.events().len(), 1);
}

#[tokio::test]
async fn compressed_records_arrive() {
    let world = World::start().await;
    let config = ExporterConfig::to(&world.receiver.http_url()).compression(Compression::Gzip);
    let recorder = Recorder::try_new(config).unwrap();
    call(&world, &recorder, "search").await;
    recorder.flush(TIMEOUT).await.unwrap();
    assert_eq!(world.receiver.events().len(), 1);
}

/// Guarantees: calls whose records had no room are in the ledger as one event, with their number and what they cost.
#[tokio::test]
async fn lost_records_are_an_event_of_the_ledger() {
    let world = World::start().await;
    let config = ExporterConfig::to(&world.receiver.http_url()).service_name("api").queue_max(2);
    let recorder = Recorder::new(config.linger(Duration::from_hours(1)));
    for n in 0..5 {
        world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
        call(&world, &recorder, &format!("f{n}")).await;
    }
    let error = recorder.flush(TIMEOUT).await.unwrap_err();
    assert_eq!((error.pending, error.lost), (0, 3), "{error}");
    let mut events = world.receiver.events();
    events.retain(|event| event.error_code.is_some());
    let [lost] = events.as_slice() else { panic!("{events:#?}") };
    assert_eq!((lost.error_code.as_deref(), lost.cost_state.as_str()), (Some("records_lost"), "unpriced"));
    // Three calls with 1,000 input and 100 output tokens.
    assert_eq!(lost.emitter_cost_usd.unwrap().to_string(), "0.024");
    assert_eq!(lost.service_name.as_deref(), Some("api"));
    assert_eq!(lost.dims.get("lost_calls").map(String::as_str), Some("3"));
    assert_eq!(world.receiver.counters().records_lost(), 3);
}

#[cfg(feature = "grpc")]
#[tokio::test]
async fn records_arrive_over_grpc() {
    let world = World::start().await;
    let endpoint = format!("http://{}", world.receiver.grpc_addr());
    for compression in [Compression::None, Compression::Gzip] {
        let config = ExporterConfig::to(&endpoint).protocol(spanledger::Protocol::Grpc);
        let mut config = config.compression(compression);
        config.url = Some(endpoint.clone());
        let recorder = Recorder::try_new(config).unwrap();
        call(&world, &recorder, "search").await;
        recorder.flush(TIMEOUT).await.unwrap();
        assert_eq!(recorder.stats().acknowledged, 1);
    }
    assert_eq!(world.receiver.events().len(), 2);
}

/// Scenario: the service has a proxy for its calls to the outside, and a receiver on its own machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_is_not_asked_for_a_receiver_on_this_machine() {
    let receiver = TestReceiver::start().await;
    // A proxy that accepts connections and never answers.
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "export::of_a_process_with_a_proxy", "--ignored"])
        .env("HTTP_PROXY", format!("http://{}", proxy.local_addr().unwrap()))
        .env("http_proxy", format!("http://{}", proxy.local_addr().unwrap()))
        .env("SPANLEDGER_ENDPOINT", receiver.http_url())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(receiver.events().len(), 1);
}

#[test]
#[ignore = "another test runs this one in a process of its own"]
fn of_a_process_with_a_proxy() {
    let runtime = runtime();
    let guard = spanledger::init(ExporterConfig::from_env()).unwrap();
    runtime.block_on(async {
        let provider = spanledger_testkit::Provider::builder().seed(1).start().await.unwrap();
        let config = async_openai::config::OpenAIConfig::new().with_api_base(provider.base_url());
        let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
        let client = spanledger::instrument(config.with_api_key("k")).http_client(http_client).build();
        client.chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    });
    assert!(matches!(
        spanledger::init(ExporterConfig::from_env()),
        Err(spanledger::InitError::AlreadyInitialized)
    ));
    drop(runtime);
    guard.with_timeout(TIMEOUT).flush().unwrap();
}
