use spanledger_event::{Observation, ObservedAs, Timestamp};
use spanledger_otlp::{Encoding, Logs, ObservationReader};
use spanledger_price::PriceBook;

use super::*;

#[test]
fn losses_are_one_gap_event_with_the_cost_that_is_known() {
    let mut losses = Losses::default();
    assert!(losses.is_empty() && losses.take().is_none());
    let start = Timestamp::from_nanos(1_795_255_200_000_000_000);
    let mut priced = Observation::new(EventId::of_request("r", 5), "call", ObservedAs::Record, start);
    // A call that failed before the model ran costs nothing, which is known.
    priced.outcome = spanledger_event::CallOutcome::Failed("401".to_owned());
    spanledger_otlp::price(PriceBook::builtin(), &mut priced);
    losses.add(&record::record(&priced));
    losses.add(&LogRecord::default());
    losses.add_unseen(3);
    losses.add_unseen(0);
    let sent = record::request(vec![losses.take().unwrap()], &[], "0.1.0").to_protobuf();
    let read = ObservationReader::default().logs(&Logs::decode(&sent, Encoding::Protobuf).unwrap());
    assert_eq!((read.gaps[0].calls, read.gaps[0].calls_without_cost), (5, 4));
    assert!(losses.is_empty());
}
