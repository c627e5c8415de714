//! Finds the peers: programs of other projects, which `tests/peers/install.sh` installs.

use std::{
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
};
#[cfg(any(feature = "kafka", feature = "nats"))]
use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

/// The path of a peer below the folder of the peers, if it is installed.
///
/// Otherwise prints that the test is skipped and returns `None`, or panics if `SPANLEDGER_REQUIRE_PEERS` is 1.
pub(crate) fn peer(path: &str, name: &str) -> Option<PathBuf> {
    let peers = std::env::var_os("SPANLEDGER_PEERS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers"), PathBuf::from);
    let path = peers.join(path);
    if path.exists() {
        return Some(path);
    }
    let test = thread::current();
    let test = test.name().unwrap_or("a test");
    let message = format!("SKIPPED: {test} needs a peer; run tests/peers/install.sh {name}");
    let is_required = std::env::var_os("SPANLEDGER_REQUIRE_PEERS").is_some_and(|value| value == "1");
    assert!(!is_required, "{message}");
    // The test harness hides what `eprintln!` prints in a test that passes.
    writeln!(std::io::stderr(), "{message}").unwrap_or_default();
    None
}

/// A port of the loopback interface that nobody uses now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("the socket is bound").port()
}

/// Waits until a server listens on a port of the loopback interface. Only a hang takes longer than this waits.
#[cfg(any(feature = "kafka", feature = "nats"))]
pub(crate) fn await_port(port: u16) {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_mins(2), "nothing listens on port {port}");
        thread::sleep(Duration::from_millis(50));
    }
}
