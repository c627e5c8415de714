//! The only place that prints: data to standard output, messages to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use crate::render::text::message;

/// Data. A reader that went away (`| head`) ends the program quietly.
pub(crate) fn data(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// The columns of the terminal that shows the data; `None` where data goes to a file or a pipe.
pub(crate) fn width() -> Option<usize> {
    comfy_table::Table::new().width().map(usize::from)
}

/// A message of one or more lines.
pub(crate) fn say(text: impl std::fmt::Display) {
    write_message(format_args!("{}\n", message(text)));
}

/// A message that the next one overwrites.
pub(crate) fn progress(text: impl std::fmt::Display) {
    write_message(format_args!("\r{}\x1b[K", message(text)));
}

/// `eprintln!` would panic where standard error is closed, and end a `serve` that is still delivering
/// events.
fn write_message(text: std::fmt::Arguments<'_>) {
    // Standard error is closed, so there is no place to report the error.
    drop(io::stderr().lock().write_fmt(text));
}

/// Whether a person watches standard error, and nothing else is written to that screen.
pub(crate) fn shows_progress() -> bool {
    io::stderr().is_terminal() && !io::stdout().is_terminal()
}

/// An error with its causes; a cause that repeats the text before it is left out.
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

/// Logs to standard error; `RUST_LOG` says which.
pub(crate) fn init_logs(default: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        // The error would be reported with `eprintln!`, which panics where standard error is closed.
        .log_internal_errors(false);
    // Where logs are set up already, as in tests, they stay as they are.
    drop(logs.try_init());
}
