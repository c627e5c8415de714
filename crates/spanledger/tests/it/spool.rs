//! Records on disk, with processes that end without a chance to flush.

use std::{
    env,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use async_openai::config::OpenAIConfig;
use futures_util::FutureExt as _;
use spanledger::{Attributed, Attribution, ExporterConfig, Recorder};
use spanledger_testkit::{
    Reply,
    world::{World, attribution, chat_request},
};

const TIMEOUT: Duration = Duration::from_secs(20);
/// An address at which nothing listens.
const NO_RECEIVER: &str = "http://127.0.0.1:1";
const FOLDER: &str = "TEST_FOLDER";
const PROVIDER: &str = "TEST_PROVIDER";

fn config(endpoint: &str, folder: &Path) -> ExporterConfig {
    ExporterConfig::to(endpoint).service_name("api").linger(Duration::from_millis(5)).spool(folder.to_owned())
}

/// Runs a test of this file in a process of its own.
fn child(test: &str, folder: &Path, provider: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    let name = format!("spool::{test}");
    command.args(["--exact", name.as_str(), "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).env(PROVIDER, provider);
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap()
}

async fn call_from_child(recorder: &Recorder, feature: &str) {
    call_with(recorder, &attribution(feature)).await;
}

async fn call_with(recorder: &Recorder, attribution: &Attribution) {
    let config = OpenAIConfig::new().with_api_base(variable(PROVIDER)).with_api_key("k");
    let client =
        spanledger::instrument(config).provider("openai").recorder(recorder.clone()).max_retries(0).build();
    client.chat().attributed(attribution).create(chat_request("hello")).await.unwrap();
}

/// Scenario: the receiver is down, and the service dies without a flush. It starts again when the receiver is back.
#[tokio::test(flavor = "multi_thread")]
async fn records_survive_the_death_of_the_process() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output =
            output(child("a_process_that_dies_after_calls", folder.path(), &world.provider.base_url())).await;
        assert!(!output.status.success(), "the process aborts");
    }
    let recorder = Recorder::try_new(config(&world.receiver.http_url(), folder.path())).unwrap();
    recorder.flush(TIMEOUT).await.unwrap();
    let events = world.receiver.events();
    assert_eq!(events.len(), 10);
    assert!(events.iter().all(|event| event.cost_state == "priced" && event.error_code.is_none()));
    drop(recorder);

    // Nothing is left, and nothing is sent twice.
    let recorder = Recorder::try_new(config(&world.receiver.http_url(), folder.path())).unwrap();
    recorder.flush(TIMEOUT).await.unwrap();
    assert_eq!(world.receiver.counters().records(), 10);
}

#[tokio::test]
#[ignore = "another test runs this one in a process of its own"]
async fn a_process_that_dies_after_calls() {
    let folder = variable(FOLDER);
    let recorder = Recorder::try_new(config(NO_RECEIVER, Path::new(&folder))).unwrap();
    for n in 0..5 {
        call_from_child(&recorder, &format!("f{n}")).await;
    }
    // This waits until the disk has them, and no longer.
    let error = recorder.flush(Duration::from_millis(100)).await.unwrap_err();
    assert!(error.pending >= 5 && error.lost == 0, "{error}");
    std::process::abort();
}

/// Scenario: the service dies while it waits for an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_in_flight_when_the_process_died_is_known() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    world.provider.push(Reply::new());
    world.provider.push(Reply::hang());
    let output =
        output(child("a_process_that_dies_in_a_call", folder.path(), &world.provider.base_url())).await;
    assert!(!output.status.success(), "the process aborts");
    assert_eq!(world.provider.requests().len(), 2, "{}", String::from_utf8_lossy(&output.stdout));

    let recorder = Recorder::try_new(config(&world.receiver.http_url(), folder.path())).unwrap();
    recorder.flush(TIMEOUT).await.unwrap();
    let mut events = world.receiver.events();
    events.sort_by_key(|event| event.feature.clone());
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.feature.as_deref().unwrap(), e.error_code.as_deref(), e.cost_state.as_str()))
        .collect();
    assert_eq!(told, [("ended", None, "priced"), ("in flight", Some("process_died"), "unpriced")]);
    assert_eq!(events[1].customer_id.as_deref(), Some("acme"));
    assert_eq!(events[1].model.as_deref(), Some("gpt-5.5"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "another test runs this one in a process of its own"]
async fn a_process_that_dies_in_a_call() {
    let folder = variable(FOLDER);
    let recorder = Recorder::try_new(config(NO_RECEIVER, Path::new(&folder)).intents(true)).unwrap();
    call_from_child(&recorder, "ended").await;
    drop(recorder.flush(Duration::from_millis(100)).await);
    tokio::spawn(async move {
        // The provider has the request by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::process::abort();
    });
    call_from_child(&recorder, "in flight").await;
}

/// Scenario: the caller gives up while its call waits for the disk.
/// Guarantees: the call is a free failure, now and after the next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_before_it_is_sent_is_free() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    for is_first in [true, false] {
        let config = config(&world.receiver.http_url(), folder.path()).intents(true);
        let recorder = Recorder::try_new(config).unwrap();
        if is_first {
            let client =
                spanledger::instrument(world.config()).provider("openai").recorder(recorder.clone()).build();
            let attribution = attribution("given up");
            let group = client.chat().attributed(&attribution);
            let mut call = Box::pin(group.create(chat_request("hello")));
            assert!(call.as_mut().now_or_never().is_none(), "it waits for the disk");
            drop(call);
        }
        recorder.flush(TIMEOUT).await.unwrap();
        assert_eq!(world.receiver.counters().records(), 1, "also after the second start");
    }
    assert_eq!(world.provider.requests().len(), 0);
    let [event] = <[_; 1]>::try_from(world.receiver.events()).unwrap();
    assert_eq!(event.error_code.as_deref(), Some("cancelled"));
    assert_eq!(event.cost_usd.unwrap().to_string(), "0");
}

/// Scenario: the disk has no room for the spool.
///
/// Guarantees: the calls succeed, their records are sent from memory, and the log says that the disk failed.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_hurts_no_call() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    // Files of this process may have 1.2 MiB. The signal that would end it is ignored, so that writing fails.
    let test = child("a_process_with_a_full_disk", folder.path(), &world.provider.base_url());
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1200; exec \"$0\" \"$@\""]).arg(test.get_program());
    command.args(test.get_args()).envs(test.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("SPANLEDGER_ENDPOINT", world.receiver.http_url());
    let output = output(command).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("spanledger.spool.failed") && told.contains("kept in memory"), "{told}");
    assert_eq!(world.receiver.events().len(), 300);
}

#[tokio::test]
#[ignore = "another test runs this one in a process of its own"]
async fn a_process_with_a_full_disk() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).init();
    let folder = variable(FOLDER);
    let config = config(&variable("SPANLEDGER_ENDPOINT"), Path::new(&folder));
    // Nothing is sent before the flush, so that the file grows.
    let recorder = Recorder::try_new(config.linger(Duration::from_hours(1)).intents(true)).unwrap();
    let long = "x".repeat(200);
    let attribution = Attribution::builder().feature("f").route("/r").customer_id("acme").environment("test");
    let attribution =
        (0..30).fold(attribution, |built, n| built.dim(format!("dim{n}"), long.as_str())).build().unwrap();
    for _ in 0..300 {
        call_with(&recorder, &attribution).await;
    }
    recorder.flush(TIMEOUT).await.unwrap();
}

/// Scenario: the folder of the spool cannot be used when the service starts.
/// Guarantees: `try_new` says so. With `new`, as for the recorder of the process, the calls are recorded from memory.
#[tokio::test]
async fn a_disk_that_cannot_be_used_at_the_start_loses_no_record() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::write(&spool, "not a folder").unwrap();
    let config = config(&world.receiver.http_url(), &spool).intents(true);
    let error = Recorder::try_new(config.clone()).unwrap_err();
    assert!(error.to_string().contains(&spool.display().to_string()), "{error}");
    let recorder = Recorder::new(config);
    let client = spanledger::instrument(world.config()).provider("openai").recorder(recorder.clone()).build();
    client.chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    recorder.flush(TIMEOUT).await.unwrap();
    assert_eq!((world.receiver.events().len(), recorder.stats().lost), (1, 0));
}
