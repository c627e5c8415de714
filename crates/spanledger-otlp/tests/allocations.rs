//! Reading a message allocates in proportion to its size.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use spanledger_event::keys;
use spanledger_otlp::{ObservationReader, Traces};
use spanledger_testkit::otlp::{SpanBuilder, resource, scope, text, traces_of};

/// Scenario: a scope and a resource have texts of a megabyte, and all their spans share them. Each span had a copy
/// of them, so that a message of a few megabytes took gigabytes.
#[test]
fn the_texts_of_a_scope_and_a_resource_are_not_copied_for_each_span() {
    const MEGABYTE: usize = 1 << 20;
    const SPANS: usize = 500;
    let long = "x".repeat(MEGABYTE);
    let keys = [keys::SERVICE_NAME, keys::FEATURE, keys::REQUEST_ID, keys::DEPLOYMENT_ENVIRONMENT_NAME];
    let shared = resource(keys.map(|key| text(key, long.as_str())));
    let spans = (0..SPANS).map(|_| SpanBuilder::chat("gpt-5.5").tokens(1, 1).build());
    let traces: Traces = traces_of(shared, scope(&long, &long), spans).into();
    let mut read = Vec::new();
    let counted = allocation_counter::measure(|| read = ObservationReader::default().traces(&traces));
    assert!(read.len() == SPANS && read.iter().all(|o| o.truncated));
    let most = u64::try_from(8 * MEGABYTE + SPANS * 20_000).unwrap();
    assert!(counted.bytes_total < most, "{} bytes were allocated", counted.bytes_total);
}
