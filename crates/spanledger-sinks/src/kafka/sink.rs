//! The sink.

use std::{fmt, time::Duration};

use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureRecord, Producer as _},
};

use super::{
    KafkaConfig,
    client::{self, EventProducer, Watch},
    fault,
    marker::{self, Marker},
};
use crate::{Batch, BatchId, BatchShape, Fault, Opened, Opening, Purpose, Rejection, Sink, Written};

/// The wait for room in the queue of the producer.
const QUEUE_WAIT: Duration = Duration::from_millis(2);

/// Sends events to a topic of Kafka.
pub struct KafkaSink {
    config: KafkaConfig,
    producer: Option<(EventProducer, Watch)>,
    /// The last batch of the transaction that is not committed.
    begun: Option<BatchId>,
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("config", &self.config).finish_non_exhaustive()
    }
}

impl KafkaSink {
    pub(super) const fn new(config: KafkaConfig) -> Self {
        Self { config, producer: None, begun: None }
    }

    fn open_producer(&self) -> Result<&(EventProducer, Watch), Fault> {
        self.producer.as_ref().ok_or_else(|| Fault::retry("the sink is not open"))
    }

    /// Does what librdkafka does only while a thread waits for it.
    async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EventProducer) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, Fault> {
        let (producer, watch) = self.open_producer()?;
        let producer = producer.clone();
        let done = tokio::task::spawn_blocking(move || work(&producer)).await;
        let done = done.map_err(|_| Fault::retry("the program ends"))?;
        done.map_err(|error| fault::of(&error, &self.config, watch))
    }

    /// The outcome of a message.
    async fn delivered(&self, delivery: DeliveryFuture) -> Result<(), Fault> {
        let (_, watch) = self.open_producer()?;
        match delivery.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(fault::of(&error, &self.config, watch)),
            Err(_) => Err(Fault::retry("the producer ended")),
        }
    }

    /// Hands a message to the producer. Returns the reason if the message itself is refused.
    async fn send(
        &self,
        mut record: FutureRecord<'_, str, str>,
    ) -> Result<Result<DeliveryFuture, String>, Fault> {
        let (producer, watch) = self.open_producer()?;
        loop {
            let (error, refused) = match producer.send_result(record) {
                Ok(delivery) => return Ok(Ok(delivery)),
                Err(refused) => refused,
            };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => {
                    tokio::time::sleep(QUEUE_WAIT).await;
                    record = refused;
                }
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    return Ok(Err(format!(
                        "{error}: raise `message.max.bytes` in `properties` and `max.message.bytes` of the topic"
                    )));
                }
                _ => return Err(fault::of(&error, &self.config, watch)),
            }
        }
    }
}

/// Connects and checks. Returns the producer and the last committed position.
fn open(config: &KafkaConfig, opening: &Opening) -> Result<(EventProducer, Watch, Option<i64>), Fault> {
    let watch = Watch::default();
    let key = marker::key(&opening.ledger, &opening.sink);
    let transactional_id = format!("spanledger/{key}");
    // A check must not fence the producer that delivers.
    let is_fencing = config.transactional && opening.purpose == Purpose::Deliver;
    let producer = client::producer(config, is_fencing.then_some(transactional_id.as_str()), watch.clone())?;
    client::check_topic(&producer, config, &config.topic, &watch)?;
    if !config.transactional {
        return Ok((producer, watch, None));
    }
    client::check_topic(&producer, config, &config.positions_topic, &watch)?;
    if is_fencing {
        producer.init_transactions(config.timeout()).map_err(|error| fault::of(&error, config, &watch))?;
    }
    let position = marker::read(config, &key)?;
    Ok((producer, watch, Some(position)))
}

impl Sink for KafkaSink {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(2_000).bytes(8 << 20).in_flight(4)
    }

    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        self.begun = None;
        let old = self.producer.take();
        let (config, opening) = (self.config.clone(), opening.clone());
        let opened = tokio::task::spawn_blocking(move || {
            // The old producer would be fenced by the new one.
            drop(old);
            open(&config, &opening)
        });
        let (producer, watch, cursor) = opened.await.map_err(|_| Fault::retry("the program ends"))??;
        self.producer = Some((producer, watch));
        Ok(Opened { cursor, remarks: Vec::new() })
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        if self.config.transactional && self.begun.is_none() {
            self.block(|producer| producer.begin_transaction()).await?;
        }
        self.begun = Some(batch.id.clone());
        let id = batch.id.to_string();
        let mut written = Written::default();
        let mut deliveries = Vec::with_capacity(batch.events.len());
        for (index, event) in batch.events().enumerate() {
            let (event_id, revision) = (event.event_id.as_str(), event.revision.to_string());
            let header = |key, value| Header { key, value: Some(value) };
            let headers = OwnedHeaders::new_with_capacity(3)
                .insert(header("event_id", event_id))
                .insert(header("revision", &revision))
                .insert(header("batch", &id));
            let record = FutureRecord::to(&self.config.topic)
                .key(event.request_id.as_deref().unwrap_or(event_id))
                .payload(event.json())
                .timestamp(event.timestamp.millis())
                .headers(headers);
            match self.send(record).await? {
                Ok(delivery) => deliveries.push(delivery),
                Err(reason) => written.rejected.push(Rejection { index, reason }),
            }
        }
        for delivery in deliveries {
            self.delivered(delivery).await?;
        }
        Ok(written)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        // Without a transaction every message was acknowledged when its batch was written.
        let Some(last) = self.begun.take().filter(|_| self.config.transactional) else { return Ok(()) };
        let key = marker::key(&last.ledger, &last.sink);
        let value = serde_json::to_string(&Marker { position: last.to }).map_err(Fault::rejected)?;
        let record = FutureRecord::to(&self.config.positions_topic)
            .partition(marker::PARTITION)
            .key(key.as_str())
            .payload(value.as_str());
        let delivery = self.send(record).await?.map_err(Fault::rejected)?;
        self.delivered(delivery).await?;
        let timeout = self.config.timeout();
        self.block(move |producer| producer.commit_transaction(timeout)).await
    }

    async fn close(&mut self) {
        self.begun = None;
        if let Some(producer) = self.producer.take() {
            // It ends its threads.
            drop(tokio::task::spawn_blocking(move || drop(producer)).await);
        }
    }
}
