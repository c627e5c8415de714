use spanledger_price::PriceBook;
use spanledger_testkit::otlp::{SpanBuilder, text};

use crate::test_support::{cost_of, read_one};

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
