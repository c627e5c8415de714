//! Writes complete lines, even after an earlier write or process ended in the middle of a line.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Batch, Fault, Opened, Opening, Sink, Written,
    encode::{Columns, JsonLine},
};

/// Writes events as lines of JSON.
#[derive(Debug)]
pub struct JsonLines<W> {
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
    pub fn stdout() -> Self {
        Self::new(io::stdout(), stdout_position())
    }
}

impl<W: Write + Send + 'static> JsonLines<W> {
    /// Creates a sink that writes to any writer.
    pub fn new(writer: W, position: LinePosition) -> Self {
        Self { encoding: JsonLine::default(), output: Arc::new(Mutex::new(Output { writer, position })) }
    }

    /// Writes only these columns.
    #[must_use]
    pub fn with_columns(mut self, columns: Columns) -> Self {
        self.encoding = JsonLine::new(columns);
        self
    }

    fn lines(&self, batch: &Batch) -> Result<Vec<u8>, Fault> {
        // The first byte is for the line break before the first line.
        let mut lines = Vec::with_capacity(batch.approximate_bytes());
        lines.push(b'\n');
        for event in batch.events() {
            self.encoding.write(event, &mut lines).map_err(Fault::rejected)?;
        }
        Ok(lines)
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
    /// Writes lines that begin with a line break, which is left out where it is not needed.
    fn write(&mut self, lines: &[u8]) -> Result<(), Fault> {
        let lines = if self.position == LinePosition::Unknown { lines } else { &lines[1..] };
        // Until the write has succeeded, the last line may be incomplete.
        self.position = LinePosition::Unknown;
        self.writer
            .write_all(lines)
            .and_then(|()| self.writer.flush())
            .map_err(|error| Fault::retry(format!("standard output: {error}")))?;
        self.position = LinePosition::Start;
        Ok(())
    }
}

impl<W: Write + Send + 'static> Sink for JsonLines<W> {
    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        Ok(Opened::default())
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let (output, lines) = (Arc::clone(&self.output), self.lines(batch)?);
        // A slow reader blocks the write, so it runs on a blocking thread and does not block the runtime.
        let written = tokio::task::spawn_blocking(move || {
            output.lock().unwrap_or_else(PoisonError::into_inner).write(&lines)
        });
        written.await.map_err(Fault::retry)??;
        Ok(Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
