//! Pricing happens at every call, so it must allocate only the list of its lines.

use spanledger_event::{NestedUsage, Timestamp};
use spanledger_price::{PriceBook, PriceQuery};

#[test]
fn a_text_call_allocates_once() {
    let usage =
        NestedUsage { input: 15_234, cached: 12_000, output: 812, reasoning: 320, ..NestedUsage::default() }
            .exclusive()
            .unwrap();
    let query = PriceQuery {
        provider: "openai",
        response_model: Some("gpt-5.5-2026-04-23"),
        service_tier: Some("default"),
        at: Timestamp::parse("2026-11-15T10:00:00Z").unwrap(),
        usage: Some(&usage),
        ..PriceQuery::default()
    };
    let book = PriceBook::builtin();
    let counted = allocation_counter::measure(|| {
        let cost = book.price(&query);
        assert_eq!(cost.lines.len(), 4, "{cost:?}");
    });
    assert_eq!(counted.count_total, 1);
}
