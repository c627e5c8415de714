//! The options of the sink.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::KafkaSink;
use crate::{OptionError, Secret, SinkConfig};

/// The options of `kafka`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// The addresses of some brokers, `host:port`, separated by commas.
    pub brokers: String,
    /// The topic of the events.
    #[serde(default = "default_topic")]
    pub topic: String,
    /// Whether the batches are transactions, together with the sink's position.
    #[serde(default)]
    pub transactional: bool,
    /// The topic of the positions of transactional sinks.
    #[serde(default = "default_positions_topic")]
    pub positions_topic: String,
    /// How the messages are compressed.
    #[serde(default)]
    pub compression: CompressionOption,
    /// The user (SASL PLAIN).
    #[serde(default)]
    pub user: String,
    /// The password of the user.
    #[serde(default = "no_secret")]
    pub password: Secret,
    /// The longest time that the brokers may take for a batch.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
    /// Other settings of librdkafka, by their names.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// How messages are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompressionOption {
    /// Not at all.
    None,
    /// LZ4.
    #[default]
    Lz4,
    /// Snappy.
    Snappy,
}

impl CompressionOption {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Snappy => "snappy",
        }
    }
}

/// Settings that the sink's guarantee depends on.
const FIXED: [&str; 9] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "transactional.id",
    "isolation.level",
    "message.timeout.ms",
    "delivery.timeout.ms",
];

fn default_topic() -> String {
    "openai_event_revisions".to_owned()
}

fn default_positions_topic() -> String {
    "spanledger_cursors".to_owned()
}

fn no_secret() -> Secret {
    Secret::new("")
}

const fn timeout_seconds() -> u64 {
    30
}

impl KafkaConfig {
    /// The time after which the brokers count as unavailable.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }
}

impl SinkConfig for KafkaConfig {
    type Sink = KafkaSink;

    fn build(self) -> Result<KafkaSink, OptionError> {
        let problem = |option, problem: String| Err(OptionError { option, problem });
        if self.brokers.trim().is_empty() {
            return problem("brokers", "name a broker, such as `127.0.0.1:9092`".to_owned());
        }
        for (option, name) in [("topic", &self.topic), ("positions_topic", &self.positions_topic)] {
            let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if name.is_empty() || name.len() > 249 || !name.chars().all(is_legal) {
                return problem(
                    option,
                    "the name of a topic has 1 to 249 letters, digits, points, `_` and `-`".to_owned(),
                );
            }
        }
        if self.topic == self.positions_topic {
            return problem("positions_topic", "the positions need a topic of their own".to_owned());
        }
        if let Some(name) = self.properties.keys().find(|name| FIXED.contains(&name.as_str())) {
            return problem("properties", format!("`{name}` cannot be changed: the sink sets it itself"));
        }
        Ok(KafkaSink::new(self))
    }
}
