use super::{Accept, Entries, EntryOptions, InsertError, entries, insert};
use crate::{
    compare, litellm,
    tests::{BOOK, book, options, scope},
};

fn written(json: &str, options: &EntryOptions) -> Entries {
    entries(&compare(&book(BOOK), &litellm(json).unwrap(), &scope()), options)
}

const DEARER: &str = r#"{"one": {"litellm_provider": "openai", "input_cost_per_token": 3e-06},
    "two": {"litellm_provider": "openai", "input_cost_per_token": 9e-06}}"#;

#[test]
fn suspicious_models_are_written_only_if_accepted() {
    let models = |accept: Accept| written(DEARER, &options(accept)).models().to_vec();
    assert_eq!(models(Accept::None), ["one"]);
    assert_eq!(models(Accept::Models(vec!["two".to_owned()])), ["one", "two"]);
    assert_eq!(models(Accept::All), ["one", "two"]);
    let elsewhere = EntryOptions { provider: "xai".to_owned(), ..options(Accept::All) };
    assert!(written(DEARER, &elsewhere).is_empty());
}

/// Guarantees: the source is added to its table and the entries to the end; the rest of the file is unchanged.
#[test]
fn the_rest_of_the_file_stays_as_it_is() {
    let entries = written(DEARER, &options(Accept::None));
    let text = insert(None, BOOK, &entries).unwrap();
    let source = "list = \"a list of \\\"today\\\"\"\n";
    let expected =
        BOOK.replacen("# read by hand\n", &format!("# read by hand\n{source}"), 1) + &entries.to_string();
    assert_eq!(text, expected);

    let windows = insert(None, &BOOK.replace('\n', "\r\n"), &entries).unwrap();
    assert_eq!(windows, text.replace('\n', "\r\n"));

    let without =
        BOOK.replacen("page = \"the price page\" # read by hand\n", "page = '''\nthe price page'''", 1);
    assert!(insert(None, &without, &entries).unwrap().contains("'''\nlist = \"a list"));

    // The same list again adds no second source.
    let again = EntryOptions { from: "2026-12-01".to_owned(), ..options(Accept::None) };
    let twice = insert(None, &text, &written(DEARER, &again)).unwrap();
    assert_eq!(twice.matches(source).count(), 1);
}

#[test]
fn a_new_file_gets_a_header() {
    let entries = written(DEARER, &options(Accept::None));
    let overrides = insert(Some(&book(BOOK)), "", &entries).unwrap();
    assert!(overrides.starts_with("[provider]\nname = \"openai\"\n\n[sources]\nlist = "), "{overrides}");
    assert!(!overrides.contains("[tiers]"));
    let xai = r#"{"xai/g \"1\"": {"litellm_provider": "xai", "input_cost_per_token": 1e-6}}"#;
    let own =
        EntryOptions { provider: "xai".to_owned(), source_id: "a list".to_owned(), ..options(Accept::None) };
    let ours = book(BOOK);
    let text = insert(Some(&ours), "\n", &written(xai, &own)).unwrap();
    assert!(text.contains("[fallback]") && text.contains("\"a list\" = "), "{text}");
    let layered = ours.layered([("xai.toml", text.as_str())]).unwrap();
    assert!(layered.provider("xai").unwrap().model("g \"1\"").is_some());
    // The user's own file may not have sources yet.
    let bare = "[provider]\nname = \"openai\"";
    let text = insert(Some(&ours), bare, &entries).unwrap();
    assert!(text.starts_with("[provider]\nname = \"openai\"\n\n[sources]\nlist = "), "{text}");
}

#[test]
fn entries_that_do_not_fit_the_file_are_refused() {
    let entries = written(DEARER, &options(Accept::None));
    let refused = |text: &str| insert(None, text, &entries).unwrap_err();
    assert_eq!(
        refused(&BOOK.replace("name = \"openai\"", "name = \"acme\"")).to_string(),
        "the file belongs to acme, but the entries are for openai: choose the file of openai"
    );
    assert_eq!(
        refused(&BOOK.replace("[sources]\n", "[sources]\nlist = \"another\"\n")).to_string(),
        "the source `list` is already \"another\": give the list another id"
    );
    assert!(matches!(refused("[provider"), InsertError::NotToml(_)));
    let text = insert(None, BOOK, &entries).unwrap();
    let InsertError::Invalid(errors) = refused(&text) else { panic!("twice on one day") };
    assert!(errors.to_string().contains("a second standard price of one"), "{errors}");
    let odd = EntryOptions { from: "tomorrow".to_owned(), ..options(Accept::None) };
    assert!(matches!(insert(None, BOOK, &written(DEARER, &odd)), Err(InsertError::Invalid(_))));
}

/// The user's price file: a negotiated rate, a negotiated fee, the user's own model and a discount.
const OURS: &str = r#"[provider]
name = "openai"
[sources]
contract = "our contract"
[[discount]]
percent = "10"
sources = ["contract"]
prices_checked = 2026-11-02
[[fee]]
web_search_per_1k = "8"
sources = ["contract"]
prices_checked = 2026-11-02
[[price]]
model = "one"
sources = ["contract"]
prices_checked = 2026-11-02
standard = { input_per_1m = "1.5", output_per_1m = "6" }
standard_long = { input_per_1m = "3", output_per_1m = "9" }
[[model]]
name = "our-tuned-model"
[[price]]
model = "our-tuned-model"
sources = ["contract"]
prices_checked = 2026-11-02
standard = { input_per_1m = "1" }
"#;

/// Guarantees: negotiated rates and fees are kept and shown as kept, and a discount still applies.
#[test]
fn negotiated_prices_are_kept() {
    use spanledger_event::{Bucket, Usage};
    let ours = book(BOOK).layered([("ours.toml", OURS)]).unwrap();
    let list = r#"{
        "one": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.2e-6,
            "input_cost_per_token_batches": 1.1e-6, "search_context_cost_per_query": {"any": 0.01}},
        "one-2026-05-05": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.2e-6,
            "input_cost_per_token_batches": 1.1e-6},
        "two": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.2e-6,
            "search_context_cost_per_query": {"any": 0.01}},
        "free": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0}
    }"#;
    let comparison = compare(&ours, &litellm(list).unwrap(), &scope());
    let shown = comparison.to_string();
    let expected = "\
changed (2)
  openai one
    batch input 1 -> 1.1 per 1M tokens
  openai two
    standard input 1 -> 1.2 per 1M tokens
kept: your own price (4)
  openai one: standard, the fee of web_search
  openai two: the fee of web_search
  openai one-2026-05-05: standard
  openai our-tuned-model: not in the list
0 new, 2 changed, 0 suspicious, 0 withdrawn, 1 unchanged, 4 kept";
    assert_eq!(shown, expected);

    let entries = entries(&comparison, &EntryOptions { list: true, ..options(Accept::None) });
    let text = insert(Some(&book(BOOK)), OURS, &entries).unwrap();
    assert_eq!(text.matches("discountable = true").count(), 2 + 1, "{text}");
    assert!(!text.contains("our-tuned-model\n") && !text.contains("web_search_per_1k = \"10\""), "{text}");
    let after = book(BOOK).layered([("ours.toml", text.as_str())]).unwrap();
    let usage = Usage::default().with(Bucket::Input, 100_000);
    for (model, tier, usd) in
        [("one", "", "0.15"), ("one-2026-05-05", "", "0.15"), ("one", "batch", "0.099"), ("two", "", "0.108")]
    {
        let at = spanledger_event::Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        let question = spanledger_price::PriceQuery {
            provider: "openai",
            model: Some(model),
            service_tier: Some(tier),
            at,
            usage: Some(&usage),
            ..spanledger_price::PriceQuery::default()
        };
        assert_eq!(after.price(&question).usd, Some(usd.parse().unwrap()), "{model} {tier}");
    }
}
