//! The sink: whole lines, also after a write or a process that broke off.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Batch, Delivery, DeliveryOutcome, Sink};

/// Writes events as lines of JSON.
#[derive(Debug)]
pub struct JsonLines<W> {
    name: String,
    omitted_columns: Arc<[String]>,
    output: Arc<Mutex<Output<W>>>,
}

/// Where in a line the next byte would be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinePosition {
    /// At the start of a line, for certain.
    Start,
    /// Perhaps behind a part of a line that an earlier write or process left.
    Unknown,
}

#[derive(Debug)]
struct Output<W> {
    writer: W,
    position: LinePosition,
}

impl JsonLines<io::Stdout> {
    /// To standard output.
    pub fn stdout(name: String) -> Self {
        Self::new(name, io::stdout(), stdout_position())
    }
}

impl<W: Write + Send + 'static> JsonLines<W> {
    /// To any writer.
    pub fn new(name: String, writer: W, position: LinePosition) -> Self {
        Self {
            name,
            omitted_columns: Arc::default(),
            output: Arc::new(Mutex::new(Output { writer, position })),
        }
    }

    /// The same sink, whose lines lack some columns.
    #[must_use]
    pub fn without_columns(mut self, columns: Vec<String>) -> Self {
        self.omitted_columns = columns.into();
        self
    }
}

/// A terminal and an empty file hold no part of a line. What a pipe holds cannot be read back, and
/// a file that standard output is redirected to can usually only be written.
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
    fn write(&mut self, batch: &Batch, omitted_columns: &[String]) -> Result<(), DeliveryOutcome> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::with_capacity(batch.len() * 1_024);
        if self.position == LinePosition::Unknown {
            lines.push(b'\n');
        }
        for event in batch.iter() {
            serde_json::to_writer(&mut lines, &event.without_columns(omitted_columns))
                .map_err(|error| DeliveryOutcome::Reject { reason: error.to_string() })?;
            lines.push(b'\n');
        }
        // Until all of it is written, the last line may be there in part.
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
        let omitted_columns = Arc::clone(&self.omitted_columns);
        Box::pin(async move {
            // A reader that is slow blocks the write; that must not block the runtime.
            let written = tokio::task::spawn_blocking(move || {
                output.lock().unwrap_or_else(PoisonError::into_inner).write(&batch, &omitted_columns)
            });
            match written.await {
                Ok(Ok(())) => DeliveryOutcome::Delivered,
                Ok(Err(outcome)) => outcome,
                Err(error) => DeliveryOutcome::Retry { reason: error.to_string() },
            }
        })
    }
}
