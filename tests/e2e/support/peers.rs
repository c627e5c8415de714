//! The programs of others that some tests need (`tests/peers`).

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where `tests/peers/install.sh` puts the peers.
fn folder() -> PathBuf {
    std::env::var_os("SPANLEDGER_PEERS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.peers"), PathBuf::from)
}

/// A peer's program, or `None` where it is not installed. Then the test says that it is skipped, and
/// fails where `SPANLEDGER_REQUIRE_PEERS` is 1.
#[expect(
    clippy::explicit_write,
    reason = "the harness hides what a test that passes prints with `eprintln!`"
)]
pub(crate) fn peer(program: &str) -> Option<PathBuf> {
    let path = folder().join(program);
    if path.exists() {
        return Some(path);
    }
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test");
    let message = format!("SKIPPED: {test} needs {program}; run tests/peers/install.sh");
    assert!(std::env::var_os("SPANLEDGER_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{message}");
    writeln!(std::io::stderr(), "{message}").unwrap();
    None
}

/// A command without the variables of this process that would point the peer to another provider,
/// receiver or proxy.
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
