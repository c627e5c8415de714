//! The only place that prints: data to standard output, talk to standard error.
#![expect(clippy::print_stderr, reason = "this is the place")]

use std::io::{self, IsTerminal as _, Write as _};

/// Data. A reader that went away (`| head`) ends the program quietly.
pub(crate) fn data(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// A line of talk.
pub(crate) fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// A line of talk that the next one overwrites.
pub(crate) fn progress(text: impl std::fmt::Display) {
    eprint!("\r{text}\x1b[K");
}

/// Whether a person watches standard error, and nothing else is written to that screen.
pub(crate) fn shows_progress() -> bool {
    io::stderr().is_terminal() && !io::stdout().is_terminal()
}

/// An error with its causes, once.
pub(crate) fn error(error: &anyhow::Error) {
    let mut seen = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !seen.contains(&text) {
            seen.push_str(if seen.is_empty() { "" } else { ": " });
            seen.push_str(&text);
        }
    }
    eprintln!("error: {seen}");
}

/// Logs to standard error, by `RUST_LOG`.
pub(crate) fn init_logs(default: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // A second set-up in one process (tests) keeps the first.
    drop(logs.try_init());
}
