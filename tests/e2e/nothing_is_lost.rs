//! A service with a spool and the usual set-up makes many calls, while it and the receiver are killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use async_openai::config::OpenAIConfig;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use spanledger::{Attributed, ExporterConfig};
use spanledger_testkit::{
    Provider, Reply,
    world::{attribution, chat_request},
};
use tracing_subscriber::{EnvFilter, prelude::*};

use crate::support::{Serve, TIMEOUT};

/// How many calls run at the same time.
const PARALLEL: usize = 16;
const PROVIDER: &str = "TEST_PROVIDER";
const CALLS: &str = "TEST_CALLS";

/// Scenario: a service makes calls with parent-based sampling of 1 % and `RUST_LOG=error`. The receiver is killed and
/// started again five times, and the service twice. Each call is made once: those that were in flight when the
/// service was killed are not repeated.
/// Guarantees: the ledger has each call that ended as one event, and each call that the provider received and whose
/// end the service did not see as one event, too.
#[expect(clippy::print_stdout, reason = "a run by hand shows its figures")]
async fn nothing_is_lost(calls: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, spool) = (folder.path().join("spanledger.db"), folder.path().join("spool"));
    // The calls take a while, so that there is time to kill the processes between them.
    let reply = Reply::new().first_byte_delay(Duration::from_millis(20));
    let provider = Provider::builder().seed(3).default_reply(reply).start().await.unwrap();
    let provider_url = provider.base_url();
    let stored =
        tokio::task::spawn_blocking(move || run(calls, &ledger, &spool, &provider_url)).await.unwrap();
    let Outcome { ended, events } = stored;

    let sent: BTreeSet<usize> =
        provider.requests().iter().map(|request| number_of(&request.json().unwrap())).collect();
    assert_eq!(sent.len(), provider.requests().len(), "each call is sent once");
    let mut by_call: BTreeMap<usize, Vec<&spanledger_event::CostEvent>> = BTreeMap::new();
    for event in &events {
        let id = event.request_id.as_deref().unwrap();
        by_call.entry(id.strip_prefix("call-").unwrap().parse().unwrap()).or_default().push(event);
    }
    let repeated: Vec<_> = by_call.iter().filter(|(_, events)| events.len() > 1).collect();
    assert!(repeated.is_empty(), "{repeated:#?}");
    let missing: Vec<_> = ended.iter().chain(&sent).filter(|call| !by_call.contains_key(call)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let died = events.iter().filter(|event| event.error_code.as_deref() == Some("process_died")).count();
    let priced = events.iter().filter(|event| event.cost_state == "priced").count();
    assert_eq!(priced + died, events.len());
    println!("{} calls, {priced} priced, {died} known by their intent", events.len());
    // A call may have ended without its record being on disk. That is only so for the last moment before a kill.
    assert!(died <= 2 * 8 * PARALLEL, "{died} of {calls} calls have no usage");
}

/// The calls that have ended, and the ledger's events.
struct Outcome {
    ended: BTreeSet<usize>,
    events: Vec<spanledger_event::CostEvent>,
}

fn run(calls: usize, ledger: &Path, spool: &Path, provider: &str) -> Outcome {
    let mut serve = Serve::start(ledger, &[]);
    let (grpc, http, admin) = (serve.grpc.to_string(), serve.http.to_string(), serve.admin.to_string());
    let ports = ["--grpc-addr", &grpc, "--http-addr", &http, "--admin-addr", &admin];
    let service = |from: usize| Service::start(from, calls, &serve_url(&http), spool, provider);
    let mut running = service(0);
    let mut ended = BTreeSet::new();
    let (mut receivers, mut services) = (0, 0);
    // The receiver ends after 1/7, 2/7, 3/7, …, the service after 1/3 and 2/3.
    loop {
        let (now_ended, is_over) = running.progress();
        let count = ended.len() + now_ended.len();
        // A service that has just been started is not killed before it has made a call.
        if services < 2 && count * 3 >= calls * (services + 1) && !now_ended.is_empty() {
            services += 1;
            let next = running.kill(&mut ended);
            running = service(next);
        } else if receivers < 5 && count * 7 >= calls * (receivers + 1) {
            receivers += 1;
            serve.kill();
            thread::sleep(Duration::from_millis(300));
            serve = Serve::start(ledger, &ports);
        } else if is_over {
            running.end(&mut ended);
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((receivers, services), (5, 2));
    Outcome { ended, events: serve.events() }
}

fn serve_url(http: &str) -> String {
    format!("http://{http}")
}

fn number_of(request: &serde_json::Value) -> usize {
    request["messages"][0]["content"].as_str().unwrap().strip_prefix("call ").unwrap().parse().unwrap()
}

/// The service, a process of its own.
struct Service {
    child: Child,
    lines: Arc<Mutex<Lines>>,
}

/// What the service has told.
#[derive(Default)]
struct Lines {
    started: BTreeSet<usize>,
    ended: BTreeSet<usize>,
    is_over: bool,
}

impl Service {
    fn start(from: usize, to: usize, endpoint: &str, spool: &Path, provider: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "nothing_is_lost::the_service", "--ignored", "--nocapture"])
            .env("SPANLEDGER_ENDPOINT", endpoint)
            .env("SPANLEDGER_SPOOL", spool)
            .env("SPANLEDGER_INTENTS", "on")
            .env("RUST_LOG", "error")
            .env(PROVIDER, provider)
            .env(CALLS, format!("{from} {to}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Arc<Mutex<Lines>> = Arc::default();
        let (reader, shared) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&lines));
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let mut lines = shared.lock().unwrap();
                let words: Vec<_> = line.split_whitespace().collect();
                match words.as_slice() {
                    [.., "started", number] => drop(lines.started.insert(number.parse().unwrap())),
                    [.., "ended", number] => drop(lines.ended.insert(number.parse().unwrap())),
                    _ => {}
                }
            }
            shared.lock().unwrap().is_over = true;
        });
        Self { child, lines }
    }

    fn progress(&self) -> (BTreeSet<usize>, bool) {
        let lines = self.lines.lock().unwrap();
        (lines.ended.clone(), lines.is_over)
    }

    /// Ends it with `kill -9` and returns the number of the first call that was not started.
    fn kill(mut self, ended: &mut BTreeSet<usize>) -> usize {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let next = self.take_lines(ended);
        next.unwrap()
    }

    /// Waits for its end, at which it has flushed its records.
    fn end(mut self, ended: &mut BTreeSet<usize>) {
        assert!(self.child.wait().unwrap().success());
        self.take_lines(ended);
    }

    fn take_lines(&self, ended: &mut BTreeSet<usize>) -> Option<usize> {
        while !self.lines.lock().unwrap().is_over {
            thread::sleep(Duration::from_millis(1));
        }
        let lines = self.lines.lock().unwrap();
        ended.extend(&lines.ended);
        lines.started.last().map(|last| last + 1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_hundred_calls_survive_kills_of_the_service_and_of_the_receiver() {
    nothing_is_lost(600).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes; run it with: cargo test -p spanledger-e2e -- --ignored ten_thousand_calls"]
async fn ten_thousand_calls_survive_kills_of_the_service_and_of_the_receiver() {
    nothing_is_lost(10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "another test runs this one in a process of its own"]
async fn the_service() {
    let Ok(provider) = env::var(PROVIDER) else { return };
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.01)));
    let tracer = SdkTracerProvider::builder().with_sampler(sampler).build();
    let otel = tracing_opentelemetry::layer().with_tracer(tracer.tracer("app"));
    tracing_subscriber::registry().with(EnvFilter::from_default_env()).with(otel).init();

    let guard = spanledger::init(ExporterConfig::from_env()).unwrap();
    let config = OpenAIConfig::new().with_api_base(provider).with_api_key("k");
    let client = spanledger::instrument(config).provider("openai").max_retries(0).build();
    let numbers = env::var(CALLS).unwrap();
    let (from, to) = numbers.split_once(' ').unwrap();
    let (next, to) = (Arc::new(AtomicUsize::new(from.parse().unwrap())), to.parse().unwrap());
    let tell = |what: &str, call: usize| writeln!(std::io::stdout().lock(), "{what} {call}").unwrap();
    let workers = (0..PARALLEL).map(|_| {
        let (client, next) = (client.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let call = next.fetch_add(1, Ordering::Relaxed);
                if call >= to {
                    return;
                }
                tell("started", call);
                let attribution = attribution("search").with_request_id(format!("call-{call}")).unwrap();
                let request = chat_request(&format!("call {call}"));
                client.chat().attributed(&attribution).create(request).await.unwrap();
                tell("ended", call);
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let flushed = tokio::task::spawn_blocking(move || guard.with_timeout(TIMEOUT).flush());
    flushed.await.unwrap().unwrap();
}
