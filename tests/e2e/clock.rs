//! A service whose clock is set back while it runs.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use async_openai::config::OpenAIConfig;
use futures_util::StreamExt as _;
use spanledger::{Attributed as _, ExporterConfig, Recorder};
use spanledger_testkit::{
    Provider, Reply,
    world::{attribution, chat_request},
};

use crate::{
    collector::free_address,
    support::{Serve, TIMEOUT, peer},
};

const PROVIDER: &str = "TEST_PROVIDER";
const RECEIVER: &str = "TEST_RECEIVER";
const SPOOL: &str = "TEST_SPOOL";
/// The file in which the library that replaces the clock finds how far it is wrong.
const CLOCK: &str = "FAKETIME_TIMESTAMP_FILE";

/// Scenario: while a stream is open and the receiver is down, the clock of the service's machine is set back by a day.
/// Guarantees: each call is recorded once, none ends before it began, and the flush ends as soon as the receiver is
/// there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_loses_nothing() {
    let Some(library) = peer("faketime/libfaketime.so.1") else { return };
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    fs::write(&clock, "+0").unwrap();
    let provider = Provider::builder().seed(9).start().await.unwrap();
    provider.push(Reply::new());
    provider.push(Reply::new().chunks(5).chunk_delay(Duration::from_millis(20)));
    let http = free_address().to_string();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "clock::a_service_whose_clock_is_set_back", "--ignored", "--nocapture"])
        .env("LD_PRELOAD", library)
        // The clock that only counts on is not a matter of the date.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_NO_CACHE", "1")
        .env(CLOCK, clock)
        .env(PROVIDER, provider.base_url())
        .env(RECEIVER, format!("http://{http}"))
        .env(SPOOL, folder.path().join("spool"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("the clock is set back")), "the service has failed");
    let serve = Serve::start(&folder.path().join("l.db"), &["--http-addr", &http]);
    let reader = thread::spawn(move || lines.collect::<Vec<_>>());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(status.success(), "{:?}", reader.join().unwrap());

    let events = serve.events();
    let mut features: Vec<_> = events.iter().filter_map(|event| event.feature.as_deref()).collect();
    features.sort_unstable();
    assert_eq!(features, ["after", "before", "while"]);
    for event in &events {
        let latency = event.latency_ms.unwrap();
        assert!((0..60_000).contains(&latency) && event.cost_state == "priced", "{event:#?}");
    }
}

#[tokio::test]
#[ignore = "another test runs this one in a process of its own"]
async fn a_service_whose_clock_is_set_back() {
    let config = ExporterConfig::to(&env::var(RECEIVER).unwrap()).spool(env::var_os(SPOOL).unwrap().into());
    let recorder = Recorder::try_new(config.intents(true)).unwrap();
    let provider = OpenAIConfig::new().with_api_base(env::var(PROVIDER).unwrap()).with_api_key("k");
    let client = spanledger::instrument(provider).provider("openai").recorder(recorder.clone()).build();
    let call = async |feature: &str| {
        client.chat().attributed(&attribution(feature)).create(chat_request("hello")).await.unwrap();
    };
    call("before").await;
    drop(recorder.flush(Duration::from_millis(100)).await);
    {
        let attribution = attribution("while");
        let group = client.chat();
        let mut stream = group.attributed(&attribution).create_stream(chat_request("hello")).await.unwrap();
        stream.next().await.unwrap().unwrap();
        let before = SystemTime::now();
        fs::write(env::var(CLOCK).unwrap(), "-1d").unwrap();
        assert!(SystemTime::now() < before, "the clock of this process was not set back");
        while let Some(chunk) = stream.next().await {
            chunk.unwrap();
        }
    }
    call("after").await;
    let error = recorder.flush(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!((error.pending, error.lost), (3, 0), "{error}");
    writeln!(std::io::stdout(), "the clock is set back").unwrap();
    recorder.flush(TIMEOUT).await.unwrap();
}
