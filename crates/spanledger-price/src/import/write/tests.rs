use super::{Accept, Entries, EntryOptions, InsertError, entries, insert};
use crate::import::{
    compare, litellm,
    tests::{BOOK, book, options, scope},
};

fn written(json: &str, options: &EntryOptions) -> Entries {
    entries(&compare(&book(BOOK), &litellm(json).unwrap(), &scope()), options)
}

const DEARER: &str = r#"{"one": {"litellm_provider": "openai", "input_cost_per_token": 3e-06},
    "two": {"litellm_provider": "openai", "input_cost_per_token": 9e-06}}"#;

#[test]
fn what_is_suspicious_is_taken_only_when_accepted() {
    let models = |accept: Accept| written(DEARER, &options(accept)).models().to_vec();
    assert_eq!(models(Accept::None), ["one"]);
    assert_eq!(models(Accept::Models(vec!["two".to_owned()])), ["one", "two"]);
    assert_eq!(models(Accept::All), ["one", "two"]);
    let elsewhere = EntryOptions { provider: "xai".to_owned(), ..options(Accept::All) };
    assert!(written(DEARER, &elsewhere).is_empty());
}

/// Guarantees: the source goes into its table, the entries to the end, and nothing else moves.
#[test]
fn nothing_else_is_touched() {
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
fn a_new_file_has_a_head() {
    let entries = written(DEARER, &options(Accept::None));
    let overrides = insert(Some(&book(BOOK)), "", &entries).unwrap();
    assert!(overrides.starts_with("[provider]\nname = \"openai\"\n\n[source]\nlist = "), "{overrides}");
    assert!(!overrides.contains("[tiers]"));
    let xai = r#"{"xai/g \"1\"": {"litellm_provider": "xai", "input_cost_per_token": 1e-6}}"#;
    let own =
        EntryOptions { provider: "xai".to_owned(), source_id: "a list".to_owned(), ..options(Accept::None) };
    let ours = book(BOOK);
    let text = insert(Some(&ours), "\n", &written(xai, &own)).unwrap();
    assert!(text.contains("[fallback]") && text.contains("\"a list\" = "), "{text}");
    let layered = ours.layered([("xai.toml", text.as_str())]).unwrap();
    assert!(layered.provider("xai").unwrap().model("g \"1\"").is_some());
    // A file of one's own may have no sources yet.
    let bare = "[provider]\nname = \"openai\"";
    let text = insert(Some(&ours), bare, &entries).unwrap();
    assert!(text.starts_with("[provider]\nname = \"openai\"\n\n[source]\nlist = "), "{text}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let entries = written(DEARER, &options(Accept::None));
    let refused = |text: &str| insert(None, text, &entries).unwrap_err();
    assert_eq!(
        refused(&BOOK.replace("name = \"openai\"", "name = \"acme\"")).to_string(),
        "the file is that of acme, the entries are for openai: choose the file of openai"
    );
    assert_eq!(
        refused(&BOOK.replace("[source]\n", "[source]\nlist = \"another\"\n")).to_string(),
        "the source `list` is already \"another\": give the list another id"
    );
    assert!(matches!(refused("[provider"), InsertError::NotToml(_)));
    let text = insert(None, BOOK, &entries).unwrap();
    let InsertError::Invalid(errors) = refused(&text) else { panic!("twice on one day") };
    assert!(errors.to_string().contains("a second standard price of one"), "{errors}");
    let odd = EntryOptions { from: "tomorrow".to_owned(), ..options(Accept::None) };
    assert!(matches!(insert(None, BOOK, &written(DEARER, &odd)), Err(InsertError::Invalid(_))));
}
