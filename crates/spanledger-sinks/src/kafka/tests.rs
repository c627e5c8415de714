//! Most tests run on a real broker, the peer `kafka`.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::Headers as _,
};
use spanledger_event::CostEvent;
use spanledger_testkit::Kafka;

use super::*;
use crate::{
    BoxSink, Fault, Opened, Opening, Purpose, Sink, SinkConfig as _,
    conformance::{self, Harness, LEDGER, SINK, batch, event, events},
};

const TOPIC: &str = "openai_event_revisions";
const POSITIONS: &str = "spanledger_cursors";

fn sink(brokers: &str, more: &str) -> KafkaSink {
    let timeout = if more.contains("timeout_seconds") { "" } else { "timeout_seconds = 10\n" };
    let config: KafkaConfig = toml::from_str(&format!("brokers = {brokers:?}\n{timeout}{more}")).unwrap();
    config.build().unwrap()
}

async fn open(sink: &mut KafkaSink, purpose: Purpose) -> Result<Opened, Fault> {
    sink.open(&Opening { ledger: LEDGER.to_owned(), sink: SINK.to_owned(), purpose }).await
}

/// The reason and the remedy of a fault that blocks.
fn blocked<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> (String, String) {
    match outcome {
        Err(Fault::Blocked { reason, remedy }) => (reason, remedy),
        other => panic!("it must be blocked: {other:?}"),
    }
}

async fn make_topics(brokers: &str, options: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let mut topic = NewTopic::new(TOPIC, 3, TopicReplication::Fixed(1));
    for (name, value) in options {
        topic = topic.set(name, value);
    }
    let positions = NewTopic::new(POSITIONS, 1, TopicReplication::Fixed(1)).set("cleanup.policy", "compact");
    let made = admin.create_topics([&topic, &positions], &AdminOptions::new()).await.unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// The events that a reader of committed messages sees.
fn stored(brokers: &str) -> Vec<CostEvent> {
    let consumer = |isolation: &str| -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "test")
            .set("enable.auto.commit", "false")
            .set("isolation.level", isolation)
            .set("enable.partition.eof", "true")
            .create()
            .unwrap()
    };
    let (consumer, everything) = (consumer("read_committed"), consumer("read_uncommitted"));
    // A broker writes the end of a transaction into each partition a moment after it has answered.
    let end_of = |consumer: &BaseConsumer, partition| {
        consumer.fetch_watermarks(TOPIC, partition, Duration::from_secs(30)).unwrap().1
    };
    let began = std::time::Instant::now();
    while (0..3).any(|partition| end_of(&consumer, partition) < end_of(&everything, partition)) {
        assert!(began.elapsed() < Duration::from_mins(1), "a transaction does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut partitions = TopicPartitionList::new();
    for partition in 0..3 {
        partitions.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let (mut events, mut ends) = (Vec::new(), 0);
    while ends < 3 {
        match consumer.poll(Duration::from_mins(1)).unwrap() {
            Ok(message) => {
                let event: CostEvent = serde_json::from_slice(message.payload().unwrap()).unwrap();
                let key = event.request_id.as_deref().unwrap_or(event.event_id.as_str());
                assert_eq!(message.key().unwrap(), key.as_bytes());
                let id = message.headers().unwrap().get(0);
                assert_eq!((id.key, id.value), ("event_id", Some(event.event_id.as_str().as_bytes())));
                events.push(event);
            }
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => panic!("{error}"),
        }
    }
    events
}

struct Destination {
    broker: Mutex<Kafka>,
    brokers: String,
    is_transactional: bool,
}

impl Harness for Destination {
    fn sink(&self) -> BoxSink {
        BoxSink::new(sink(&self.brokers, &format!("transactional = {}", self.is_transactional)))
    }

    async fn stored(&self) -> Vec<CostEvent> {
        let brokers = self.brokers.clone();
        tokio::task::spawn_blocking(move || stored(&brokers)).await.unwrap()
    }

    async fn set_broken(&self, broken: bool) -> bool {
        let mut server = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        if broken {
            server.kill();
        } else {
            server.run();
        }
        true
    }

    fn poison(&self, event: &mut CostEvent) -> bool {
        event.cost_detail = Some("x".repeat(2 << 20));
        true
    }

    fn repeats(&self) -> bool {
        !self.is_transactional
    }
}

async fn conforms(is_transactional: bool) {
    let Some(broker) = Kafka::start("") else { return };
    let brokers = broker.address();
    make_topics(&brokers, &[]).await;
    let destination = Destination { broker: Mutex::new(broker), brokers, is_transactional };
    conformance::check(&destination).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_passes_the_conformance_suite() {
    conforms(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transactional_sink_passes_the_conformance_suite() {
    conforms(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_moves_the_position_with_the_events_and_a_second_process_fences_the_first() {
    let Some(broker) = Kafka::start("") else { return };
    let brokers = broker.address();
    make_topics(&brokers, &[]).await;
    let mut first = sink(&brokers, "transactional = true");
    assert_eq!(open(&mut first, Purpose::Deliver).await.unwrap().cursor, Some(0));
    let (one, two) = (batch(0, events(0..10)), batch(30, events(10..20)));
    first.write(&one).await.unwrap();
    first.commit().await.unwrap();
    // The second batch is written and not committed.
    first.write(&two).await.unwrap();
    let checked = open(&mut sink(&brokers, "transactional = true"), Purpose::Check).await.unwrap();
    assert_eq!(checked.cursor, Some(one.id.to), "a check neither sees it nor fences the sink");

    let mut second = sink(&brokers, "transactional = true");
    assert_eq!(open(&mut second, Purpose::Deliver).await.unwrap().cursor, Some(one.id.to));
    let outcome = first.commit().await;
    assert!(matches!(outcome, Err(Fault::Fenced { .. })), "{outcome:?}");
    second.write(&two).await.unwrap();
    second.commit().await.unwrap();
    let brokers_of_reader = brokers.clone();
    let seen = tokio::task::spawn_blocking(move || stored(&brokers_of_reader)).await.unwrap();
    assert_eq!(seen.len(), 20, "each event is seen once");
    assert_eq!(open(&mut first, Purpose::Deliver).await.unwrap().cursor, Some(two.id.to));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_to_change_is_named_with_the_remedy() {
    let Some(mut broker) = Kafka::start("") else { return };
    let brokers = broker.address();
    let (reason, remedy) = blocked(open(&mut sink(&brokers, ""), Purpose::Deliver).await);
    assert!(reason.contains("`openai_event_revisions` does not exist"), "{reason}");
    assert!(
        remedy.contains("kafka-topics.sh") && remedy.contains("--topic openai_event_revisions"),
        "{remedy}"
    );

    make_topics(&brokers, &[("max.message.bytes", "20000")]).await;
    let more = "transactional = true\npositions_topic = \"none\"";
    let (reason, remedy) = blocked(open(&mut sink(&brokers, more), Purpose::Check).await);
    assert!(
        reason.contains("`none` does not exist") && remedy.contains("cleanup.policy=compact"),
        "{remedy}"
    );
    let (reason, _) =
        blocked(open(&mut sink(&brokers, "properties = { \"no.such\" = \"1\" }"), Purpose::Check).await);
    assert!(reason.contains("no.such"), "{reason}");

    // The topic takes less than the producer would send.
    let mut sink_of_topic = sink(&brokers, "compression = \"none\"");
    open(&mut sink_of_topic, Purpose::Deliver).await.unwrap();
    let mut large = event(4);
    large.cost_detail = Some("x".repeat(40_000));
    let outcome = sink_of_topic.write(&batch(0, vec![large])).await;
    assert!(matches!(outcome, Err(Fault::TooLarge { .. })), "{outcome:?}");

    broker.kill();
    let outcome = open(&mut sink(&brokers, "timeout_seconds = 1"), Purpose::Deliver).await;
    assert!(matches!(outcome, Err(Fault::Retry { .. })), "{outcome:?}");
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    for (options, option) in [
        ("brokers = \" \"", "brokers"),
        ("brokers = \"a\"\ntopic = \"a b\"", "topic"),
        ("brokers = \"a\"\npositions_topic = \"\"", "positions_topic"),
        ("brokers = \"a\"\ntopic = \"spanledger_cursors\"", "positions_topic"),
        ("brokers = \"a\"\nproperties = { acks = \"0\" }", "properties"),
    ] {
        let config: KafkaConfig = toml::from_str(options).unwrap();
        assert_eq!(config.build().unwrap_err().option, option, "{options}");
    }
}
