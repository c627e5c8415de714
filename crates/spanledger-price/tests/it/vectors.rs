//! Compares costs exactly with test vectors (`tests/data/vectors.jsonl`). They come from the tests of other
//! engines, from real responses, from a real bill, and from running two other engines. Each line has its
//! source.

use std::collections::BTreeMap;

use serde_json::Value;
use spanledger_event::{Endpoint, Usage, Usd};
use spanledger_price::{PriceQuery, usage};

use crate::support::{day, line, price, usd};

const VECTORS: &str = include_str!("../data/vectors.jsonl");
const JUDGED_WRONG: &str = include_str!("../data/judged_wrong.toml");

struct Vector {
    fields: Value,
    usage: Usage,
}

impl Vector {
    fn text(&self, key: &str) -> Option<&str> {
        self.fields[key].as_str()
    }

    fn question(&self) -> PriceQuery<'_> {
        PriceQuery {
            provider: self.text("provider").unwrap(),
            response_model: self.text("model"),
            endpoint: Endpoint::from_name(self.text("api").unwrap()),
            service_tier: self.text("service_tier"),
            region: self.text("region"),
            at: day(self.text("priced_at").unwrap()),
            usage: Some(&self.usage),
            ..PriceQuery::default()
        }
    }
}

fn vectors() -> Vec<Vector> {
    let read = |json: &str| {
        let fields: Value = serde_json::from_str(json).unwrap();
        let usage = usage::parse("openai", &fields["usage"].to_string()).unwrap().usage;
        Vector { fields, usage }
    };
    VECTORS.lines().map(read).collect()
}

/// The result of the price book for each vector whose expected cost is wrong, by the vector's id. It is a
/// cost, or the reason of an unpriced call.
fn judged_wrong() -> BTreeMap<String, String> {
    let list: toml::Table = JUDGED_WRONG.parse().unwrap();
    assert!(list.values().all(|entry| entry["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
    list.iter().map(|(id, entry)| (id.clone(), entry["ours"].as_str().unwrap().to_owned())).collect()
}

/// Guarantees: every cost is exactly the expected one, and a call without an expected cost is unpriced. The
/// list of exceptions has no vector that agrees.
#[test]
fn costs_equal_the_expected_ones_exactly() {
    let mut wrong = Vec::new();
    let mut listed = judged_wrong();
    for vector in vectors() {
        let id = vector.text("id").unwrap();
        let cost = price(&vector.question());
        let expected: Option<Usd> = vector.text("expected_cost_usd").map(usd);
        if let Some(ours) = listed.remove(id) {
            assert_ne!(cost.usd, expected, "{id} is listed and agrees");
            let found = cost.usd.map_or_else(|| cost.reason.unwrap().to_string(), |usd| usd.to_string());
            assert_eq!(found, ours, "{id}");
        } else if cost.usd != expected {
            wrong.push(format!("{id}: expected {expected:?}, is {cost:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(listed.is_empty(), "no vector has these ids: {listed:?}");
}

/// Guarantees: not only the totals agree, but also each line.
#[test]
fn lines_equal_the_expected_ones() {
    let (mut compared, exceptions) = (0, judged_wrong());
    for vector in vectors() {
        let Some(parts) = vector.fields["breakdown"].as_object() else { continue };
        let cost = price(&vector.question());
        let id = vector.text("id");
        if cost.usd.is_none() || exceptions.contains_key(id.unwrap()) {
            continue;
        }
        // The shorter form counts all input as one part.
        let all_input = !parts.contains_key("cached_input");
        for (kind, amount) in parts {
            let kinds: &[&str] = match kind.as_str() {
                "output" => &["output", "reasoning"],
                "input" if all_input => &["input", "cached_input", "cache_write", "cache_write_12h"],
                "cache_write" => &["cache_write", "cache_write_12h"],
                kind => &[kind],
            };
            let sum: Usd = kinds.iter().map(|kind| line(&cost, kind)).sum();
            assert_eq!(sum, usd(amount.as_str().unwrap()), "{id:?} {kind}");
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
}

/// Guarantees: every count in a vector's usage is recognized.
#[test]
fn every_count_of_a_vector_is_recognized() {
    for vector in vectors() {
        let parsed = usage::parse("openai", &vector.fields["usage"].to_string()).unwrap();
        let expected: &[&str] = match vector.text("id").unwrap() {
            // A gateway wrote its own estimate into the usage.
            "genai-ds-083" => &["pydantic_ai_gateway.cost_estimate=0.00012625"],
            _ => &[],
        };
        assert_eq!(parsed.unrecognized_counts, expected, "{:?}", vector.text("id"));
    }
}
