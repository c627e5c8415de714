//! Tests that read a list, write its entries and read them again, and a property test for any list.

use std::collections::BTreeSet;

use proptest::prelude::*;
use spanledger_event::Timestamp;

use spanledger_price::PriceBook;

use super::{
    Accept, Comparison, EntryOptions, PriceMap, Scope, compare, diff, entries, genai_prices, insert, litellm,
};

/// A book with a fallback, a fee, a threshold, a snapshot, a free model and hours.
pub(super) const BOOK: &str = r#"# our own words
[provider]
name = "openai"
[sources]
page = "the price page" # read by hand

[tiers]
batch = ["batch"]
[fallback]
cached_input = "input"
reasoning = "output"
[regional_surcharge]
factor = "1.1"
regions = ["eu"]
sources = ["page"]
prices_checked = 2026-11-01
[[fee]]
web_search_per_1k = "10"
sources = ["page"]
prices_checked = 2026-11-01

[[model]]
name = "one"
snapshots = ["one-old"]
long_context_over_tokens = 272000
[[price]]
model = "one"
sources = ["page"]
prices_checked = 2026-11-01
standard = { input_per_1m = "2", cached_input_per_1m = "0.2", output_per_1m = "8", audio_input_per_1m = "30" }
standard_long = { input_per_1m = "4", cached_input_per_1m = "0.4", output_per_1m = "12" }
batch = { input_per_1m = "1", output_per_1m = "4" }

[[model]]
name = "two"
[[price]]
model = "two"
sources = ["page"]
prices_checked = 2026-11-01
standard = { input_per_1m = "1", output_per_1m = "3" }
[[price]]
model = "two"
hours_utc = "16:30-00:30"
sources = ["page"]
prices_checked = 2026-11-01
standard = { input_per_1m = "0.5", output_per_1m = "1.5" }

[[model]]
name = "free"
free = true
"#;

pub(super) fn book(text: &str) -> PriceBook {
    PriceBook::parse([("openai.toml", text)]).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

pub(super) fn scope() -> Scope {
    Scope { at: Timestamp::parse("2026-11-21T00:00:00Z").unwrap(), ..Scope::default() }
}

pub(super) fn options(accept: Accept) -> EntryOptions {
    let text = str::to_owned;
    EntryOptions {
        provider: text("openai"),
        from: text("2026-11-21"),
        checked: text("2026-11-21"),
        source_id: text("list"),
        source_text: text("a list of \"today\""),
        accept,
        list: false,
    }
}

fn again(map: &PriceMap, comparison: &Comparison, accept: Accept) -> (PriceBook, Comparison) {
    let written = entries(comparison, &options(accept.clone()));
    let text = insert(None, BOOK, &written).unwrap_or_else(|error| panic!("{error:?}\n{written}"));
    let after = book(&text);
    // The same entries in a separate file that is laid over the book give the same prices.
    let over = entries(comparison, &EntryOptions { list: true, ..options(accept) });
    let overrides = insert(Some(&book(BOOK)), "", &over).unwrap();
    let layered = book(BOOK).layered([("own.toml", overrides.as_str())]).unwrap();
    let at = Some(scope().at);
    assert_eq!(diff::between(&after, &layered, at), [], "{written}");
    let comparison = compare(&after, map, &scope());
    (after, comparison)
}

#[test]
fn an_imported_list_is_not_proposed_again() {
    let map = litellm(
        r#"{"one": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 8e-06,
                "input_cost_per_token_above_272k_tokens": 4e-06,
                "search_context_cost_per_query": {"search_context_size_low": 0.01}},
            "three": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "regional_processing_uplift_multiplier_eu": 1.1}}"#,
    )
    .unwrap();
    let comparison = compare(&book(BOOK), &map, &scope());
    let written = entries(&comparison, &options(Accept::None));
    assert_eq!(
        written.to_string(),
        r#"
[[model]]
name = "three"
regional_surcharge = true

[[price]]
model = "three"
from = 2026-11-21
sources = ["list"]
prices_checked = 2026-11-21
standard = { input_per_1m = "1" }

[[price]]
model = "one"
from = 2026-11-21
sources = ["list"]
prices_checked = 2026-11-21
standard = { input_per_1m = "2.5", cached_input_per_1m = "0.2", audio_input_per_1m = "30", output_per_1m = "8" }
standard_long = { input_per_1m = "4", cached_input_per_1m = "0.4", output_per_1m = "12" }

# Not in a list of "today". One that has ended needs an `until`:
#   two
#   free
"#
    );
    let (after, second) = again(&map, &comparison, Accept::None);
    assert!(second.is_clean(), "{second}");
    let changes = diff::between(&book(BOOK), &after, Some(scope().at));
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "openai one: standard input 2 -> 2.5 per 1M tokens",
            "openai three: new model",
            "openai three: standard input 1 (new) per 1M tokens",
        ]
    );
}

#[test]
fn hours_of_genai_prices_are_written() {
    let map = genai_prices(
        r#"[{"id": "openai", "models": [{"id": "two", "prices": [
            {"prices": {"input_mtok": 1, "output_mtok": 3}},
            {"constraint": {"start_time": "16:30:00Z", "end_time": "00:30:00Z"}, "prices": {"input_mtok": 0.6}}]}]}]"#,
    )
    .unwrap();
    let comparison = compare(&book(BOOK), &map, &scope());
    assert!(
        entries(&comparison, &options(Accept::None))
            .to_string()
            .contains("hours_utc = \"16:30-00:30\"\nsources = [\"list\"]\nprices_checked = 2026-11-21\nstandard = { input_per_1m = \"0.6\", output_per_1m = \"1.5\" }")
    );
    assert!(again(&map, &comparison, Accept::None).1.is_clean());
}

/// A key of the map with a rate.
fn field() -> impl Strategy<Value = String> {
    let base = prop::sample::select(vec![
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
        "cache_creation_input_token_cost_above_1hr",
        "output_cost_per_reasoning_token",
        "input_cost_per_audio_token",
        "input_cost_per_image",
        "output_cost_per_second",
    ]);
    let over = prop::sample::select(vec!["", "", "", "_above_272k_tokens", "_above_200k_tokens"]);
    let tier = prop::sample::select(vec!["", "", "_batches", "_flex", "_priority"]);
    let rate = (prop::sample::select(vec![0_u32, 1, 2, 4, 8, 25]), -9_i32..-4);
    (base, over, tier, rate)
        .prop_map(|(base, over, tier, (digits, power))| format!("\"{base}{over}{tier}\": {digits}e{power}"))
}

fn model() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "one",
        "one-old",
        "one-2026-01-01",
        "two",
        "two-2026-02-02",
        "free",
        "three",
        "three-2026-03-03",
        "hd/1-x-2/pic",
        "ft:one",
        "low/1-x-2/pic",
    ]);
    let mode = prop::sample::select(vec!["chat", "embedding", "image_generation", "video_generation"]);
    let search = prop::sample::select(vec![
        "",
        ", \"search_context_cost_per_query\": {\"a\": 0.01}",
        ", \"file_search_cost_per_1k_calls\": 2",
    ]);
    (name, mode, prop::collection::vec(field(), 0..6), search).prop_map(|(name, mode, fields, search)| {
        let fields = [vec![String::new()], fields].concat().join(", ");
        format!("\"{name}\": {{\"litellm_provider\": \"openai\", \"mode\": \"{mode}\"{fields}{search}}}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Guarantees: inserted entries are not proposed again; only proposals that were not accepted remain.
    #[test]
    fn inserted_entries_are_not_proposed_again(models in prop::collection::vec(model(), 1..8)) {
        let map = litellm(&format!("{{{}}}", models.join(", "))).unwrap();
        let comparison = compare(&book(BOOK), &map, &scope());
        let (_, second) = again(&map, &comparison, Accept::None);
        prop_assert!(second.new.is_empty() && second.changed.is_empty(), "{}\n{}", comparison, second);
        let names = |comparison: &Comparison| -> BTreeSet<String> {
            comparison.suspicious.iter().map(|proposal| proposal.model.clone()).collect()
        };
        prop_assert_eq!(names(&comparison), names(&second));
        let (_, second) = again(&map, &comparison, Accept::All);
        prop_assert!(second.is_clean(), "{}\n{}", comparison, second);
    }
}
