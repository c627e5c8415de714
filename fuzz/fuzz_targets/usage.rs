//! Reads a provider's usage object, and prices it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spanledger_event::{Endpoint, Timestamp, Usage, Usd};
use spanledger_price::{PriceBook, PriceQuery, usage};

/// Providers that the built-in book does not have: Bedrock, whose usage objects are recognized, and an
/// unknown name.
const UNPRICED: [&str; 2] = ["aws.bedrock", "acme"];

/// A provider and one of its models, out of the built-in book and [`UNPRICED`].
fn provider_and_model(provider: u8, model: u16) -> (&'static str, &'static str) {
    let priced = PriceBook::builtin().providers();
    let index = usize::from(provider) % (priced.len() + UNPRICED.len());
    match priced.get(index) {
        Some(provider) => {
            let models = provider.models();
            (provider.name(), models[usize::from(model) % models.len()].name())
        }
        None => (UNPRICED[index - priced.len()], "acme-1"),
    }
}

fuzz_target!(|input: (u8, u16, u8, &str)| {
    let (provider, model, endpoint, json) = input;
    let (provider, model) = provider_and_model(provider, model);
    let endpoint = Endpoint::ALL[usize::from(endpoint) % Endpoint::ALL.len()];
    let parsed = match usage::parse_for(provider, endpoint, json) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.to_problem().is_empty());
            return;
        }
    };
    let stored = serde_json::to_string(&parsed.usage).expect("a usage can be written as JSON");
    assert_eq!(serde_json::from_str::<Usage>(&stored).expect("the JSON of a usage can be read"), parsed.usage);

    let cost = PriceBook::builtin().price(&PriceQuery {
        provider,
        model: Some(model),
        endpoint,
        at: Timestamp::parse("2026-11-15T00:00:00Z").expect("the timestamp is valid"),
        usage: Some(&parsed.usage),
        ..PriceQuery::default()
    });
    assert_eq!(cost.usd.is_some(), cost.reason.is_none());
    if let Some(total) = cost.usd {
        assert_eq!(total, cost.lines.iter().map(|line| line.usd).sum::<Usd>());
        assert!(total >= Usd::ZERO);
    }
});
