//! Compares our prices with those of another price engine, for every model that both have.
//!
//! If two prices differ, one of them is wrong. `data/price_oracle.toml` explains each difference: an entry
//! has a reason and the cases that it explains, in which `*` stands for any word. A difference without a
//! reason fails the test, and so does a listed case that does not differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use spanledger_event::{Bucket, NestedUsage, Timestamp, Usd};
use spanledger_price::{Meter, Model, PriceBook, PriceQuery, Provider, Tier};

use crate::support::peer;

const DIFFERENCES: &str = include_str!("data/price_oracle.toml");
const AT: &str = "2026-11-15T10:00:00Z";

/// The names of each provider in our book and in the oracle's.
const PROVIDERS: [(&str, &str); 8] = [
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("google", "google"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral"),
    ("xai", "x-ai"),
    ("groq", "groq"),
    ("cohere", "cohere"),
];

const TIERS: [Tier; 4] = [Tier::Standard, Tier::Batch, Tier::Flex, Tier::Priority];

/// The usages to price, each with a name; the last one is above every long-context threshold.
fn usages() -> [(&'static str, NestedUsage); 5] {
    let plain = NestedUsage { input: 12_345, output: 678, ..NestedUsage::default() };
    [
        ("plain", plain),
        ("cached", NestedUsage { cached: 10_000, ..plain }),
        ("reasoning", NestedUsage { reasoning: 600, ..plain }),
        ("written", NestedUsage { cached: 5_000, cache_write: 5_000, ..plain }),
        ("long", NestedUsage { input: 300_001, cached: 100_000, ..plain }),
    ]
}

#[derive(serde::Deserialize)]
struct Differences {
    difference: Vec<Difference>,
}

#[derive(serde::Deserialize)]
struct Difference {
    reason: String,
    cases: Vec<String>,
}

struct Case {
    name: String,
    /// Whether the model generates images. The questions do not say how many output tokens are images.
    makes_images: bool,
    ours: Option<Usd>,
    question: Value,
}

fn case(
    theirs: &str,
    provider: &Provider,
    model: &Model,
    tier: Tier,
    shape: &str,
    nested: NestedUsage,
) -> Case {
    let has = |bucket| {
        let price = model.price(tier, Timestamp::parse(AT).unwrap());
        price.is_some_and(|price| price.rates().get(Meter::Tokens(bucket)).is_some())
    };
    // Embeddings have no output, and neither engine has a rate for it.
    let nested = if has(Bucket::Output) { nested } else { NestedUsage { output: 0, reasoning: 0, ..nested } };
    let usage = nested.exclusive().unwrap();
    let cost = PriceBook::builtin().price(&PriceQuery {
        provider: provider.name(),
        model: Some(model.name()),
        service_tier: Some(tier.as_str()),
        at: Timestamp::parse(AT).unwrap(),
        usage: Some(&usage),
        ..PriceQuery::default()
    });
    // The oracle prices tokens only. We also bill the searches that a search model makes at each call.
    let token_lines = cost.lines.iter().filter(|line| Bucket::from_name(&line.kind).is_some());
    let ours = cost.usd.map(|_| token_lines.map(|line| line.usd).sum());
    let mut counts = json!({ "input_tokens": nested.input, "output_tokens": nested.output });
    for (name, count) in [("cache_read_tokens", nested.cached), ("cache_write_tokens", nested.cache_write)] {
        if count > 0 {
            counts[name] = count.into();
        }
    }
    Case {
        name: format!("{} {} {tier} {shape}", provider.name(), model.name()),
        makes_images: has(Bucket::ImageOutput),
        ours,
        question: json!({
            "provider": theirs, "model": model.name(), "tier": tier.as_str(), "at": AT, "usage": counts,
        }),
    }
}

fn cases() -> Vec<Case> {
    let book = PriceBook::builtin();
    let mut cases = Vec::new();
    for (ours, theirs) in PROVIDERS {
        let provider = book.provider(ours).unwrap();
        for model in provider.models() {
            for tier in TIERS {
                if model.price(tier, Timestamp::parse(AT).unwrap()).is_none() {
                    continue;
                }
                // Other providers do not report cache writes as a token count.
                let has_writes = matches!(ours, "openai" | "anthropic");
                for (shape, nested) in usages().into_iter().filter(|(_, n)| n.cache_write == 0 || has_writes)
                {
                    cases.push(case(theirs, provider, model, tier, shape, nested));
                }
            }
        }
    }
    cases
}

/// Every price that both engines have is the same to the last digit, except the listed ones.
#[test]
fn an_independent_engine_agrees() {
    let Some(python) = peer("venv/bin/python") else { return };
    let cases = cases();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/price_oracle.py");
    let mut oracle =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = oracle.stdin.take().unwrap();
    let questions: Vec<String> = cases.iter().map(|case| format!("{}\n", case.question)).collect();
    let writer = std::thread::spawn(move || {
        for question in questions {
            input.write_all(question.as_bytes()).unwrap();
        }
    });
    let output = oracle.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), cases.len());

    let known: Differences = toml::from_str(DIFFERENCES).unwrap();
    assert!(known.difference.iter().all(|entry| !entry.reason.is_empty()));
    let listed: BTreeSet<&str> =
        known.difference.iter().flat_map(|entry| &entry.cases).map(String::as_str).collect();
    let explains = |pattern: &str, case: &str| {
        let (pattern, case) = (pattern.split(' '), case.split(' '));
        pattern.clone().count() == case.clone().count() && pattern.zip(case).all(|(p, c)| p == "*" || p == c)
    };
    let (mut agreeing_providers, mut differ) = (BTreeSet::new(), BTreeMap::new());
    for (case, answer) in cases.iter().zip(&answers) {
        let Some(theirs) = answer["usd"].as_str() else {
            continue;
        };
        // The oracle's amounts have more decimal places than a picodollar.
        let theirs: Usd = Usd::from_decimal(theirs.parse().unwrap()).unwrap();
        match case.ours {
            Some(ours) if ours == theirs => _ = agreeing_providers.insert(case.name.split(' ').next()),
            Some(ours) => _ = differ.insert(case.name.as_str(), format!("ours {ours}, theirs {theirs}")),
            // A usage without a published rate is unpriced in our book; the oracle uses another rate.
            None => {
                let must_have_one = case.name.ends_with("standard plain") && !case.makes_images;
                assert!(!must_have_one || theirs == Usd::ZERO, "{}", case.name);
            }
        }
    }
    let new: Vec<_> =
        differ.iter().filter(|(case, _)| !listed.iter().any(|pattern| explains(pattern, case))).collect();
    let old: Vec<_> =
        listed.iter().filter(|pattern| !differ.keys().any(|case| explains(pattern, case))).collect();
    assert!(
        new.is_empty() && old.is_empty(),
        "differences without a reason: {new:#?}\nlisted cases that do not differ: {old:#?}"
    );
    let compared: BTreeSet<Option<&str>> = PROVIDERS.iter().map(|(ours, _)| Some(*ours)).collect();
    assert_eq!(agreeing_providers, compared, "each provider has prices that both engines know");
}
