//! `ClickHouse`'s engine behind its HTTP interface, and an old server of `ClickHouse`.
#![expect(clippy::missing_panics_doc, reason = "a test ends where its server does not do what it should")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::peers::{free_port, peer};

/// The time after which starting the server counts as failed. Only a hang takes that long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The users of the old server.
const USERS: &str = "<yandex><profiles><default/></profiles><users><writer><password>right</password>
<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></writer></users>
<quotas><default/></quotas></yandex>";

/// A server with a data folder of its own, on a free port of the loopback interface. Dropping it ends the server and
/// removes the folder.
#[derive(Debug)]
pub struct ClickHouse {
    program: Program,
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

#[derive(Debug)]
enum Program {
    /// The Python that has the engine; `tests/peers/clickhouse_server.py` says what of the server is real.
    Engine(PathBuf),
    /// The folder of the package of version 18.16.
    Old(PathBuf),
}

impl ClickHouse {
    /// The user who may do everything.
    pub const USER: &'static str = "writer";
    /// The password of every user.
    pub const PASSWORD: &'static str = "right";

    /// Starts the present engine, if the peer is installed.
    ///
    /// Otherwise prints that the test is skipped and returns `None`, or panics if `SPANLEDGER_REQUIRE_PEERS` is 1.
    pub fn start() -> Option<Self> {
        Some(Self::start_program(Program::Engine(peer("venv-engines/bin/python", "engines")?)))
    }

    /// Starts the server of version 18.16, if the peer is installed; see [`Self::start`].
    pub fn start_18_16() -> Option<Self> {
        let program = peer("clickhouse-18/usr/sbin/clickhouse-server", "clickhouse-18")?;
        let folder = program.ancestors().nth(3)?.to_owned();
        Some(Self::start_program(Program::Old(folder)))
    }

    fn start_program(program: Program) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut server = Self { program, folder, port: free_port(), server: None };
        server.run();
        server
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
        let server = match &self.program {
            Program::Engine(python) => self.run_engine(python),
            Program::Old(folder) => self.run_old(folder),
        };
        self.server = Some(server);
    }

    fn run_engine(&self, python: &Path) -> Child {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/clickhouse_server.py");
        let mut server = Command::new(python)
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
        server
    }

    fn run_old(&self, package: &Path) -> Child {
        let folder = self.folder.path();
        let path = folder.display();
        let config = format!(
            "<yandex><logger><level>warning</level><console>1</console></logger><http_port>{}</http_port>
<listen_host>127.0.0.1</listen_host><path>{path}/data/</path><tmp_path>{path}/tmp/</tmp_path>
<users_config>users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>100000000</mark_cache_size></yandex>",
            self.port
        );
        fs::write(folder.join("config.xml"), config).expect("the folder can be written");
        fs::write(folder.join("users.xml"), USERS).expect("the folder can be written");
        let log = fs::File::create(folder.join("log")).expect("the folder can be written");
        let machine = std::env::consts::ARCH;
        let libraries = ["usr/lib", "lib"].map(|lib| package.join(format!("{lib}/{machine}-linux-gnu")));
        let libraries = std::env::join_paths(libraries).expect("the path of the peers has no colon");
        let server = Command::new(package.join("usr/sbin/clickhouse-server"))
            .arg(format!("--config-file={path}/config.xml"))
            .current_dir(folder)
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the old server can be started");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if started.elapsed() > TIMEOUT {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!("the old server does not listen:\n{log}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        self.kill();
    }
}
