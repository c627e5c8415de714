//! How long one price takes, and how long the built-in book takes to load.

use spanledger_event::{Endpoint, NestedUsage, Timestamp, Usage};
use spanledger_price::{PriceBook, Question, usage};

fn main() {
    divan::main();
}

fn text_usage() -> Usage {
    let nested =
        NestedUsage { input: 15_234, cached: 12_000, output: 812, reasoning: 320, ..NestedUsage::default() };
    nested.exclusive().expect("the parts are contained in their wholes")
}

fn text_call(usage: &Usage) -> Question<'_> {
    Question {
        provider: "openai",
        model: Some("gpt-5.5"),
        response_model: Some("gpt-5.5-2026-04-23"),
        endpoint: Endpoint::Responses,
        service_tier: Some("default"),
        at: Timestamp::parse("2026-11-15T10:00:00Z").expect("a moment"),
        usage: Some(usage),
        ..Question::default()
    }
}

/// A text call of four lines: name to model, moment to rates, usage to lines.
#[divan::bench]
fn price_text_call(bencher: divan::Bencher<'_, '_>) {
    let book = PriceBook::builtin();
    let usage = text_usage();
    let question = text_call(&usage);
    bencher.bench_local(|| divan::black_box(book).price(divan::black_box(&question)));
}

/// The part of it that decides which rates apply.
#[divan::bench]
fn resolve_model(bencher: divan::Bencher<'_, '_>) {
    let book = PriceBook::builtin();
    bencher.bench_local(|| {
        let provider = divan::black_box(book).provider(divan::black_box("openai"))?;
        provider.model(divan::black_box("gpt-5.5-2026-04-23")).map(|model| model.name().len())
    });
}

#[divan::bench]
fn parse_usage(bencher: divan::Bencher<'_, '_>) {
    let json = r#"{"input_tokens":15234,"input_tokens_details":{"cached_tokens":12000},"output_tokens":812,
        "output_tokens_details":{"reasoning_tokens":320},"total_tokens":16046}"#;
    bencher.bench_local(|| usage::openai::parse(divan::black_box(json)));
}

#[divan::bench]
fn load_built_in_book() -> usize {
    let text = include_str!("../book/openai.toml");
    let book = PriceBook::parse([("openai.toml", divan::black_box(text))]).expect("a valid book");
    book.providers().len()
}
