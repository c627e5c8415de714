use spanledger_event::{CallOutcome, Observation, UnpricedReason};
use spanledger_price::PriceBook;
use spanledger_testkit::otlp::{SpanBuilder, text};

use crate::{
    record::{JOB_PREFIX, PROCESS_DIED, RECORDS_LOST},
    test_support::{cost_of, read_one},
};

/// Scenario: the counts of a search model's span do not contain the search that each call makes.
#[test]
fn pricing_adds_the_search_of_a_search_model_to_its_usage() {
    let mut o = read_one(SpanBuilder::chat("gpt-5-search-api").tokens(10, 1).build());
    assert_eq!(o.usage.as_ref().unwrap().web_search_calls, 0);
    crate::price(PriceBook::builtin(), &mut o);
    assert_eq!(o.usage.unwrap().web_search_calls, 1);
    assert!(o.cost.unwrap().lines.iter().any(|line| line.kind == "web_search"));
}

#[test]
fn a_regional_host_has_the_price_of_its_region() {
    for (place, region, usd) in [
        (text("server.address", "api.openai.com"), None, "0.008"),
        (text("server.address", "eu.api.openai.com"), Some("eu"), "0.0088"),
        (text("spanledger.region", "eu"), Some("eu"), "0.0088"),
    ] {
        let o = read_one(SpanBuilder::chat("gpt-5.5").tokens(1_000, 100).attribute(place.clone()).build());
        assert_eq!(o.region.as_deref(), region, "{place:?}");
        assert_eq!(cost_of(&o).usd.unwrap().to_string(), usd, "{place:?}");
    }
}

/// The sentence of the price book is about streams.
#[test]
fn a_call_without_usage_says_why_if_that_is_known() {
    let detail = |change: fn(&mut Observation)| {
        let mut o = read_one(SpanBuilder::chat("gpt-5.5").build());
        change(&mut o);
        crate::price(PriceBook::builtin(), &mut o);
        let cost = o.cost.unwrap();
        assert_eq!(cost.reason, Some(UnpricedReason::NoUsage));
        cost.detail.unwrap()
    };
    assert!(detail(|_| {}).contains("stream_options"));
    let lost = detail(|o| o.outcome = CallOutcome::Incomplete(RECORDS_LOST.to_owned()));
    assert!(lost.contains("lost the records"), "{lost}");
    let died = detail(|o| o.outcome = CallOutcome::Incomplete(PROCESS_DIED.to_owned()));
    assert!(died.contains("may bill it"), "{died}");
    let job = detail(|o| o.call_id = format!("{JOB_PREFIX}openai:batch_1:"));
    assert!(job.contains("when it is read"), "{job}");
}
