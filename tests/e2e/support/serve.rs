//! Runs `spanledger serve` as a process.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use spanledger_event::CostEvent;
use spanledger_testkit::world::{events_of, keep_spans_enabled};

use super::{TIMEOUT, spanledger};

/// A `spanledger serve` that is ready. Dropping it kills it.
pub(crate) struct Serve {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) ledger: PathBuf,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl Serve {
    /// Starts it and waits until it is ready. The system chooses the ports that the arguments do not name.
    pub(crate) fn start(ledger: &Path, arguments: &[&str]) -> Self {
        Self::start_with_stdout(ledger, arguments, Stdio::piped())
    }

    /// Like [`Serve::start`], with this standard output instead of a new pipe.
    pub(crate) fn start_with_stdout(ledger: &Path, arguments: &[&str], stdout: Stdio) -> Self {
        keep_spans_enabled();
        let mut command = spanledger();
        command.arg("serve").arg("--ledger").arg(ledger).args(arguments);
        for flag in ["--grpc-addr", "--http-addr", "--admin-addr"] {
            if !arguments.contains(&flag) {
                command.args([flag, "127.0.0.1:0"]);
            }
        }
        let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let stderr: Arc<Mutex<Vec<String>>> = Arc::default();
        let reader = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&stderr);
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let unknown = SocketAddr::from(([0; 4], 0));
        let mut serve =
            Self { child, grpc: unknown, http: unknown, admin: unknown, ledger: ledger.to_owned(), stderr };
        serve.grpc = serve.listening_address("OTLP/gRPC");
        serve.http = serve.listening_address("OTLP/HTTP");
        serve.admin = serve.listening_address("admin");
        serve
    }

    /// Waits for the line `<port> on <address>` and returns the address.
    fn listening_address(&self, port: &str) -> SocketAddr {
        self.wait_for(&format!("{port} on …"), |line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [first, "on", address, ..] if *first == port => address.parse().ok(),
                _ => None,
            }
        })
    }

    /// Waits for the first line of standard error with these words and returns it.
    pub(crate) fn wait_for_stderr(&self, words: &str) -> String {
        self.wait_for(words, |line| line.contains(words).then(|| line.to_owned()))
    }

    fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let until = Instant::now() + TIMEOUT;
        loop {
            let lines = self.stderr();
            if let Some(found) = lines.iter().find_map(|line| find(line)) {
                return found;
            }
            assert!(Instant::now() < until, "`{what}` is not in\n{}", lines.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The lines of standard error so far.
    pub(crate) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap().clone()
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

    /// Ends it with `kill -9`, so that it can neither flush nor close anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with SIGTERM, as a service manager does, and returns its standard output.
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

    /// Ends it with SIGTERM while its standard output is not read.
    #[cfg(unix)]
    pub(crate) fn stop_without_reading(mut self) {
        self.signal("-TERM");
        let until = Instant::now() + TIMEOUT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "`serve` did not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
    }

    /// All events, oldest first.
    pub(crate) fn events(&self) -> Vec<CostEvent> {
        events_of(&self.ledger)
    }

    /// Waits until at least this number of events count, and returns all events.
    pub(crate) fn wait_for_events(&self, count: usize) -> Vec<CostEvent> {
        let until = Instant::now() + TIMEOUT;
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
        // Killing fails if the process has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
