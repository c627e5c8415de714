//! Measures the time and the allocations of pricing a call, and the time to load books.

mod support;

use spanledger_price::{PriceBook, usage};
use support::{large_book, text_call, text_usage};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

/// A text call of four lines, in a book of more than 500 models: name to model, moment to rates,
/// usage to lines.
#[divan::bench(sample_size = 1000)]
fn price_text_call(bencher: divan::Bencher<'_, '_>) {
    let book = large_book();
    let usage = text_usage();
    let query = text_call(&usage);
    bencher.bench_local(|| divan::black_box(&book).price(divan::black_box(&query)));
}

/// Finds a model by the name of a snapshot.
#[divan::bench(sample_size = 1000)]
fn resolve_model(bencher: divan::Bencher<'_, '_>) {
    let book = large_book();
    bencher.bench_local(|| {
        let provider = divan::black_box(&book).provider(divan::black_box("openai"))?;
        provider.model(divan::black_box("gpt-5.5-2026-04-23")).map(|model| model.name().len())
    });
}

#[divan::bench]
fn parse_usage(bencher: divan::Bencher<'_, '_>) {
    let json = r#"{"input_tokens":15234,"input_tokens_details":{"cached_tokens":12000},"output_tokens":812,
        "output_tokens_details":{"reasoning_tokens":320},"total_tokens":16046}"#;
    bencher.bench_local(|| usage::parse("openai", divan::black_box(json)));
}

/// Loads all files of the built-in book.
#[divan::bench]
fn load_built_in_book() -> usize {
    PriceBook::parse(divan::black_box(PriceBook::builtin_files())).map_or(0, |book| book.providers().len())
}

/// Loads a user's file with 500 models and applies it to the built-in book.
#[divan::bench]
fn load_large_book() -> usize {
    large_book().providers().len()
}
