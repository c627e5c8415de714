//! `cargo xtask gen`: the files that are derived from tables in the code.
//!
//! Adding a generated file is one row of [`FILES`]. `cargo xtask gen` writes them,
//! `cargo xtask gen --check` and a test fail when one of them is out of date.

mod price_keys;
mod price_schema;

use std::fs;

use anyhow::{Context as _, ensure};

use crate::root;

/// One generated file.
struct Generated {
    /// Its path below the root of the repository.
    path: &'static str,
    /// Its whole text.
    text: fn() -> String,
}

/// All generated files, in the order of their paths.
const FILES: &[Generated] = &[
    Generated { path: "crates/spanledger-price/book/price-book.schema.json", text: price_schema::text },
    Generated { path: "docs/events.md", text: spanledger_event::reference },
    Generated { path: price_keys::PAGE, text: price_keys::text },
];

/// Writes every generated file.
pub(crate) fn write() -> anyhow::Result<()> {
    for file in FILES {
        fs::write(root().join(file.path), (file.text)())
            .with_context(|| format!("cannot write {}", file.path))?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

/// Fails if a generated file differs from the text that its table gives.
pub(crate) fn check() -> anyhow::Result<()> {
    let stale: Vec<&str> = FILES
        .iter()
        .filter(|file| fs::read_to_string(root().join(file.path)).ok() != Some((file.text)()))
        .map(|file| file.path)
        .collect();
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
