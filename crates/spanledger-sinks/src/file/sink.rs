//! The sink: what blocks runs on a thread for blocking work.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::{JoinHandle, spawn_blocking};

use super::{FileConfig, closed::Upkeep, writer::FileWriter};
use crate::{Batch, BatchShape, Fault, Opened, Opening, Purpose, Sink, Written, encode::LineEncoding};

/// Writes events to a file.
#[derive(Debug)]
pub struct FileSink {
    encoding: LineEncoding,
    path: PathBuf,
    upkeep: Upkeep,
    /// The work on closed files, and the error of the last one.
    upkeep_task: Option<JoinHandle<Result<(), String>>>,
    upkeep_error: Option<String>,
    writer: Arc<Mutex<FileWriter>>,
}

impl FileSink {
    /// Creates a sink that writes in this form.
    pub(super) fn new(encoding: LineEncoding, config: FileConfig) -> Self {
        let upkeep = Upkeep { gzip: config.gzip, keep_files: config.keep_files, keep_days: config.keep_days };
        let writer = FileWriter {
            path: config.path.clone(),
            rotate_bytes: config.rotate_bytes,
            rotate_every: config.rotate_every,
            key: String::new(),
            session: None,
        };
        Self {
            encoding,
            path: config.path,
            upkeep,
            upkeep_task: None,
            upkeep_error: None,
            writer: Arc::new(Mutex::new(writer)),
        }
    }

    /// Runs what blocks.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut FileWriter) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let writer = Arc::clone(&self.writer);
        let done = spawn_blocking(move || work(&mut writer.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.map_err(Fault::retry)?
    }

    /// Compresses and removes closed files beside the delivery.
    async fn keep_up(&mut self) {
        if self.upkeep.is_nothing() || self.upkeep_task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.finish_upkeep().await;
        let (upkeep, path) = (self.upkeep, self.path.clone());
        self.upkeep_task = Some(spawn_blocking(move || {
            upkeep.run(&path).map_err(|error| format!("closed files of {}: {error}", path.display()))
        }));
    }

    async fn finish_upkeep(&mut self) {
        if let Some(task) = self.upkeep_task.take() {
            self.upkeep_error = task.await.map_err(|error| error.to_string()).and_then(|done| done).err();
        }
    }
}

impl Sink for FileSink {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(5_000).linger(Duration::from_millis(200))
    }

    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        let key = format!("{}/{}", opening.ledger, opening.sink);
        let header = self.encoding.header().map_err(Fault::rejected)?;
        let purpose = opening.purpose;
        let cursor = self
            .run(move |writer| {
                writer.key = key;
                match purpose {
                    Purpose::Check => writer.check().map(|()| None),
                    Purpose::Deliver => writer.open(&header),
                }
            })
            .await?;
        Ok(Opened { cursor, remarks: self.upkeep_error.iter().cloned().collect() })
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let mut lines = Vec::with_capacity(batch.approximate_bytes());
        for event in batch.events() {
            self.encoding.write(event, &mut lines).map_err(Fault::rejected)?;
        }
        let header = self.encoding.header().map_err(Fault::rejected)?;
        let to = batch.id.to;
        self.run(move |writer| writer.write(&header, &lines, to)).await?;
        Ok(Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        self.run(FileWriter::commit).await?;
        self.keep_up().await;
        Ok(())
    }

    async fn close(&mut self) {
        self.finish_upkeep().await;
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).session = None;
    }
}
