//! The sink.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::spawn_blocking;

use super::{
    ParquetConfig, PartitionBy, disk,
    encode::{EncodedFile, FileEncoder},
    objects::{Objects, Service},
};
use crate::{Batch, BatchId, BatchShape, Fault, Opened, Opening, Positioned, Rejection, Sink, Written};

/// Writes events as Parquet files.
#[derive(Debug)]
pub struct ParquetSink {
    encoder: Arc<FileEncoder>,
    config: ParquetConfig,
    service: Option<Service>,
    /// The client of the object store, while it is open.
    objects: Option<Objects>,
    /// Held while a file is written to a disk. A write that was cancelled still runs on its thread, and the next
    /// attempt waits for its end, because both use the same temporary file.
    disk: Arc<Mutex<()>>,
}

/// The places of the events of a batch that belong into one file, by the folder of the file.
type Partitions = BTreeMap<String, Vec<usize>>;

impl ParquetSink {
    pub(super) fn new(encoder: FileEncoder, service: Option<Service>, config: ParquetConfig) -> Self {
        Self { encoder: Arc::new(encoder), config, service, objects: None, disk: Arc::default() }
    }

    fn partitions(&self, batch: &Batch) -> Partitions {
        let mut partitions = Partitions::new();
        for (index, event) in batch.events().enumerate() {
            let folder = match self.config.partition_by {
                PartitionBy::None => String::new(),
                PartitionBy::Date => {
                    let moment = event.timestamp.to_string();
                    format!("date={}/", moment.split('T').next().unwrap_or_default())
                }
            };
            partitions.entry(folder).or_default().push(index);
        }
        partitions
    }

    /// Stores a file.
    async fn put(&self, name: String, bytes: Vec<u8>) -> Result<(), Fault> {
        match (&self.objects, self.service) {
            (Some(objects), _) => objects.put(&name, bytes).await,
            (None, Some(_)) => Err(Fault::retry("the object store is not open")),
            (None, None) => {
                let root = PathBuf::from(&self.config.location);
                let disk = Arc::clone(&self.disk);
                let put = spawn_blocking(move || {
                    let _guard = disk.lock().unwrap_or_else(PoisonError::into_inner);
                    disk::put(&root, &name, &bytes)
                });
                put.await.map_err(Fault::retry)?
            }
        }
    }
}

/// The name of the file of a batch in a folder. A retry makes the same name.
fn file_name(folder: &str, id: &BatchId) -> String {
    format!("{folder}{}-{}-{:012}-{:012}.parquet", id.ledger, id.sink, id.from, id.to)
}

async fn encode(
    encoder: &Arc<FileEncoder>,
    id: &BatchId,
    events: Vec<Positioned>,
) -> Result<EncodedFile, Fault> {
    let (encoder, id) = (Arc::clone(encoder), id.clone());
    let task = spawn_blocking(move || {
        let events: Vec<_> = events.iter().map(|positioned| &**positioned.event).collect();
        encoder.encode(&id, &events)
    });
    task.await.map_err(Fault::retry)?.map_err(Fault::rejected)
}

impl Sink for ParquetSink {
    /// Large files are read fast. An event takes about 3 kB of memory, so that a batch takes about 30 MB, and its file,
    /// while it is made, about 10 MB more.
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(10_000).bytes(24 << 20).linger(Duration::from_mins(1))
    }

    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        self.objects = None;
        let mut opened = Opened::default();
        match self.service {
            None => {
                let root = PathBuf::from(&self.config.location);
                spawn_blocking(move || disk::check(&root)).await.map_err(Fault::retry)??;
            }
            Some(service) => {
                let objects = Objects::new(service, &self.config.location, &self.config.store)?;
                opened.remarks.extend(objects.check().await?);
                self.objects = Some(objects);
            }
        }
        Ok(opened)
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let mut rejected: Vec<Rejection> = Vec::new();
        for (folder, indexes) in self.partitions(batch) {
            let events = indexes.iter().map(|index| batch.events[*index].clone()).collect();
            let file = encode(&self.encoder, &batch.id, events).await?;
            let is_empty = file.rejected.len() == indexes.len();
            rejected.extend(
                file.rejected
                    .into_iter()
                    .map(|rejection| Rejection { index: indexes[rejection.index], ..rejection }),
            );
            if !is_empty {
                self.put(file_name(&folder, &batch.id), file.bytes).await?;
            }
        }
        rejected.sort_by_key(|rejection| rejection.index);
        Ok(Written { rejected })
    }

    /// Each file is durable when it has its name.
    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
