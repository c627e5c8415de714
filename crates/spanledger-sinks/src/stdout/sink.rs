//! Writes complete lines, even after an earlier write or process ended in the middle of a line.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::{Batch, Fault, Opened, Opening, Sink, Written, encode::LineEncoding};

/// Writes events as lines.
#[derive(Debug)]
pub struct StdoutSink<W> {
    encoding: LineEncoding,
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
    has_header: bool,
}

impl StdoutSink<io::Stdout> {
    /// Creates a sink that writes to standard output.
    pub fn stdout(encoding: LineEncoding) -> Self {
        Self::new(io::stdout(), stdout_position(), encoding)
    }
}

impl<W: Write + Send + 'static> StdoutSink<W> {
    /// Creates a sink that writes to any writer.
    pub fn new(writer: W, position: LinePosition, encoding: LineEncoding) -> Self {
        Self { encoding, output: Arc::new(Mutex::new(Output { writer, position, has_header: false })) }
    }

    fn lines(&self, batch: &Batch) -> io::Result<Vec<u8>> {
        let mut lines = Vec::with_capacity(batch.approximate_bytes());
        for event in batch.events() {
            self.encoding.write(event, &mut lines)?;
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
    fn write(&mut self, header: &[u8], lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut before = Vec::new();
        if self.position == LinePosition::Unknown {
            before.push(b'\n');
        }
        if !self.has_header {
            before.extend_from_slice(header);
        }
        // Until the write has succeeded, the last line may be incomplete.
        self.position = LinePosition::Unknown;
        self.write_all(&before)?;
        self.write_all(lines)?;
        self.writer.flush()?;
        self.position = LinePosition::Start;
        self.has_header = true;
        Ok(())
    }

    /// Waits while a pipe is full that another program made non-blocking: an error would repeat the lines that
    /// the reader already has.
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.writer.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<W: Write + Send + 'static> Sink for StdoutSink<W> {
    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        Ok(Opened::default())
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let output = Arc::clone(&self.output);
        let header = self.encoding.header().map_err(Fault::rejected)?;
        let lines = self.lines(batch).map_err(Fault::rejected)?;
        // A slow reader blocks the write, so it runs on a blocking thread and does not block the runtime.
        let written = tokio::task::spawn_blocking(move || {
            output.lock().unwrap_or_else(PoisonError::into_inner).write(&header, &lines)
        });
        let failed = |error: io::Error| Fault::retry(format!("standard output: {error}"));
        written.await.map_err(Fault::retry)?.map_err(failed)?;
        Ok(Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
