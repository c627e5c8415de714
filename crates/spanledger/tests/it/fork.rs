//! Services that fork: a server with several processes, and a daemon.

use std::{
    collections::BTreeSet,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{self, Command},
    thread,
    time::Duration,
};

use async_openai::config::OpenAIConfig;
use fork::Fork;
use spanledger::{Attributed, ExporterConfig, RealtimeSession, Recorder};
use spanledger_testkit::world::{World, attribution, chat_request};
use tokio::runtime::{Builder, Runtime};

const TIMEOUT: Duration = Duration::from_secs(20);
const PROVIDER: &str = "TEST_PROVIDER";
const RECEIVER: &str = "TEST_RECEIVER";

/// Runs a test of this file in a process of its own, and checks that the ledger has exactly the calls of these
/// features, each once.
async fn check(test: &str, expected: BTreeSet<String>) {
    let world = World::start().await;
    let mut command = Command::new(env::current_exe().unwrap());
    let name = format!("fork::{test}");
    command.args(["--exact", name.as_str(), "--ignored", "--nocapture"]);
    command.env(PROVIDER, world.provider.base_url()).env(RECEIVER, world.receiver.http_url());
    // It ends when all processes that have its standard output have ended.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let events = world.receiver.events();
    let features: BTreeSet<_> = events.iter().filter_map(|event| event.feature.clone()).collect();
    assert_eq!(features, expected, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(events.len(), expected.len());
    assert!(events.iter().all(|event| event.cost_state == "priced"));
}

fn features(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name} {n}")).collect()
}

/// A recorder that sends only full batches, until a flush. Its exporter is awake from the first record on.
fn recorder() -> Recorder {
    let config = ExporterConfig::to(&env::var(RECEIVER).unwrap()).service_name("api");
    Recorder::try_new(config.linger(Duration::from_secs(60 * 60))).unwrap()
}

/// Makes calls, in a task of the runtime or on this thread.
fn calls(runtime: &Runtime, is_task: bool, recorder: &Recorder, name: &str, count: usize) {
    let config = OpenAIConfig::new().with_api_base(env::var(PROVIDER).unwrap()).with_api_key("k");
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = spanledger::instrument(config)
        .http_client(http_client)
        .provider("openai")
        .recorder(recorder.clone())
        .build();
    let features = features(name, count);
    let calls = async move {
        for feature in features {
            client.chat().attributed(&attribution(&feature)).create(chat_request("hello")).await.unwrap();
        }
    };
    if is_task {
        runtime.block_on(runtime.spawn(calls)).unwrap();
    } else {
        runtime.block_on(calls);
    }
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a process of a fork to its end.
fn run(process: impl FnOnce()) -> ! {
    process::exit(i32::from(catch_unwind(AssertUnwindSafe(process)).is_err()))
}

/// Scenario: a server makes calls and forks while its exporter is busy. All processes make calls.
#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_a_server_and_of_its_forks_is_recorded_once() {
    let mut expected: BTreeSet<_> = features("before", 3).into_iter().chain(features("after", 20)).collect();
    (0..2).for_each(|n| expected.extend(features(&format!("fork {n}"), 100)));
    check("a_server_that_forks", expected).await;
}

#[test]
#[ignore = "another test runs this one in a process of its own"]
fn a_server_that_forks() {
    let recorder = recorder();
    calls(&one_thread(), false, &recorder, "before", 3);
    let fork = |n: usize| match fork::fork().unwrap() {
        Fork::Parent(id) => id,
        Fork::Child => run(|| {
            let is_task = n == 1;
            let runtime = if is_task {
                Builder::new_multi_thread().enable_all().build().unwrap()
            } else {
                one_thread()
            };
            calls(&runtime, is_task, &recorder, &format!("fork {n}"), 100);
            recorder.flush_blocking(TIMEOUT).unwrap();
        }),
    };
    let forks = [fork(0), fork(1)];
    calls(&one_thread(), false, &recorder, "after", 20);
    for id in forks {
        assert_eq!(fork::waitpid(id).unwrap(), 0);
    }
    recorder.flush_blocking(TIMEOUT).unwrap();
}

/// Scenario: a server starts its exporter and forks at once, while another thread still reads the price book.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_can_fork_as_soon_as_it_has_a_recorder() {
    check("a_server_that_forks_early", (0..10).flat_map(|n| features(&format!("fork {n}"), 2)).collect())
        .await;
}

#[test]
#[ignore = "another test runs this one in a process of its own"]
fn a_server_that_forks_early() {
    let recorder = recorder();
    let fork = |n: usize| match fork::fork().unwrap() {
        Fork::Parent(id) => {
            thread::sleep(Duration::from_millis(1));
            id
        }
        Fork::Child => run(|| {
            calls(&one_thread(), false, &recorder, &format!("fork {n}"), 2);
            recorder.flush_blocking(TIMEOUT).unwrap();
        }),
    };
    let forks: Vec<_> = (0..10).map(fork).collect();
    for id in forks {
        assert_eq!(fork::waitpid(id).unwrap(), 0);
    }
}

/// Scenario: a service makes calls, flushes, and becomes a daemon. The process that made the calls is gone by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_records_its_calls() {
    check(
        "a_service_that_becomes_a_daemon",
        features("before", 3).into_iter().chain(features("daemon", 100)).collect(),
    )
    .await;
}

#[test]
#[ignore = "another test runs this one in a process of its own"]
fn a_service_that_becomes_a_daemon() {
    let recorder = recorder();
    calls(&one_thread(), false, &recorder, "before", 3);
    recorder.flush_blocking(TIMEOUT).unwrap();
    assert!(fork::daemon(true, true).unwrap() == Fork::Child);
    run(|| {
        calls(&one_thread(), false, &recorder, "daemon", 100);
        recorder.flush_blocking(TIMEOUT).unwrap();
    });
}

/// Records responses of realtime sessions, outside of a runtime.
fn sessions(recorder: &Recorder, name: &str, count: usize) {
    for feature in features(name, count) {
        let session =
            RealtimeSession::new("https://api.openai.com/v1", "gpt-realtime", &attribution(&feature));
        let usage = r#"{"total_tokens":30,"input_tokens":20,"output_tokens":10,
            "input_token_details":{"text_tokens":20,"audio_tokens":0,"cached_tokens":0},
            "output_token_details":{"text_tokens":10,"audio_tokens":0}}"#;
        let response = format!(r#"{{"id":"{feature}","status":"completed","usage":{usage}}}"#);
        let event = format!(r#"{{"type":"response.done","response":{response}}}"#);
        assert!(session.unwrap().recorder(recorder.clone()).record(&event));
    }
}

/// Scenario: a process without a runtime forks twice: while its exporter lets records gather, and while it sleeps.
/// Guarantees: each fork has one exporter, which knows of all its records.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_a_runtime_can_fork() {
    let mut expected: BTreeSet<_> = features("before", 2).into_iter().chain(features("after", 2)).collect();
    (0..2).for_each(|n| expected.extend(features(&format!("fork {n}"), 100)));
    check("a_process_that_forks_without_a_runtime", expected).await;
}

#[test]
#[ignore = "another test runs this one in a process of its own"]
fn a_process_that_forks_without_a_runtime() {
    let recorder = recorder();
    sessions(&recorder, "before", 2);
    let fork = |n: usize| match fork::fork().unwrap() {
        Fork::Parent(id) => id,
        Fork::Child => run(|| {
            sessions(&recorder, &format!("fork {n}"), 100);
            assert_eq!(recorder.stats().recorded, 100);
            recorder.flush_blocking(TIMEOUT).unwrap();
        }),
    };
    let gathering = fork(0);
    recorder.flush_blocking(TIMEOUT).unwrap();
    // The exporter falls asleep.
    thread::sleep(Duration::from_millis(100));
    let asleep = fork(1);
    sessions(&recorder, "after", 2);
    for id in [gathering, asleep] {
        assert_eq!(fork::waitpid(id).unwrap(), 0);
    }
    recorder.flush_blocking(TIMEOUT).unwrap();
}
