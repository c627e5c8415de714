use spanledger_event::{EventId, JsonText, ObservedAs, Timestamp};

use super::*;

#[test]
fn a_priced_call_counts_its_texts() {
    let bytes = |usage: Option<&str>| {
        let start = Timestamp::from_nanos(1_795_255_200_000_000_000);
        let mut o = Observation::new(EventId::of_request("r", 5), "call", ObservedAs::Record, start);
        o.usage_raw = usage.and_then(JsonText::new);
        let attributes = record::attributes(&o);
        PricedCall::new(o, attributes, Report::to_metrics()).queue_bytes()
    };
    let usage = format!(r#"{{"note":"{}"}}"#, "x".repeat(5_000));
    assert!(bytes(Some(&usage)) >= bytes(None) + 2 * usage.len());
}
