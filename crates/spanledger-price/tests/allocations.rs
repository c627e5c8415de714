//! Pricing a call allocates only the list of its lines, because every call is priced. Reading a usage allocates in
//! proportion to its size.

use spanledger_event::{NestedUsage, Timestamp};
use spanledger_price::{PriceBook, PriceQuery, usage};

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

/// Scenario: a usage has one key of 100 kB, and below it 50,000 numbers. Each number was written with the key,
/// which took 10 GB.
#[test]
fn reading_a_usage_allocates_in_proportion_to_its_size() {
    let numbers = vec!["7"; 50_000].join(",");
    let json = format!(r#"{{"prompt_tokens": 1, "{}": [{numbers}]}}"#, "k".repeat(100_000));
    let counted = allocation_counter::measure(|| {
        let parsed = usage::parse("openai", &json).unwrap();
        assert_eq!(parsed.unrecognized_counts.len(), 65);
    });
    let per_byte = counted.bytes_total / u64::try_from(json.len()).unwrap();
    assert!(per_byte < 50, "{per_byte} bytes are allocated for each byte of the usage");
}
