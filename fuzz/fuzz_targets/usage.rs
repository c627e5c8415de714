//! Reads a provider's usage object, and prices it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spanledger_event::{Endpoint, Timestamp, Usage, Usd};
use spanledger_price::{PriceBook, PriceQuery, usage};

const PROVIDERS: [(&str, &str); 9] = [
    ("openai", "gpt-6-astra"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-flash"),
    ("mistral", "mistral-large-latest"),
    ("xai", "grok-4"),
    ("groq", "openai/gpt-oss-120b"),
    ("cohere", "command-r-08-2024"),
    ("somebody", "something"),
];

fuzz_target!(|input: (u8, u8, &str)| {
    let (provider, endpoint, json) = input;
    let (provider, model) = PROVIDERS[usize::from(provider) % PROVIDERS.len()];
    let endpoint = Endpoint::ALL[usize::from(endpoint) % Endpoint::ALL.len()];
    let parsed = match usage::parse_for(provider, endpoint, json) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.to_problem().is_empty());
            return;
        }
    };
    let stored = serde_json::to_string(&parsed.usage).expect("a usage is JSON");
    assert_eq!(serde_json::from_str::<Usage>(&stored).expect("and back"), parsed.usage);

    let cost = PriceBook::builtin().price(&PriceQuery {
        provider,
        model: Some(model),
        endpoint,
        at: Timestamp::parse("2026-11-15T00:00:00Z").expect("a moment"),
        usage: Some(&parsed.usage),
        ..PriceQuery::default()
    });
    assert_eq!(cost.usd.is_some(), cost.reason.is_none());
    if let Some(total) = cost.usd {
        assert_eq!(total, cost.lines.iter().map(|line| line.usd).sum::<Usd>());
        assert!(total >= Usd::ZERO);
    }
});
