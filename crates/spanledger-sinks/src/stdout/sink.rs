//! Writes complete lines, even after an earlier write or process ended in the middle of a line.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Batch, Delivery, DeliveryOutcome, Sink,
    encode::{Columns, JsonLine},
};

/// Writes events as lines of JSON.
#[derive(Debug)]
pub struct JsonLines<W> {
    name: String,
    encoding: JsonLine,
    output: Arc<Mutex<Output<W>>>,
}

/// The position in a line at which the next byte is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinePosition {
    /// The next byte is certainly the first of a line.
    Start,
    /// The next byte may follow an incomplete line of an earlier write or process.
    Unknown,
}

#[derive(Debug)]
struct Output<W> {
    writer: W,
    position: LinePosition,
}

impl JsonLines<io::Stdout> {
    /// Creates a sink that writes to standard output.
    pub fn stdout(name: String) -> Self {
        Self::new(name, io::stdout(), stdout_position())
    }
}

impl<W: Write + Send + 'static> JsonLines<W> {
    /// Creates a sink that writes to any writer.
    pub fn new(name: String, writer: W, position: LinePosition) -> Self {
        Self {
            name,
            encoding: JsonLine::default(),
            output: Arc::new(Mutex::new(Output { writer, position })),
        }
    }

    /// Writes only these columns.
    #[must_use]
    pub fn with_columns(mut self, columns: Columns) -> Self {
        self.encoding = JsonLine::new(columns);
        self
    }
}

/// A terminal or an empty file has no incomplete line. A pipe cannot be checked, and neither can a file to
/// which standard output is redirected, because it can usually only be written.
fn stdout_position() -> LinePosition {
    if io::stdout().is_terminal() || is_empty_file() { LinePosition::Start } else { LinePosition::Unknown }
}

#[cfg(unix)]
fn is_empty_file() -> bool {
    use std::os::fd::AsFd as _;
    let metadata = || std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?).metadata();
    metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

#[cfg(not(unix))]
fn is_empty_file() -> bool {
    false
}

impl<W: Write> Output<W> {
    fn write(&mut self, batch: &Batch, encoding: &JsonLine) -> Result<(), DeliveryOutcome> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::with_capacity(batch.len() * 1_024);
        if self.position == LinePosition::Unknown {
            lines.push(b'\n');
        }
        for event in batch.iter() {
            encoding
                .write(event, &mut lines)
                .map_err(|error| DeliveryOutcome::Reject { reason: error.to_string() })?;
        }
        // Until the write has succeeded, the last line may be incomplete.
        self.position = LinePosition::Unknown;
        self.writer
            .write_all(&lines)
            .and_then(|()| self.writer.flush())
            .map_err(|error| DeliveryOutcome::Retry { reason: format!("standard output: {error}") })?;
        self.position = LinePosition::Start;
        Ok(())
    }
}

impl<W: Write + Send + 'static> Sink for JsonLines<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&mut self, batch: Batch) -> Delivery<'_> {
        let output = Arc::clone(&self.output);
        let encoding = self.encoding.clone();
        Box::pin(async move {
            // A slow reader blocks the write, so it runs on a blocking thread and does not block the runtime.
            let written = tokio::task::spawn_blocking(move || {
                output.lock().unwrap_or_else(PoisonError::into_inner).write(&batch, &encoding)
            });
            match written.await {
                Ok(Ok(())) => DeliveryOutcome::Delivered,
                Ok(Err(outcome)) => outcome,
                Err(error) => DeliveryOutcome::Retry { reason: error.to_string() },
            }
        })
    }
}
