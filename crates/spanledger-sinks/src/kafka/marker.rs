//! The position of a transactional sink: a message in a compacted topic, written in the transaction of the
//! events.

use std::{
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use serde::{Deserialize, Serialize};

use super::{
    KafkaConfig,
    client::{self, Watch},
    fault,
};
use crate::Fault;

/// All positions are in this partition.
pub(super) const PARTITION: i32 = 0;

/// The value of a message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The last position of the ledger that was committed.
    pub(super) position: i64,
}

/// The key of a sink's messages.
pub(super) fn key(ledger: &str, sink: &str) -> String {
    format!("{ledger}/{sink}")
}

/// How often it is looked whether a transaction has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits while a transaction on the positions is open, of whichever sink: what was committed after its first message
/// cannot be read before it ends. It blocks.
fn wait_until_stable(
    config: &KafkaConfig,
    committed: &BaseConsumer,
    of: &impl Fn(&KafkaError) -> Fault,
) -> Result<(), Fault> {
    let all: BaseConsumer = client::settings(config)?
        .set("isolation.level", "read_uncommitted")
        .create()
        .map_err(|error| fault::setting(&error))?;
    let (topic, timeout) = (&config.positions_topic, config.timeout());
    let (_, end) = all.fetch_watermarks(topic, PARTITION, timeout).map_err(|error| of(&error))?;
    let began = Instant::now();
    loop {
        // For a reader of committed messages, the end is where the first open transaction begins.
        let (_, stable) =
            committed.fetch_watermarks(topic, PARTITION, timeout).map_err(|error| of(&error))?;
        if stable >= end {
            return Ok(());
        }
        if began.elapsed() > timeout {
            return Err(Fault::retry(format!(
                "{}: a transaction on the topic `{topic}` is open, so that the position of the sink cannot be read yet",
                config.brokers
            )));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Reads the last committed position of a sink; 0 if there is none.
pub(super) fn read(config: &KafkaConfig, key: &str) -> Result<i64, Fault> {
    let watch = Watch::default();
    let of = |error: &KafkaError| fault::of(error, config, &watch);
    let consumer: BaseConsumer = client::settings(config)?
        .set("group.id", "spanledger")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .map_err(|error| fault::setting(&error))?;
    wait_until_stable(config, &consumer, &of)?;
    let mut partitions = TopicPartitionList::new();
    partitions
        .add_partition_offset(&config.positions_topic, PARTITION, Offset::Beginning)
        .map_err(|error| of(&error))?;
    consumer.assign(&partitions).map_err(|error| of(&error))?;
    let mut position = 0;
    loop {
        match consumer.poll(config.timeout().max(Duration::from_secs(5))) {
            Some(Ok(message)) => {
                if message.key() == Some(key.as_bytes()) {
                    let marker: Option<Marker> =
                        message.payload().and_then(|value| serde_json::from_slice(value).ok());
                    position = marker.map_or(position, |marker| marker.position);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(position),
            Some(Err(error)) => return Err(of(&error)),
            None => {
                return Err(Fault::retry(format!(
                    "{} does not send the topic `{}`",
                    config.brokers, config.positions_topic
                )));
            }
        }
    }
}
