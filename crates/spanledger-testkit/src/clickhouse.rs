//! `ClickHouse`'s engine behind its HTTP interface.
#![expect(clippy::missing_panics_doc, reason = "a test ends where its server does not do what it should")]

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::peers::{free_port, peer};

/// A server with a data folder of its own, on a free port of the loopback interface. Dropping it ends the server and
/// removes the folder. `tests/peers/clickhouse_server.py` says what of it is real.
#[derive(Debug)]
pub struct ClickHouse {
    python: PathBuf,
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl ClickHouse {
    /// The user who may do everything.
    pub const USER: &'static str = "writer";
    /// The password of every user.
    pub const PASSWORD: &'static str = "right";

    /// Starts a server, if the peer is installed.
    ///
    /// Otherwise prints that the test is skipped and returns `None`, or panics if `SPANLEDGER_REQUIRE_PEERS` is 1.
    pub fn start() -> Option<Self> {
        let python = peer("venv-engines/bin/python", "engines")?;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut server = Self { python, folder, port: free_port(), server: None };
        server.run();
        Some(server)
    }

    /// The address of the HTTP interface.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("the server is a child of this process");
            server.wait().expect("the server is a child of this process");
        }
    }

    /// Starts the server, which has ended, on the same port and with the same data.
    pub fn run(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/clickhouse_server.py");
        let mut server = Command::new(&self.python)
            .arg(script)
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python of the peer can be started");
        // It prints its port when it listens.
        let output = server.stdout.take().expect("the output is a pipe");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the output can be read");
        assert_eq!(line.trim(), self.port.to_string(), "the server has ended");
        self.server = Some(server);
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        self.kill();
    }
}
