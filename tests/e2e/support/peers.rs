//! Finds the programs of other projects that some tests need (`tests/peers`).

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The folder in which `tests/peers/install.sh` installs the peers.
fn folder() -> PathBuf {
    std::env::var_os("SPANLEDGER_PEERS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.peers"), PathBuf::from)
}

/// The path of a peer's program, or `None` if it is not installed. In that case a message says that the test
/// is skipped; if `SPANLEDGER_REQUIRE_PEERS` is 1, the test fails instead.
#[expect(
    clippy::explicit_write,
    reason = "the test harness hides the output of `eprintln!` in a test that passes"
)]
pub(crate) fn peer(program: &str) -> Option<PathBuf> {
    let is_required = std::env::var_os("SPANLEDGER_REQUIRE_PEERS").is_some_and(|value| value == "1");
    let path = folder().join(program);
    if path.exists() {
        return Some(path);
    }
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test");
    let message = format!("SKIPPED: {test} needs {program}; run tests/peers/install.sh");
    assert!(!is_required, "{message}");
    writeln!(std::io::stderr(), "{message}").unwrap();
    None
}

/// A command for a peer, without the environment variables of this process that would make the peer use
/// another provider, receiver or proxy.
pub(crate) fn peer_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        let upper = name.to_ascii_uppercase();
        let prefixes = ["OTEL_", "OPENAI_", "SPANLEDGER_", "COLLECTOR_", "TRACE_BACKEND_"];
        if upper.ends_with("_PROXY") || prefixes.iter().any(|prefix| upper.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}
