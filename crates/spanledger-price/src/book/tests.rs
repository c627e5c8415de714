use std::collections::BTreeMap;

use spanledger_event::{Bucket, Usage};

use super::{BookError, Model, PriceBook, Rates, grammar};
use crate::{Meter, PriceQuery, Tier};

pub(super) mod markdown;

fn parse(text: &str) -> PriceBook {
    PriceBook::parse([("acme.toml", text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn model(book: &PriceBook) -> &Model {
    book.provider("acme").unwrap().model("m").unwrap()
}

#[test]
fn mistakes_are_reported_on_their_line_with_the_remedy() {
    let document = markdown::parse(include_str!("tests/mistakes.md"));
    for case in &document.cases {
        assert!(!case.blocks.is_empty(), "{} has no file", case.title);
        for block in &case.blocks {
            let head = if block.info == "toml whole" { "" } else { &document.head };
            check_mistakes(&case.title, &format!("{head}{}", block.text));
        }
    }
}

/// Compares the errors of a file with the messages after its `#~`, line by line.
fn check_mistakes(title: &str, text: &str) {
    let errors = PriceBook::parse([("acme.toml", text)]).err().map(|errors| errors.0).unwrap_or_default();
    compare_mistakes(title, text, &errors);
}

pub(super) fn compare_mistakes(title: &str, text: &str, errors: &[BookError]) {
    let mut expected: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let messages: Vec<&str> = line.split("#~ ").skip(1).map(str::trim_end).collect();
        if !messages.is_empty() {
            expected.insert(index + 1, messages);
        }
    }
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for error in errors {
        found.entry(error.line).or_default().push(error.problem.to_string());
    }
    let matches = |(found, expected): (&String, &&str)| match expected.strip_suffix('…') {
        Some(start) => found.starts_with(start),
        None => found == expected,
    };
    let same = found.keys().eq(expected.keys())
        && found.values().zip(expected.values()).all(|(found, expected)| {
            found.len() == expected.len() && found.iter().zip(expected).all(matches)
        });
    assert!(same, "{title}\nfound {found:#?}\nexpected {expected:#?}\nin\n{text}");
}

#[test]
fn the_grammar_never_suggests_another_key_for_a_valid_one() {
    fn check(section: &'static grammar::Section) {
        for key in section.keys {
            let meant = section.meant_by(key.name).map_or(key.name, |meant| meant.name);
            assert_eq!(meant, key.name);
            if let grammar::Value::Table(inner) | grammar::Value::Tables(inner) = key.value {
                check(inner);
            }
        }
    }
    check(&grammar::FILE);
}

#[test]
fn the_built_in_book_is_valid() {
    let book = PriceBook::parse(PriceBook::builtin_files()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(book.version(), PriceBook::builtin().version());
    for name in ["openai", "azure.ai.openai", "az.ai.openai"] {
        assert_eq!(book.provider(name).unwrap().name(), "openai");
    }
}

#[test]
fn the_version_is_the_latest_check_and_a_hash_of_the_content() {
    let version = PriceBook::builtin().version();
    let (day, hash) = version.split_once('+').unwrap();
    let latest = PriceBook::builtin_files()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.strip_prefix("prices_checked = "))
        .max();
    assert_eq!(Some(day), latest);
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(hash.len() == 12 && hash.bytes().all(is_hex), "{hash}");
    let version_of = |change: &dyn Fn(&str) -> String| {
        let files: Vec<_> = PriceBook::builtin_files().map(|(name, text)| (name, change(text))).collect();
        let files = files.iter().map(|(name, text)| (*name, text.as_str()));
        PriceBook::parse(files).unwrap().version().to_owned()
    };
    assert_eq!(version_of(&|text| text.replace('\n', "\r\n")), version, "line ends are not content");
    assert_ne!(version_of(&|text| text.replacen("\"0.5\"", "\"0.50\"", 1)), version);
}

const ONE_RATE: &str = r#"
[provider]
name = "acme"
[sources]
page = "the price page"
[[model]]
name = "m"
[[price]]
model = "m"
sources = ["page"]
prices_checked = 2026-01-02
standard = { input_per_1m = "1" }
"#;

#[test]
fn a_program_can_hold_two_books() {
    let (cheap, dear) = (parse(ONE_RATE), parse(&ONE_RATE.replace("\"1\"", "\"3\"")));
    let usage = Usage::default().with(Bucket::Input, 1_000_000);
    let query =
        PriceQuery { provider: "acme", model: Some("m"), usage: Some(&usage), ..PriceQuery::default() };
    assert_eq!(cheap.price(&query).usd, "1".parse().ok());
    assert_eq!(dear.price(&query).usd, "3".parse().ok());
}

#[test]
fn a_price_ends_where_the_next_one_of_its_tier_begins() {
    // The order in the file does not matter.
    let book = parse(
        r#"
[provider]
name = "acme"
[sources]
page = "the price page"
[[price]]
model = "m"
from = 2026-02-01
sources = ["page"]
prices_checked = 2026-01-02
standard = { input_per_1m = "2" }
[[model]]
name = "m"
[[price]]
model = "m"
sources = ["page"]
prices_checked = 2026-01-02
standard = { input_per_1m = "1" }
batch = { input_per_1m = "0.5" }
"#,
    );
    let periods = |tier| {
        let prices = model(&book).prices().iter().filter(move |price| price.tier() == tier);
        let text = |moment: Option<spanledger_event::Timestamp>| moment.map(|moment| moment.to_string());
        prices.map(|price| (text(price.from()), text(price.until()))).collect::<Vec<_>>()
    };
    let february = Some("2026-02-01T00:00:00Z".to_owned());
    assert_eq!(periods(Tier::Standard), [(None, february.clone()), (february, None)]);
    assert_eq!(periods(Tier::Batch), [(None, None)]);
}

#[test]
fn fallback_rates_come_from_the_same_side_of_the_threshold() {
    let book = parse(
        r#"
[provider]
name = "acme"
[sources]
page = "the price page"
[fallback]
cached_input = "input"
reasoning = "output"
[[model]]
name = "m"
long_context_over_tokens = 10
[[price]]
model = "m"
sources = ["page"]
prices_checked = 2026-01-02
standard      = { input_per_1m = "2", output_per_1m = "8" }
standard_long = { input_per_1m = "4", output_per_1m = "12" }
"#,
    );
    let price = &model(&book).prices()[0];
    let rates = |rates: &Rates| {
        [Bucket::CachedInput, Bucket::Reasoning, Bucket::CacheWrite]
            .map(|bucket| rates.get(Meter::Tokens(bucket)).map(|rate| rate.to_string()))
    };
    let some = |rate: &str| Some(rate.to_owned());
    assert_eq!(rates(price.rates()), [some("2"), some("8"), None]);
    assert_eq!(rates(price.long().unwrap()), [some("4"), some("12"), None]);
}

#[test]
fn a_file_with_only_sources_declares_them_for_all_files() {
    let shared = "[sources]\nlist = \"a list\"\n";
    let named = ONE_RATE.replace("sources = [\"page\"]", "sources = [\"page\", \"list\"]");
    for files in
        [[("sources.toml", shared), ("acme.toml", &named)], [("acme.toml", &named), ("sources.toml", shared)]]
    {
        let book = PriceBook::parse(files).unwrap_or_else(|errors| panic!("{errors}"));
        let sources = model(&book).prices()[0].sources();
        assert_eq!(
            sources.iter().map(|source| &*source.text).collect::<Vec<_>>(),
            ["the price page", "a list"]
        );
    }
    let again =
        PriceBook::parse([("sources.toml", "[sources]\npage = \"a page\"\n"), ("acme.toml", ONE_RATE)]);
    assert_eq!(
        again.unwrap_err().0[0].to_string(),
        "acme.toml:5: the source `page` is already declared: use that one, or choose another id"
    );
}

#[test]
fn two_files_of_a_book_describe_two_providers() {
    let errors = PriceBook::parse([("a.toml", ONE_RATE), ("b.toml", ONE_RATE)]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "the price book has 1 mistake\n\
         b.toml:1: the name `acme` already belongs to the provider acme: a name can have only one price list"
    );
}
