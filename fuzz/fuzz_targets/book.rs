//! Reads a price book file, alone and over the built-in book, and prices every model of the result.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spanledger_event::{Bucket, Timestamp, Usage};
use spanledger_price::{BookErrors, PriceBook, PriceQuery};
use spanledger_pricelist::{diff, lint};

fn check(text: &str, read: Result<PriceBook, BookErrors>) {
    let book = match read {
        Ok(book) => book,
        Err(errors) => {
            let lines = text.lines().count().max(1);
            assert!(!errors.0.is_empty());
            assert!(errors.0.iter().all(|error| (1..=lines + 1).contains(&error.line)), "{errors}");
            return;
        }
    };
    let usage = Bucket::ALL.into_iter().fold(Usage::default(), |usage, bucket| usage.with(bucket, 1_000));
    for provider in book.providers() {
        for model in provider.models() {
            let cost = book.price(&PriceQuery {
                provider: provider.name(),
                model: Some(model.name()),
                at: Timestamp::parse("2026-11-15T00:00:00Z").expect("the timestamp is valid"),
                usage: Some(&usage),
                ..PriceQuery::default()
            });
            assert_eq!(cost.usd.is_some(), cost.reason.is_none());
        }
    }
    assert!(diff::between(&book, &book, None).is_empty());
    let _warnings = lint::warnings(&book);
}

fuzz_target!(|text: &str| {
    check(text, PriceBook::parse([("fuzzed.toml", text)]));
    check(text, PriceBook::builtin().layered([("fuzzed.toml", text)]));
});
