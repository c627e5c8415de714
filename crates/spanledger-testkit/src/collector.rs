//! An OpenTelemetry Collector that writes what it receives to a file.
#![expect(clippy::missing_panics_doc, reason = "a test ends where its Collector does not do what it should")]

use std::{
    fs::{self, File},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::peers::{free_port, peer};

/// How often the Collector writes to its file.
const FLUSH: Duration = Duration::from_millis(50);

/// A Collector with a receiver of OTLP/HTTP on a free port of the loopback interface, and a file exporter.
/// Dropping it ends the Collector and removes the file.
#[derive(Debug)]
pub struct Collector {
    otelcol: PathBuf,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Collector {
    /// Starts a Collector, if the peer is installed.
    ///
    /// Otherwise prints that the test is skipped and returns `None`, or panics if `SPANLEDGER_REQUIRE_PEERS` is 1.
    pub fn start() -> Option<Self> {
        let otelcol = peer("bin/otelcol", "collector")?;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut collector = Self { otelcol, folder, port: free_port(), process: None };
        let config = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{}'}}}}}}}}
exporters: {{file: {{path: '{}', append: true, flush_interval: {}ms}}}}
service:
  pipelines: {{logs: {{receivers: [otlp], exporters: [file]}}}}
  telemetry: {{metrics: {{level: none}}}}
",
            collector.port,
            collector.file().display(),
            FLUSH.as_millis(),
        );
        fs::write(collector.folder.path().join("collector.yaml"), config).expect("the folder can be written");
        collector.run();
        Some(collector)
    }

    /// The address of OTLP/HTTP.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The file with what was received: a line of OTLP/JSON for each message.
    fn file(&self) -> PathBuf {
        self.folder.path().join("received.jsonl")
    }

    /// What was received, a line of OTLP/JSON for each message.
    pub fn received(&self) -> String {
        thread::sleep(FLUSH * 4);
        fs::read_to_string(self.file()).unwrap_or_default()
    }

    /// Ends the Collector.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the Collector is a child of this process");
            process.wait().expect("the Collector is a child of this process");
        }
    }

    /// Starts the Collector, which has ended, on the same port and with the same file.
    pub fn run(&mut self) {
        let log = File::create(self.folder.path().join("log")).expect("the folder can be written");
        let process = Command::new(&self.otelcol)
            .arg("--config")
            .arg(self.folder.path().join("collector.yaml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the Collector can be started");
        self.process = Some(process);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "the Collector does not listen: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.kill();
    }
}
