//! Starts example programs.

use std::{
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use spanledger_event::CostEvent;
use spanledger_testkit::{Provider, Reply, Usage, world::TestReceiver};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// The longest time that a program may take. Only a defect takes that long.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The provider and the receiver that a program uses.
pub(crate) struct Surroundings {
    pub(crate) provider: Provider,
    pub(crate) receiver: TestReceiver,
}

impl Surroundings {
    /// Starts both. Every call uses 1,000 input and 100 output tokens.
    pub(crate) async fn start() -> Self {
        let reply = Reply::answer("A short answer.").usage(Usage::new(1_000, 100));
        let provider = Provider::builder().seed(7).default_reply(reply).start().await.unwrap();
        Self { provider, receiver: TestReceiver::start().await }
    }

    /// Runs a program to its end, which must be a success, and returns what it printed.
    pub(crate) async fn run(&self, example: &str, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(program(example));
        command
            .args(arguments)
            .env("OPENAI_API_KEY", "test")
            .env("OPENAI_BASE_URL", self.provider.base_url())
            .env("AZURE_OPENAI_ENDPOINT", self.provider.azure_base_url())
            .env("AZURE_OPENAI_API_KEY", "test")
            .env("AZURE_OPENAI_DEPLOYMENT", "my-deployment")
            .env("SPANLEDGER_ENDPOINT", self.receiver.http_url())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.receiver.grpc_addr()))
            // The stand-in is not at a host of OpenAI's.
            .env("SPANLEDGER_PROVIDER", "openai")
            .env("POLL_SECONDS", "0")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let Output { status, stdout, stderr } =
            tokio::time::timeout(TIMEOUT, child.wait_with_output()).await.unwrap().unwrap();
        assert!(status.success(), "{example}: {status}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<CostEvent> {
        self.receiver.events()
    }
}

/// The program of an example, which Cargo builds next to the tests of its package.
fn program(example: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(example);
    assert!(
        path.exists(),
        "{} does not exist: run `cargo test --package spanledger-examples`, which builds the examples",
        path.display()
    );
    path
}
