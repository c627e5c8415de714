use super::*;

#[test]
fn all_mistakes_of_all_files_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("a.toml"),
        "[provider]\nname = 'openai'\n[sources]\ncontract = 'ours'\n[[discount]]\npercent = 10\n\
                 sources = ['contract']\nprices_checked = 2026-01-05\ncolour = 'red'\n",
    )
    .unwrap();
    fs::write(at("b.toml"), b"# one\n# \xff\n").unwrap();
    fs::write(at("large.toml"), vec![b'#'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1]).unwrap();
    let names = ["a.toml", "b.toml", "none.toml", "", "large.toml"];
    let error = PriceFiles::new(names.map(at)).read().unwrap_err();
    let text = error.to_string().replace(&format!("{}/", folder.path().display()), "");
    for part in [
        "the price files have 6 mistakes\n",
        "\n  a.toml:6: `percent` is a bare number",
        "\n  a.toml:9: unknown key `colour`",
        "\n  b.toml:2: is not UTF-8",
        "\n  none.toml: cannot be read: No such file",
        "\n  : is not a file",
        "\n  large.toml: is larger than",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn without_files_the_book_is_the_built_in_one() {
    let book = PriceFiles::default().read().unwrap();
    assert_eq!(book.version(), PriceBook::builtin().version());
}
