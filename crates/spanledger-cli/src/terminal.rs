//! The only place that prints: data to standard output, messages to standard error.
#![expect(clippy::print_stderr, reason = "only this module prints")]

use std::io::{self, IsTerminal as _, Write as _};

use crate::render::text::message;

/// Writes data. If the reader has closed the pipe (`| head`), the program ends without an error.
pub(crate) fn data(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// The columns of the terminal that shows the data; `None` if data goes to a file or a pipe.
pub(crate) fn width() -> Option<usize> {
    comfy_table::Table::new().width().map(usize::from)
}

/// Prints a message of one or more lines.
pub(crate) fn say(text: impl std::fmt::Display) {
    eprintln!("{}", message(text));
}

/// Prints a message that the next one overwrites.
pub(crate) fn progress(text: impl std::fmt::Display) {
    eprint!("\r{}\x1b[K", message(text));
}

/// Whether standard error is a terminal and the data does not go to a terminal.
pub(crate) fn shows_progress() -> bool {
    io::stderr().is_terminal() && !io::stdout().is_terminal()
}

/// Prints an error with its causes. A cause whose text already occurs in the message is left out.
pub(crate) fn error(error: &anyhow::Error) {
    let mut chain = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !chain.contains(&text) {
            chain.push_str(if chain.is_empty() { "" } else { ": " });
            chain.push_str(&text);
        }
    }
    say(format_args!("error: {chain}"));
}

/// Writes logs to standard error; `RUST_LOG` selects the levels.
pub(crate) fn init_logs(default: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // An error is ignored: in tests a subscriber may be set already.
    drop(logs.try_init());
}
