use spanledger_event::{Bucket, Usage};

use super::{PriceBook, Provider};
use crate::{Meter, PriceQuery, Tier};

const HEAD: &str = r#"[provider]
name = "acme"
[source]
page = "the price page"
[tiers]
standard = ["default"]
[fallback]
cached_input = "input"
reasoning = "output"
"#;

/// A book of one model, whose lines begin on line 11.
fn with(model: &str) -> String {
    format!("{HEAD}[[model]]\n{model}")
}

const PRICE: &str = "[[model.price]]\nsources = [\"page\"]\nchecked = 2026-11-20\n";

/// Every mistake as `line: words`.
fn mistakes(text: &str) -> Vec<String> {
    let errors = PriceBook::parse([("acme.toml", text)]).unwrap_err();
    errors
        .0
        .iter()
        .map(|error| {
            assert_eq!(error.file, "acme.toml");
            format!("{}: {}", error.line, error.problem)
        })
        .collect()
}

/// Expects one mistake, on that line, with those words.
fn check(text: &str, line: usize, words: &str) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with(&format!("{line}: ")) && found[0].contains(words), "{found:#?}");
}

fn acme(text: &str) -> PriceBook {
    PriceBook::parse([("acme.toml", text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn provider(book: &PriceBook) -> &Provider {
    book.provider("acme").unwrap()
}

#[test]
fn the_built_in_book_is_valid() {
    let book = PriceBook::parse(PriceBook::builtin_files()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(book.version(), PriceBook::builtin().version());
    assert_eq!(provider_of(&book).models().len(), 133);
    for name in ["openai", "azure.ai.openai", "az.ai.openai"] {
        assert_eq!(book.provider(name).unwrap().name(), "openai");
    }
}

fn provider_of(book: &PriceBook) -> &Provider {
    book.provider("openai").unwrap()
}

#[test]
fn the_version_is_the_last_check_and_the_content() {
    let version = PriceBook::builtin().version();
    let (day, hash) = version.split_once('+').unwrap();
    assert_eq!(day, "2026-11-21");
    assert!(
        hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
        "{hash}"
    );
    let version_of = |change: &dyn Fn(&str) -> String| {
        let files: Vec<_> = PriceBook::builtin_files().map(|(name, text)| (name, change(text))).collect();
        let files = files.iter().map(|(name, text)| (*name, text.as_str()));
        PriceBook::parse(files).unwrap().version().to_owned()
    };
    assert_eq!(version_of(&|text| text.replace('\n', "\r\n")), version, "a checkout's line ends");
    assert_ne!(version_of(&|text| text.replacen("\"0.5\"", "\"0.50\"", 1)), version);
}

#[test]
fn two_books_can_be_held_at_once() {
    let cheap = acme(&with(&format!("name = \"m\"\n{PRICE}standard = {{ input = \"1\" }}\n")));
    let dear = acme(&with(&format!("name = \"m\"\n{PRICE}standard = {{ input = \"3\" }}\n")));
    let usage = Usage::default().with(Bucket::Input, 1_000_000);
    let question =
        PriceQuery { provider: "acme", model: Some("m"), usage: Some(&usage), ..PriceQuery::default() };
    assert_eq!(cheap.price(&question).usd, "1".parse().ok());
    assert_eq!(dear.price(&question).usd, "3".parse().ok());
}

#[test]
fn a_price_ends_where_the_next_one_of_its_tier_begins() {
    let entry = |from: &str, lines: &str| format!("{PRICE}{from}\n{lines}\n");
    let text = with(&format!(
        "name = \"m\"\n{}{}",
        // The order in the file does not matter.
        entry("from = 2026-02-01", "standard = { input = \"2\" }"),
        entry("", "standard = { input = \"1\" }\nbatch = { input = \"0.5\" }"),
    ));
    let book = acme(&text);
    let model = provider(&book).model("m").unwrap();
    let spans = |tier| {
        let lists = model.prices().iter().filter(move |price| price.tier() == tier);
        lists
            .map(|price| (price.from().map(|t| t.to_string()), price.until().map(|t| t.to_string())))
            .collect::<Vec<_>>()
    };
    let february = Some("2026-02-01T00:00:00Z".to_owned());
    assert_eq!(spans(Tier::Standard), [(None, february.clone()), (february, None)]);
    assert_eq!(spans(Tier::Batch), [(None, None)]);
}

#[test]
fn fallbacks_stay_on_their_line() {
    let text = with(&format!(
        "name = \"m\"\nlong_context_over = 10\n{PRICE}standard = {{ input = \"2\", output = \"8\" }}\nstandard_long = {{ input = \"4\", output = \"12\" }}\n"
    ));
    let book = acme(&text);
    let price = &provider(&book).model("m").unwrap().prices()[0];
    let rate = |rates: &crate::Rates, bucket| rates.get(Meter::Tokens(bucket)).map(|rate| rate.to_string());
    assert_eq!(rate(price.rates(), Bucket::CachedInput).as_deref(), Some("2"));
    assert_eq!(rate(price.long().unwrap(), Bucket::CachedInput).as_deref(), Some("4"));
    assert_eq!(rate(price.long().unwrap(), Bucket::Reasoning).as_deref(), Some("12"));
    assert_eq!(rate(price.rates(), Bucket::CacheWrite), None, "this provider's book has no such rule");
}

#[test]
fn rates_are_exact_or_refused() {
    let book = |rate: &str| with(&format!("name = \"m\"\n{PRICE}standard = {{ input = {rate} }}\n"));
    check(&book("0.5"), 15, "`input` is a bare number: write it as a decimal string, \"0.5\"");
    check(&book("5"), 15, "decimal string, \"5\"");
    check(&book("\"-5\""), 15, "`input` is -5: a rate is never negative");
    check(&book("\"5000000\""), 15, "check the unit");
    check(&book("true"), 15, "`input` is true or false: write a decimal string");
    for text in ["1e3", "five", "", ".5", "5.", "+5", "1_000", "0x10", "1,5", "0.0000000001", " 5"] {
        let found = mistakes(&book(&format!("\"{text}\"")));
        assert!(found.len() == 1 && found[0].starts_with("15: `input` is "), "{text}: {found:?}");
    }
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    let price = format!("{PRICE}standard = {{ input = \"1\" }}\n");
    check(&with(&format!("name = \"m\"\nalias = [\"n\"]\n{price}")), 12, "unknown key `alias`");
    check(
        &with(&format!("name = \"m\"\n{PRICE}standard = {{ inptu = \"1\" }}\n")),
        15,
        "correct it to one of input, ",
    );
    check(&with(&format!("name = \"m\"\n{price}turbo = {{ input = \"1\" }}\n")), 16, "unknown key `turbo`");
    check(&format!("{}[typo]\n", with(&format!("name = \"m\"\n{price}"))), 16, "unknown key `typo`");
    check(
        &with(&format!("name = \"m\"\n{price}")).replace("[tiers]\n", "[tiers]\nexpress = [\"x\"]\n"),
        6,
        "express",
    );
}

#[test]
fn days_are_days() {
    let book = |line: &str| with(&format!("name = \"m\"\n{PRICE}{line}\nstandard = {{ input = \"1\" }}\n"));
    check(&book("from = \"2026-01-01\""), 15, "write a day without quotes");
    check(&book("from = 2026-01-01T10:00:00Z"), 15, "`from` is 2026-01-01T10:00:00Z: write a day");
    check(&book("from = 20260101"), 15, "write a day without quotes");
    check(
        &book("from = 2026-02-01\nuntil = 2026-01-01"),
        12,
        "ends (2026-01-01) before it starts (2026-02-01)",
    );
    assert!(!mistakes(&book("from = 2026-13-01")).is_empty());
}

#[test]
fn prices_that_overlap_point_at_each_other() {
    let entry = |days: &str| format!("{PRICE}{days}\nstandard = {{ input = \"1\" }}\n");
    let book = |a: &str, b: &str| with(&format!("name = \"m\"\n{}{}", entry(a), entry(b)));
    check(&book("", ""), 17, "a second standard price of m for the same time as the one on line 12");
    check(&book("from = 2026-01-01", "from = 2026-01-01"), 17, "line 12");
    check(&book("from = 2026-01-01\nuntil = 2026-06-01", "from = 2026-05-01"), 18, "line 12");
    acme(&book("from = 2026-01-01\nuntil = 2026-05-01", "from = 2026-05-01"));
}

#[test]
fn a_name_leads_to_one_model() {
    let price = format!("{PRICE}standard = {{ input = \"1\" }}\n");
    let two = |names: &str| format!("{}[[model]]\n{names}\n{price}", with(&format!("name = \"m\"\n{price}")));
    check(&two("name = \"m\""), 16, "the name `m` already belongs to m");
    check(&two("name = \"n\"\naliases = [\"m\"]"), 16, "already belongs to m");
    check(&two("name = \"n\"\nsnapshots = [\"n\"]"), 16, "already belongs to n");
    let one = with(&format!("name = \"m\"\n{price}"));
    let errors = PriceBook::parse([("a.toml", one.as_str()), ("b.toml", one.as_str())]).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert!(
        errors.to_string().contains("b.toml:1: the name `acme` already belongs to the provider acme"),
        "{errors}"
    );
}

#[test]
fn what_is_missing_is_asked_for() {
    check("", 1, "`provider` is missing");
    check(&with(&format!("{PRICE}standard = {{ input = \"1\" }}\n")), 10, "`name` is missing");
    check(&with("name = \"m\"\n"), 10, "`price` is missing");
    check(&with(&format!("name = \"m\"\n{PRICE}")), 12, "the entry has no rates");
    check(&with(&format!("name = \"m\"\n{PRICE}standard = {{}}\n")), 15, "the entry has no rates");
    let bare = "name = \"m\"\n[[model.price]]\nstandard = { input = \"1\" }\n";
    let found = mistakes(&with(bare));
    assert!(
        found.len() == 2 && found[0].contains("`sources`") && found[1].contains("`checked`"),
        "{found:?}"
    );
    check(
        &with(&format!("name = \"m\"\n{PRICE}standard = {{ input = \"1\" }}\n"))
            .replace("\"page\"", "\"hearsay\""),
        13,
        "hearsay",
    );
}

#[test]
fn the_long_side_needs_a_threshold_and_a_short_side() {
    let long = "standard_long = { input = \"2\" }\n";
    let short = "standard = { input = \"1\" }\n";
    check(
        &with(&format!("name = \"m\"\n{PRICE}{short}{long}")),
        12,
        "`standard_long` needs `long_context_over`",
    );
    let alone = mistakes(&with(&format!("name = \"m\"\nlong_context_over = 9\n{PRICE}{long}")));
    assert!(alone[0].contains("`standard_long` stands without `standard`"), "{alone:?}");
    check(
        &with(&format!("name = \"m\"\nlong_context_over = \"9\"\n{PRICE}{short}")),
        12,
        "`long_context_over` is a string: write a whole number without quotes",
    );
}

#[test]
fn rules_name_what_exists() {
    let model = format!("name = \"m\"\n{PRICE}standard = {{ input = \"1\" }}\n");
    let source = "sources = [\"page\"]\nchecked = 2026-11-20\n";
    let fee = |lines: &str| format!("{}[[fee]]\n{lines}\n{source}", with(&model));
    check(
        &fee("web_search = \"10\"\nexcept = [\"n\"]"),
        18,
        "`except` names `n`, which the book does not have",
    );
    check(&fee("input = \"10\"\nweb_search = \"10\""), 17, "unknown key `input`");
    check(
        &with(&model).replace("reasoning = \"output\"", "reasoning = \"thought\""),
        9,
        "`reasoning` names `thought`",
    );
    check(&with(&format!("no_fallback = [\"x\"]\n{model}")), 11, "`no_fallback` names `x`");
}

/// Guarantees: all mistakes at once, in the order of the lines.
#[test]
fn all_mistakes_are_collected() {
    let text = with(&format!(
        "name = \"m\"\nregional = 1\n{PRICE}from = \"soon\"\nstandard = {{ input = 0.5, output = \"-1\" }}\ncolour = \"red\"\n"
    ));
    let found = mistakes(&text);
    let lines: Vec<_> = found.iter().map(|mistake| mistake.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["12", "16", "17", "17", "18"], "{found:#?}");
}

#[test]
fn broken_toml_is_an_error_with_its_line() {
    let found = mistakes("[provider]\nname = \"acme\"\n= 5\n");
    assert!(found.iter().any(|mistake| mistake.starts_with("3: not TOML: ")), "{found:?}");
}
