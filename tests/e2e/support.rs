//! Starting and asking the binary.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use spanledger_event::CostEvent;
use spanledger_testkit::world::{events_of, keep_spans_enabled};

/// Far above what anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The binary, with no variable of this process that would change it.
pub(crate) fn spanledger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger-under-test"));
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
    pub(crate) admin: SocketAddr,
    pub(crate) ledger: PathBuf,
    said: Arc<Mutex<Vec<String>>>,
}

impl Serve {
    pub(crate) fn start(ledger: &Path, arguments: &[&str]) -> Self {
        Self::start_with_stdout(ledger, arguments, Stdio::piped())
    }

    pub(crate) fn start_with_stdout(ledger: &Path, arguments: &[&str], stdout: Stdio) -> Self {
        keep_spans_enabled();
        let mut child = spanledger()
            .args(["serve", "--grpc-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"])
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
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let talk = BufReader::new(child.stderr.take().unwrap());
        let saying = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in talk.lines().map_while(Result::ok) {
                saying.lock().unwrap().push(line);
            }
        });
        let nowhere = SocketAddr::from(([0; 4], 0));
        let (grpc, http, admin) = (nowhere, nowhere, nowhere);
        let mut serve = Self { child, grpc, http, admin, ledger: ledger.to_owned(), said };
        let address =
            |label: &str| serve.wait_until_said(label).split_once(label).unwrap().1.parse().unwrap();
        (serve.grpc, serve.http, serve.admin) =
            (address("OTLP/gRPC on "), address("OTLP/HTTP on "), address("admin     on "));
        serve
    }

    /// The first line with these words, once it is said.
    pub(crate) fn wait_until_said(&self, words: &str) -> String {
        wait(words, || self.said().into_iter().find(|line| line.contains(words)))
    }

    /// What it has said to standard error so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
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
        self.signal("-TERM");
        let mut output = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut output).unwrap();
        }
        assert!(self.child.wait().unwrap().success());
        output
    }

    /// As a service manager ends it, while nobody reads its standard output.
    #[cfg(unix)]
    pub(crate) fn stop_without_reading(mut self) {
        self.signal("-TERM");
        let status = wait("its end", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }

    /// The events, oldest first.
    pub(crate) fn events(&self) -> Vec<CostEvent> {
        events_of(&self.ledger)
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

/// Asks until there is an answer.
fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where `tests/peers/install.sh` puts the peers.
pub(crate) fn peers() -> PathBuf {
    std::env::var_os("SPANLEDGER_PEERS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.peers"), PathBuf::from)
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
