use super::*;
use opentelemetry_proto::tonic::common::v1::AnyValue;

use crate::{Encoding, Logs, ObservationReader, record::request};

fn gap() -> Gap {
    Gap {
        id: EventId::from_text("gap-1".to_owned()),
        calls: 17,
        calls_without_cost: 2,
        cost: "1.25".parse().unwrap(),
        from: Timestamp::from_nanos(1_795_255_200_000_000_000),
        to: Timestamp::from_nanos(1_795_255_260_000_000_000),
        service_name: Some("api".to_owned()),
    }
}

#[test]
fn a_gap_is_read_back_as_it_was_sent() {
    let resource = [(keys::SERVICE_NAME.to_owned(), "api".to_owned())];
    let sent = request(vec![gap().to_record()], &resource, "0.1.0").to_protobuf();
    let logs = Logs::decode(&sent, Encoding::Protobuf).unwrap();
    let read = ObservationReader::default().logs(&logs);
    assert_eq!((read.gaps, read.rejected), (vec![gap()], 0));
    let [event] = read.observations.as_slice() else { panic!("one event stands for the lost calls") };
    assert_eq!((event.event_id.as_str(), event.service_name.as_deref()), ("gap-1", Some("api")));
    assert_eq!(event.outcome, CallOutcome::Incomplete(RECORDS_LOST.to_owned()));
    assert_eq!((event.start, event.end), (gap().from, gap().to));
    assert_eq!(event.emitter_cost.map(|cost| cost.to_string()).as_deref(), Some("1.25"));
    assert_eq!(event.attribution.dims.get("lost_calls").map(String::as_str), Some("17"));
}

#[test]
fn a_gap_without_an_id_is_rejected_and_one_without_any_cost_states_none() {
    let mut anonymous = gap().to_record();
    anonymous.attributes.retain(|attribute| attribute.key != keys::EVENT_ID);
    let read = ObservationReader::default().logs(&request(vec![anonymous], &[], "0.1.0"));
    assert_eq!((read.observations.len(), read.rejected), (0, 1));
    let unseen = Gap { calls_without_cost: 17, cost: Usd::default(), ..gap() };
    assert_eq!(unseen.to_observation().emitter_cost, None);
}

/// A gap that a sender makes as large as it can.
#[test]
fn what_a_gap_states_is_bounded() {
    let mut huge = gap().to_record();
    for attribute in &mut huge.attributes {
        let value = match attribute.key.as_str() {
            keys::EVENT_ID => Value::StringValue("x".repeat(100_000)),
            keys::LOST_CALLS | keys::LOST_CALLS_WITHOUT_COST => Value::IntValue(i64::MAX),
            _ => continue,
        };
        attribute.value = Some(AnyValue { value: Some(value) });
    }
    let resource = [(keys::SERVICE_NAME.to_owned(), "s".repeat(100_000))];
    let sent = request(vec![huge], &resource, "0.1.0").to_protobuf();
    let read = ObservationReader::default().logs(&Logs::decode(&sent, Encoding::Protobuf).unwrap());
    let [read] = read.gaps.as_slice() else { panic!("{read:?}") };
    assert_eq!((read.calls, read.calls_without_cost), (CALLS_MAX, CALLS_MAX));
    assert!(read.id.as_str().len() <= 256 && read.service_name.as_ref().unwrap().len() <= 256);
}
