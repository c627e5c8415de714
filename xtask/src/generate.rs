//! `cargo xtask gen`: the files that are derived from tables in the code.
//!
//! Adding a generated file is one row of [`files`]. `cargo xtask gen` writes them,
//! `cargo xtask gen --check` and a test fail when one of them is out of date.

mod price_keys;
mod price_schema;
mod questions;

use std::fs;

use anyhow::{Context as _, ensure};

use crate::root;

/// One generated file.
struct Generated {
    /// Its path below the root of the repository.
    path: String,
    /// Its whole text.
    text: String,
}

/// All generated files, in the order of their paths.
fn files() -> Vec<Generated> {
    let file = |path: &str, text: String| Generated { path: path.to_owned(), text };
    let mut files = vec![
        file("crates/spanledger-price/book/price-book.schema.json", price_schema::text()),
        file("docs/events.md", spanledger_event::reference()),
        file(price_keys::PAGE, price_keys::text()),
    ];
    files.extend(questions::files());
    files
}

/// Writes every generated file.
pub(crate) fn write() -> anyhow::Result<()> {
    for Generated { path, text } in files() {
        let file = root().join(&path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder of {path}"))?;
        }
        fs::write(file, text).with_context(|| format!("cannot write {path}"))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Fails if a generated file differs from the text that its table gives.
pub(crate) fn check() -> anyhow::Result<()> {
    let is_stale =
        |file: &Generated| fs::read_to_string(root().join(&file.path)).ok().as_ref() != Some(&file.text);
    let stale: Vec<String> = files().into_iter().filter(is_stale).map(|file| file.path).collect();
    ensure!(
        stale.is_empty(),
        "out of date: {}; run `cargo xtask gen` and commit the result",
        stale.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_up_to_date() {
        check().unwrap();
    }
}
