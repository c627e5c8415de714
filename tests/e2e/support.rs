//! Starting and asking the binary.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Once, mpsc},
    time::{Duration, Instant},
};

use spanledger_event::CostEvent;
use spanledger_ledger::Reader;

/// Far above what anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Tests with a subscriber of their own run beside each other. `tracing` remembers for all of them
/// when nobody listens to a span; with a subscriber for the process somebody always does.
pub(crate) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
}

/// The binary, with no variable of this process that would change it.
pub(crate) fn spanledger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger"));
    for (name, _) in std::env::vars() {
        if name.starts_with("SPANLEDGER_") || name.starts_with("OTEL_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    spanledger().args(arguments).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `spanledger serve`, on ports that the system chose.
pub(crate) struct Serve {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) ledger: PathBuf,
}

impl Serve {
    pub(crate) fn start(ledger: &Path, arguments: &[&str]) -> Self {
        listen();
        let mut child = spanledger()
            .args(["serve", "--grpc-addr", "127.0.0.1:0"])
            .args(
                (!arguments.contains(&"--http-addr"))
                    .then_some(["--http-addr", "127.0.0.1:0"])
                    .into_iter()
                    .flatten(),
            )
            .arg("--ledger")
            .arg(ledger)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, said) = mpsc::channel();
        let talk = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in talk.lines().map_while(Result::ok) {
                // After the start nobody listens; the pipe must be drained all the same.
                drop(say.send(line));
            }
        });
        let address = |label: &str| -> SocketAddr {
            let until = Instant::now() + PATIENCE;
            loop {
                let line = said
                    .recv_timeout(until - Instant::now())
                    .unwrap_or_else(|_| panic!("serve did not say {label}"));
                if let Some(rest) = line.strip_prefix(label) {
                    return rest.trim().parse().unwrap();
                }
            }
        };
        let grpc = address("OTLP/gRPC on ");
        let http = address("OTLP/HTTP on ");
        Self { child, grpc, http, ledger: ledger.to_owned() }
    }

    pub(crate) fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }

    pub(crate) fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// `kill -9`: nothing is flushed, nothing is closed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As a service manager ends it; answers its standard output.
    #[cfg(unix)]
    pub(crate) fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let output = {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut self.child.stdout.take().unwrap(), &mut text).unwrap();
            text
        };
        assert!(self.child.wait().unwrap().success());
        output
    }

    /// The events, oldest first.
    pub(crate) fn events(&self) -> Vec<CostEvent> {
        events(&self.ledger)
    }

    /// The events, once there are so many that count.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<CostEvent> {
        let until = Instant::now() + PATIENCE;
        loop {
            let events = self.events();
            if events.iter().filter(|event| event.counts()).count() >= count {
                return events;
            }
            assert!(Instant::now() < until, "{} of {count} events: {events:#?}", events.len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn events(ledger: &Path) -> Vec<CostEvent> {
    let changes = Reader::open(ledger).unwrap().changes_after(0, usize::MAX).unwrap();
    let mut events: Vec<CostEvent> = changes.into_iter().map(|change| change.event).collect();
    events.sort_by_key(|event| event.timestamp);
    events
}

/// Where `tests/peers/install.sh` puts the peers.
pub(crate) fn peers() -> PathBuf {
    std::env::var_os("SPANLEDGER_PEERS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers"), PathBuf::from)
}

/// A peer's program, or `None` where it is not installed: said aloud, and a failure where peers are
/// required.
#[expect(clippy::explicit_write, reason = "the harness shows what a test prints only when it fails")]
pub(crate) fn peer(program: &str) -> Option<PathBuf> {
    let path = peers().join(program);
    if path.exists() {
        return Some(path);
    }
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test");
    let words = format!("SKIPPED: {test} needs {program}; run tests/peers/install.sh");
    assert!(std::env::var_os("SPANLEDGER_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{words}");
    writeln!(std::io::stderr(), "{words}").unwrap();
    None
}
