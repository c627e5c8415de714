//! Checks that the files and folders that the pages name exist: the targets of links, and paths in code
//! spans.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::root;

/// Folders whose names begin a path of the repository.
const TOP_LEVEL: [&str; 9] =
    ["crates/", "docs/", "tests/", "xtask/", "fuzz/", "examples/", "collector-config/", ".ci/", ".cargo/"];

/// The links and paths whose target does not exist, each with its page and line.
pub(crate) fn broken() -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    for page in pages()? {
        let text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
        let folder = page.parent().unwrap_or(Path::new(""));
        let name = page.strip_prefix(root())?.display().to_string();
        for (number, line) in text.lines().enumerate() {
            let missing = links(line).filter(|link| !folder.join(link).exists());
            let missing = missing.chain(paths(line).filter(|path| !root().join(path).exists()));
            broken.extend(missing.map(|path| format!("{name}:{}: there is no {path}", number + 1)));
        }
    }
    Ok(broken)
}

/// Every Markdown file of the project, without those in hidden folders and in `target`.
fn pages() -> anyhow::Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    Ok(pages)
}

/// The targets of links to files, without the part after `#`. A target without a dot or a slash is the name
/// of a Rust item, which rustdoc checks.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| target.contains(['.', '/']) && !target.contains(':') && is_literal(target))
}

/// The paths in code spans that begin with a folder of the repository.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter(|span| TOP_LEVEL.iter().any(|folder| span.starts_with(folder)) && is_literal(span))
}

/// Whether the text is one path and not a pattern for several paths.
fn is_literal(path: &str) -> bool {
    !path.contains(|c: char| c.is_whitespace() || "<>{}*…$\"".contains(c)) && !path.contains("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_pages_name_exist() {
        let broken = broken().unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn links_and_paths_are_found_in_a_line() {
        let line = "see [a](docs/a.md#part), [b](https://example.com), `crates/x/src`, `crates/*/b`, `other`";
        assert_eq!(links(line).collect::<Vec<_>>(), ["docs/a.md"]);
        assert_eq!(paths(line).collect::<Vec<_>>(), ["crates/x/src"]);
    }
}
