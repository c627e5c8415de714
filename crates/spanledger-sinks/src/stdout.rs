//! Standard output: one JSON object a line, the JSON form of a [`CostEvent`](spanledger_event::CostEvent), nothing else.
//!
//! For Vector, Fluent Bit, Logstash and `jq`. It only appends: after a crash lines can come twice,
//! and `event_id` with `revision` tells which line is the event.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Batch, Delivery, DeliveryOutcome, Sink};

#[cfg(test)]
mod tests;

/// Writes events as lines of JSON.
#[derive(Debug)]
pub struct Lines<W> {
    writer: Arc<Mutex<W>>,
}

impl Lines<io::Stdout> {
    /// To standard output.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write + Send + 'static> Lines<W> {
    /// To any writer.
    pub fn new(writer: W) -> Self {
        Self { writer: Arc::new(Mutex::new(writer)) }
    }
}

fn lines(batch: &Batch) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::with_capacity(batch.len() * 1_024);
    for event in batch.iter() {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

impl<W: Write + Send + 'static> Sink for Lines<W> {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn deliver(&mut self, batch: Batch) -> Delivery<'_> {
        let writer = Arc::clone(&self.writer);
        Box::pin(async move {
            // A reader that is slow stops the pipe; that must not stop the runtime.
            let written = tokio::task::spawn_blocking(move || -> Result<(), DeliveryOutcome> {
                let lines =
                    lines(&batch).map_err(|error| DeliveryOutcome::Reject { reason: error.to_string() })?;
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                writer
                    .write_all(&lines)
                    .and_then(|()| writer.flush())
                    .map_err(|error| DeliveryOutcome::Retry { reason: format!("standard output: {error}") })
            });
            match written.await {
                Ok(Ok(())) => DeliveryOutcome::Delivered,
                Ok(Err(outcome)) => outcome,
                Err(error) => DeliveryOutcome::Retry { reason: error.to_string() },
            }
        })
    }
}
