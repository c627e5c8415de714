//! A broker of Apache Kafka of a test's own.
#![expect(clippy::missing_panics_doc, reason = "a test ends where its broker does not do what it should")]

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::peers::{await_port, free_port, peer};

/// The id of every cluster of these tests.
const CLUSTER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

/// One broker, which is its own controller, on a Java runtime, in a folder of its own, on a free port of the loopback interface. It makes no
/// topic by itself. Dropping it ends the broker and removes the folder.
#[derive(Debug)]
pub struct Kafka {
    libraries: PathBuf,
    folder: TempDir,
    port: u16,
    broker: Option<Child>,
}

impl Kafka {
    /// Starts a broker with further lines of its configuration, if the peer is installed.
    ///
    /// Otherwise prints that the test is skipped and returns `None`, or panics if `SPANLEDGER_REQUIRE_PEERS` is 1.
    pub fn start(settings: &str) -> Option<Self> {
        let libraries = peer("kafka/libs", "kafka")?;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (port, controller) = (free_port(), free_port());
        let data = folder.path().join("data");
        let config = format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
{settings}
",
            data.display()
        );
        fs::write(folder.path().join("server.properties"), config).expect("the folder can be written");
        let mut broker = Self { libraries, folder, port, broker: None };
        let formatted = broker
            .java("kafka.tools.StorageTool")
            .args(["format", "-t", CLUSTER, "-c"])
            .arg(broker.properties())
            .output()
            .expect("java can be started");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        broker.run();
        Some(broker)
    }

    /// The address of the broker, `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends the broker as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.kill().expect("the broker is a child of this process");
            broker.wait().expect("the broker is a child of this process");
        }
    }

    /// Starts the broker again, on the same port and with the same data.
    pub fn run(&mut self) {
        let broker = self
            .java("kafka.Kafka")
            .arg(self.properties())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("java can be started");
        self.broker = Some(broker);
        await_port(self.port);
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.current_dir(self.folder.path()).args(["-Xmx256m", "-cp"]);
        java.arg(self.libraries.join("*")).arg(class);
        java
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.kill();
    }
}
