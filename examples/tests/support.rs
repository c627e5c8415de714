//! Runs an example as a process, against the stand-in provider and a receiver.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use spanledger_event::CostEvent;
use spanledger_testkit::{Provider, world::TestReceiver};

/// What an example talks to.
pub(crate) struct World {
    pub(crate) provider: Provider,
    pub(crate) receiver: TestReceiver,
}

impl World {
    pub(crate) async fn start() -> Self {
        let provider = Provider::builder().seed(5).start().await.unwrap();
        Self { provider, receiver: TestReceiver::start().await }
    }

    /// A command for an example of this package, which Cargo builds before it runs the package's tests.
    pub(crate) fn command(&self, example: &str) -> Command {
        let tests = std::env::current_exe().unwrap();
        let path: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples").join(example);
        assert!(path.exists(), "{} does not exist: run `cargo build --examples` first", path.display());
        let mut command = Command::new(path);
        for (name, _) in std::env::vars() {
            if ["SPANLEDGER_", "OTEL_", "OPENAI_", "RUST_LOG"].iter().any(|start| name.starts_with(start)) {
                command.env_remove(name);
            }
        }
        command
            .env("OPENAI_BASE_URL", self.provider.base_url())
            .env("OPENAI_API_KEY", "test")
            // The stand-in has OpenAI's prices.
            .env("SPANLEDGER_PROVIDER", "openai")
            .env("SPANLEDGER_ENDPOINT", self.receiver.http_url())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.receiver.grpc_addr()))
            .env("OTEL_SERVICE_NAME", example)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs an example to its end, and returns the events of the ledger.
    pub(crate) async fn run(&self, example: &str) -> Vec<CostEvent> {
        let mut command = self.command(example);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        check(&output);
        self.receiver.events()
    }
}

/// Checks that an example has ended well.
pub(crate) fn check(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{:?}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
}
