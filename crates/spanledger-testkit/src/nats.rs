//! A NATS server of a test's own.
#![expect(clippy::missing_panics_doc, reason = "a test ends where its server does not do what it should")]

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::peers::{await_port, free_port, peer};

/// A server with JetStream in a folder of its own, on a free port of the loopback interface. Dropping it ends the server
/// and removes the folder.
#[derive(Debug)]
pub struct Nats {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Nats {
    /// Starts a server with further lines of its configuration, if the peer is installed.
    ///
    /// Otherwise prints that the test is skipped and returns `None`, or panics if `SPANLEDGER_REQUIRE_PEERS` is 1.
    pub fn start(settings: &str) -> Option<Self> {
        let program = peer("bin/nats-server", "nats")?;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let data = folder.path().join("data");
        let config = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: {:?} }}\n{settings}\n",
            data.display().to_string()
        );
        fs::write(folder.path().join("nats.conf"), config).expect("the folder can be written");
        let mut server = Self { program, folder, port, server: None };
        server.run();
        Some(server)
    }

    /// The address of the server.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("the server is a child of this process");
            server.wait().expect("the server is a child of this process");
        }
    }

    /// Starts the server again, on the same port and with the same data.
    pub fn run(&mut self) {
        let server = Command::new(&self.program)
            .arg("--config")
            .arg(self.folder.path().join("nats.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server can be started");
        self.server = Some(server);
        await_port(self.port);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
