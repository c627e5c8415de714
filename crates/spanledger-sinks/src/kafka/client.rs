//! The clients of librdkafka.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, Producer as _},
};

use super::{KafkaConfig, fault};
use crate::Fault;

/// Hears what a client reports beside its answers, such as that a password is wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>);

impl Watch {
    /// The latest report that no repetition will mend.
    pub(super) fn heard(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Watch {
    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code().filter(|code| fault::is_lasting(*code)) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((code, reason.to_owned()));
        }
    }

    /// Whoever runs the sink logs its faults.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}

pub(super) type EventProducer = FutureProducer<Watch>;

/// The settings that producer and consumer share.
pub(super) fn settings(config: &KafkaConfig) -> Result<ClientConfig, Fault> {
    let mut settings = ClientConfig::new();
    let millis = config.timeout().as_millis().to_string();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "spanledger")
        // A check changes nothing, and a topic that a broker makes by itself would lose positions after a week.
        .set("allow.auto.create.topics", "false")
        .set("socket.timeout.ms", millis)
        .set("log_level", "0");
    if !config.user.is_empty() {
        let password = config
            .password
            .read()
            .map_err(|error| Fault::blocked(format!("`password`: {error}"), "give the sink its password"))?;
        settings
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", &config.user)
            .set("sasl.password", password);
    }
    for (name, value) in &config.properties {
        settings.set(name, value);
    }
    Ok(settings)
}

/// Makes a producer, which connects by itself.
pub(super) fn producer(
    config: &KafkaConfig,
    transactional_id: Option<&str>,
    watch: Watch,
) -> Result<EventProducer, Fault> {
    let mut settings = settings(config)?;
    let millis = config.timeout().as_millis();
    settings
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", config.compression.as_str())
        .set("message.timeout.ms", millis.to_string());
    for (name, value) in [("linger.ms", "5"), ("queue.buffering.max.messages", "100000")] {
        if !config.properties.contains_key(name) {
            settings.set(name, value);
        }
    }
    if let Some(id) = transactional_id {
        // A message must not wait longer than its transaction may take.
        settings.set("transactional.id", id).set("transaction.timeout.ms", millis.max(60_000).to_string());
    }
    settings.create_with_context(watch).map_err(|error| fault::setting(&error))
}

/// Checks that a topic exists and may be seen.
pub(super) fn check_topic(
    producer: &EventProducer,
    config: &KafkaConfig,
    topic: &str,
    watch: &Watch,
) -> Result<(), Fault> {
    let metadata = producer
        .client()
        .fetch_metadata(Some(topic), config.timeout())
        .map_err(|error| fault::of(&error, config, watch))?;
    let found = metadata.topics().iter().find(|one| one.name() == topic);
    match found {
        None => Err(fault::missing(config, topic)),
        Some(found) => match found.error().map(RDKafkaErrorCode::from) {
            Some(code) => Err(fault::of_topic(code, config, topic)),
            None if found.partitions().is_empty() => Err(fault::missing(config, topic)),
            None => Ok(()),
        },
    }
}
