//! The book and the call that several benchmarks use.

use std::fmt::Write as _;

use spanledger_event::{Endpoint, NestedUsage, Timestamp, Usage};
use spanledger_price::{PriceBook, PriceQuery};

/// The built-in book with 500 models laid over it, as a company might do that hosts models of its
/// own.
#[expect(clippy::expect_used, reason = "a measurement of something else would mislead")]
pub(crate) fn large_book() -> PriceBook {
    let mut text = String::from("[provider]\nname = \"openai\"\n[sources]\nown = \"made up\"\n");
    for number in 0..500 {
        write!(
            text,
            "[[model]]\nname = \"own-model-{number}\"\nsnapshots = [\"own-model-{number}-preview\"]\n\
             [[price]]\nmodel = \"own-model-{number}\"\nfrom = 2026-01-01\nsources = [\"own\"]\nprices_checked = 2026-01-01\n\
             standard = {{ input_per_1m = \"1.{number}\", cached_input_per_1m = \"0.1\", output_per_1m = \"4\" }}\n"
        )
        .expect("a string takes everything");
    }
    PriceBook::builtin().layered([("own.toml", text.as_str())]).expect("a valid book")
}

/// A text call of four lines: input, cached input, output, reasoning.
#[expect(clippy::expect_used, reason = "a measurement of something else would mislead")]
pub(crate) fn text_usage() -> Usage {
    let nested =
        NestedUsage { input: 15_234, cached: 12_000, output: 812, reasoning: 320, ..NestedUsage::default() };
    nested.exclusive().expect("the parts are contained in their wholes")
}

#[expect(clippy::expect_used, reason = "a measurement of something else would mislead")]
pub(crate) fn text_call(usage: &Usage) -> PriceQuery<'_> {
    PriceQuery {
        provider: "openai",
        model: Some("gpt-5.5"),
        response_model: Some("gpt-5.5-2026-04-23"),
        endpoint: Endpoint::Responses,
        service_tier: Some("default"),
        at: Timestamp::parse("2026-11-15T10:00:00Z").expect("a moment"),
        usage: Some(usage),
        ..PriceQuery::default()
    }
}
