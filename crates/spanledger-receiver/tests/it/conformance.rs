//! Checks that `docs/otlp-conformance.md` explains every code of a test, and names the tests of every code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Tests by name (`module::test`), with the codes of their comments and rows.
type Tests = BTreeMap<String, BTreeSet<String>>;

fn crate_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The codes in a text. A code is a word of `C`, `J` or `T` and a number of at most two digits. Words such as
/// `T00` are parts of timestamps, not codes.
fn codes(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
    words
        .filter(|word| {
            let digits = word.strip_prefix(['C', 'J', 'T']).unwrap_or_default();
            (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
        .filter(|word| !word.starts_with("T0"))
        .map(str::to_owned)
        .collect()
}

/// The tests of a source file. Each begins with its doc comment and ends at the next one.
fn tests_of(module: &str, source: &str) -> Tests {
    let mut tests = Tests::new();
    let mut comment = BTreeSet::new();
    let mut is_test = false;
    let mut current: Option<String> = None;
    for line in source.lines() {
        if line.starts_with("///") {
            current = None;
            comment.extend(codes(line));
        } else if matches!(line, "#[test]" | "#[tokio::test]") {
            current = None;
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            if std::mem::take(&mut is_test) {
                current = Some(format!("{module}::{name}"));
                tests.insert(format!("{module}::{name}"), std::mem::take(&mut comment));
            }
            comment.clear();
        } else if let Some(codes_of_test) = current.as_ref().and_then(|name| tests.get_mut(name)) {
            codes_of_test.extend(codes(line));
        } else if line.is_empty() {
            comment.clear();
        }
    }
    tests
}

/// All tests of this package.
fn tests() -> Tests {
    let folder = crate_root().join("tests/it");
    let mut tests = Tests::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && module != "conformance" {
            tests.extend(tests_of(&module, &fs::read_to_string(&path).unwrap()));
        }
    }
    tests
}

/// The rows of the page's tables: a code, and the tests that its last column names.
fn page() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(crate_root().join("../../docs/otlp-conformance.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [code, rule, source, tests] = cells.as_slice() else { continue };
        if codes(code).len() != 1 {
            continue;
        }
        assert!(!rule.is_empty() && !source.is_empty(), "{line}");
        if code.starts_with('T') {
            assert!(source.contains("https://github.com/"), "{code} has no link to the failure: {source}");
        }
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(rows.insert((*code).to_owned(), tests), None, "{code} has two rows");
    }
    rows
}

#[test]
fn every_code_of_a_test_is_explained_with_that_test() {
    let page = page();
    for (test, codes) in tests() {
        for code in codes {
            let row = page.get(&code).unwrap_or_else(|| panic!("{code} of {test} has no row in the page"));
            assert!(row.contains(&test), "the row of {code} does not name {test}");
        }
    }
}

#[test]
fn every_test_on_the_page_exists_and_names_its_code() {
    let tests = tests();
    for (code, named) in page() {
        assert!(!named.is_empty(), "{code} has no test");
        for test in named {
            let codes =
                tests.get(&test).unwrap_or_else(|| panic!("{code} names {test}, which does not exist"));
            assert!(codes.contains(&code), "{test} does not say that it holds {code}");
        }
    }
}

/// Whether a line is a comment such as `/// C5: …` or `/// C5, C6: …`.
fn begins_with_a_code(line: &str) -> bool {
    let text = line.trim_start();
    let first = text.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
    text.starts_with("//") && first.ends_with([':', ',']) && !codes(first).is_empty()
}

/// Comments of other crates must not begin with a code of the page, because their tests are not
/// checked here.
#[test]
fn only_this_package_uses_the_codes() {
    let mut folders = vec![crate_root().join("..")];
    let here = crate_root().canonicalize().unwrap();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let path: PathBuf = path.canonicalize().unwrap();
            if path.is_dir() {
                if path != here.join("tests") && !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for (number, line) in text.lines().enumerate() {
                    assert!(!begins_with_a_code(line), "{}:{}: {line}", path.display(), number + 1);
                }
            }
        }
    }
}

#[test]
fn codes_are_found_in_comments_and_rows() {
    let list = |text: &str| codes(text).into_iter().collect::<Vec<_>>();
    assert_eq!(
        list("/// C5, J16: both (T42). 2026-11-21T00:00:00Z, C, C123, xC5, T1x"),
        ["C5", "J16", "T42"]
    );
    assert!(begins_with_a_code("    /// C5, J16: both") && begins_with_a_code("// T1: one"));
    assert!(
        !begins_with_a_code("/// C0 and C1: control characters") && !begins_with_a_code("C5: no comment")
    );
    let tests = tests_of(
        "a",
        "/// C1: one\n#[test]\nfn one() {\n    let row = \"J2 two\";\n}\n\n/// C9: no test\nfn help() {}\n\n#[tokio::test]\nasync fn two() {}\n",
    );
    assert_eq!(tests["a::one"].iter().collect::<Vec<_>>(), ["C1", "J2"]);
    assert!(tests["a::two"].is_empty() && tests.len() == 2);
}
