use super::{Entries, broken, changes, entries, read, today, write};
use spanledger_price::PriceBook;

#[test]
fn no_published_price_has_changed() {
    let broken = broken().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

const FILE: &str = r#"
[provider]
name = "acme"
[sources]
page = "the price page"
[fallback]
cached_input = "input"
[[fee]]
web_search_per_1k = "10"
sources = ["page"]
prices_checked = 2026-03-01
[[model]]
name = "m"
[[price]]
model = "m"
from = 2026-01-01
sources = ["page"]
prices_checked = 2026-03-01
standard = { input_per_1m = "1" }
"#;

fn locked(file: &str) -> Entries {
    entries(&PriceBook::parse([("acme.toml", file)]).unwrap())
}

/// The messages when `later` is published after `file`.
fn refused(file: &str, later: &str) -> Vec<String> {
    changes(&locked(file), &locked(later), "2026-03-01")
}

#[test]
fn a_changed_entry_is_refused() {
    let fallback = FILE.replace("cached_input = \"input\"\n", "");
    for (later, words) in [
        (FILE.replace("\"1\"", "\"2\""), "has other rates now"),
        (fallback, "has other rates now"),
        (FILE.replace("\"10\"", "\"12\""), "is missing now"),
        (FILE.replace("from = 2026-01-01", "from = 2026-02-01"), "is missing now"),
        (FILE.replace("name = \"m\"", "name = \"m\"\nlong_context_over_tokens = 9"), "has other rates now"),
    ] {
        let refused = refused(FILE, &later);
        assert!(refused.len() == 1 && refused[0].contains(words), "{refused:?}\n{later}");
    }
}

#[test]
fn another_writing_of_the_same_price_is_no_change() {
    let later = FILE.replace("\"1\"", "\"1.00\"").replace("the price page", "the page");
    let later = later.replace("prices_checked = 2026-03-01", "prices_checked = 2026-04-01");
    assert_eq!(refused(FILE, &later), Vec::<String>::new());
}

#[test]
fn entries_may_be_added_and_end() {
    let end = |day: &str| FILE.replace("from = 2026-01-01", &format!("from = 2026-01-01\nuntil = {day}"));
    let next = r#"[[price]]
model = "m"
from = 2026-02-01
sources = ["page"]
prices_checked = 2026-03-01
standard = { input_per_1m = "2" }
"#;
    assert_eq!(refused(FILE, &format!("{FILE}{next}")), Vec::<String>::new());
    assert_eq!(refused(FILE, &end("2026-02-01")), Vec::<String>::new());
    assert_eq!(
        refused(&end("2026-05-01"), &end("2026-04-01")),
        Vec::<String>::new(),
        "neither end is in the past"
    );
    for (before, after) in [("2026-02-01", "2026-02-15"), ("2026-05-01", "2026-02-01")] {
        let refused = refused(&end(before), &end(after));
        assert!(
            refused.len() == 1 && refused[0].contains("Only an end that is not in the past"),
            "{refused:?}"
        );
    }
}

#[test]
fn the_file_is_read_as_it_is_written() {
    let book = PriceBook::builtin();
    let entries = entries(book);
    assert_eq!(read(&write(&entries)).unwrap(), entries);
    assert!(read("price\n").unwrap_err().to_string().contains("published.lock:1"));
    assert_eq!(today(book).len(), 10);
}
