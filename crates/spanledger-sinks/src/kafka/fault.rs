//! What the errors of Kafka mean for the sink.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::{KafkaConfig, client::Watch};
use crate::Fault;

/// Whether a report is about something that no repetition mends.
pub(super) const fn is_lasting(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::SSL
            | Code::Fenced
            | Code::ProducerFenced
    )
}

/// A setting that librdkafka does not take.
pub(super) fn setting(error: &KafkaError) -> Fault {
    Fault::blocked(format!("librdkafka refuses a setting: {error}"), "correct `properties`")
}

/// The fault of an error. `watch` heard what the client reported beside it.
pub(super) fn of(error: &KafkaError, config: &KafkaConfig, watch: &Watch) -> Fault {
    let (code, said) = match (error.rdkafka_error_code(), watch.heard()) {
        (_, Some((code, said))) => (code, format!("{error}: {said}")),
        (Some(code), None) => (code, error.to_string()),
        (None, None) => return Fault::retry(format!("{}: {error}", config.brokers)),
    };
    of_code(code, &said, config)
}

/// What the brokers say about a topic.
pub(super) fn of_topic(code: Code, config: &KafkaConfig, topic: &str) -> Fault {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => missing(config, topic),
        code => of_code(code, &format!("the topic `{topic}`: {code}"), config),
    }
}

pub(super) fn missing(config: &KafkaConfig, topic: &str) -> Fault {
    let brokers = &config.brokers;
    let options = if topic == config.positions_topic {
        "--partitions 1 --config cleanup.policy=compact"
    } else {
        "--partitions 6"
    };
    Fault::blocked(
        format!("the topic `{topic}` does not exist at {brokers}"),
        format!("make it: `kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} {options}`"),
    )
}

fn of_code(code: Code, said: &str, config: &KafkaConfig) -> Fault {
    let reason = format!("{}: {said}", config.brokers);
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            missing(config, &config.topic)
        }
        Code::TopicAuthorizationFailed => Fault::blocked(
            reason,
            format!("give the user the rights Describe and Write on the topic `{}`", config.topic),
        ),
        Code::TransactionalIdAuthorizationFailed | Code::ClusterAuthorizationFailed => Fault::blocked(
            reason,
            "give the user the rights Describe and Write on the transactional ids that begin with `spanledger`, and IdempotentWrite on the cluster",
        ),
        Code::GroupAuthorizationFailed => {
            Fault::blocked(reason, "give the user the right Read on the group `spanledger`")
        }
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            Fault::blocked(reason, "correct `user` and `password`, and see that the brokers know them")
        }
        Code::SSL => Fault::blocked(reason, "correct the settings of TLS in `properties`"),
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Fault::fenced(reason),
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            Fault::too_large(format!("{said}: raise `max.message.bytes` of the topic"))
        }
        Code::InvalidRecord | Code::PolicyViolation | Code::InvalidMessage => Fault::rejected(said),
        _ => Fault::retry(reason),
    }
}
