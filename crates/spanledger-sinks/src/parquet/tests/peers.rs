//! The servers and readers of `tests/peers`.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The path of a peer's program, or `None` if it is not installed. In that case a message says that the test is
/// skipped; if `SPANLEDGER_REQUIRE_PEERS` is 1, the test fails instead.
pub(super) fn peer(program: &str) -> Option<PathBuf> {
    let is_required = std::env::var_os("SPANLEDGER_REQUIRE_PEERS").is_some_and(|value| value == "1");
    let folder = std::env::var_os("SPANLEDGER_PEERS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers"), PathBuf::from);
    let path = folder.join(program);
    if path.exists() {
        return Some(path);
    }
    let test = thread::current();
    let message =
        format!("SKIPPED: {} needs {program}; run tests/peers/install.sh", test.name().unwrap_or("a test"));
    assert!(!is_required, "{message}");
    writeln!(io::stderr(), "{message}").unwrap();
    None
}

/// Runs a command of `tests/peers/lake.py`; `None` if Python is not installed.
pub(super) fn lake(arguments: &[&str]) -> Option<serde_json::Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/lake.py");
    let output = Command::new(peer("venv-lake/bin/python")?).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A port that is free now.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A server that ends with the test.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
}

impl Server {
    /// Starts a program, and waits until it accepts connections.
    pub(super) fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, port };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(started.elapsed() < Duration::from_mins(1), "the server does not start");
            thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Sends a request without a proxy and reads the status.
    pub(super) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port in front of a server that can refuse and cut connections.
pub(super) struct Proxy {
    pub(super) port: u16,
    is_broken: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub(super) fn new(server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_broken = Arc::new(AtomicBool::new(false));
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (broken, streams) = (Arc::clone(&is_broken), Arc::clone(&open));
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, server_port));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(target) else { continue };
                streams.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                if broken.load(Ordering::SeqCst) {
                    cut(&streams);
                    continue;
                }
                for (mut from, mut to) in
                    [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
                {
                    thread::spawn(move || {
                        io::copy(&mut from, &mut to).ok();
                        to.shutdown(Shutdown::Write).ok();
                    });
                }
            }
        });
        Self { port, is_broken, open }
    }

    pub(super) fn set_broken(&self, broken: bool) {
        self.is_broken.store(broken, Ordering::SeqCst);
        cut(&self.open);
    }
}

fn cut(streams: &Mutex<Vec<TcpStream>>) {
    for stream in streams.lock().unwrap().drain(..) {
        stream.shutdown(Shutdown::Both).ok();
    }
}
