//! Adds entries to the text of a book file.

use spanledger_price::{BookErrors, PriceBook};
use toml::de::{DeTable, DeValue};

use super::{
    Entries,
    toml_text::{key, string},
};

/// Why entries were not inserted.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// The file belongs to another provider.
    #[error("the file belongs to {found}, but the entries are for {expected}: choose the file of {expected}")]
    WrongProvider {
        /// The provider of the entries.
        expected: String,
        /// The provider of the file.
        found: String,
    },
    /// The file uses the id of the source for another source.
    #[error("the source `{id}` is already \"{text}\": give the list another id")]
    SourceTaken {
        /// The id.
        id: String,
        /// The source for which the file uses the id.
        text: String,
    },
    /// The file is not TOML.
    #[error("the file is not TOML: {0}")]
    NotToml(String),
    /// The file with the entries is not a valid book.
    #[error("the entries do not fit the file")]
    Invalid(#[source] BookErrors),
}

/// Adds the entries to the end of a book file's text and their source to its `[sources]` table. The rest of
/// the text stays as it is. From an empty text a new file is made.
///
/// With `base`, the file is laid over that book, as by [`PriceBook::layered`]. Without `base`, the file is a
/// complete book, as for [`PriceBook::parse`]. The result is parsed in this way before it is returned. A new
/// file for a provider that the base does not have gets the usual tiers and fallback rules.
///
/// # Errors
///
/// Fails if the file is not TOML, belongs to another provider, uses the source's id for another source, or has
/// entries that conflict with the new ones, for example a price that begins on the same day.
pub fn insert(base: Option<&PriceBook>, book_text: &str, entries: &Entries) -> Result<String, InsertError> {
    let known = base.and_then(|base| base.provider(entries.provider()));
    let text = if book_text.trim().is_empty() {
        format!("{book_text}{}", header(entries, known.is_some()))
    } else {
        sourced(book_text, entries)?
    };
    let mut added = entries.to_string();
    if text.contains("\r\n") {
        added = added.replace('\n', "\r\n");
    }
    let gap = if text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{gap}{added}");
    let files = [("the file", text.as_str())];
    match base {
        Some(base) => base.layered(files),
        None => PriceBook::parse(files),
    }
    .map_err(InsertError::Invalid)?;
    Ok(text)
}

fn header(entries: &Entries, is_known: bool) -> String {
    let name = string(entries.provider());
    let source = source(entries);
    let rules = "\n# The book's usual words and rules; check them against the provider's documentation.\n\
                 [tiers]\nstandard = [\"standard\", \"default\", \"auto\"]\nbatch = [\"batch\"]\n\
                 flex = [\"flex\"]\npriority = [\"priority\", \"fast\"]\n\n\
                 [fallback]\nreasoning = \"output\"\ncached_input = \"input\"\n";
    let rules = if is_known { "" } else { rules };
    format!("[provider]\nname = {name}\n\n[sources]\n{source}\n{rules}")
}

fn source(entries: &Entries) -> String {
    format!("{} = {}", key(&entries.source_id), string(&entries.source_text))
}

/// Adds the source to the `[sources]` table of the text.
fn sourced(text: &str, entries: &Entries) -> Result<String, InsertError> {
    let root =
        DeTable::parse(text).map_err(|error| InsertError::NotToml(error.message().trim().to_owned()))?;
    let root = root.get_ref();
    let table = |name: &str| root.get(name).and_then(|value| value.get_ref().as_table());
    let found =
        table("provider").and_then(|provider| provider.get("name")).and_then(|name| name.get_ref().as_str());
    if let Some(found) = found
        && !found.eq_ignore_ascii_case(entries.provider())
    {
        let (expected, found) = (entries.provider().to_owned(), found.to_owned());
        return Err(InsertError::WrongProvider { expected, found });
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let Some(sources) = table("sources") else {
        let gap = if text.ends_with('\n') { "" } else { line_end };
        return Ok(format!("{text}{gap}{line_end}[sources]{line_end}{}{line_end}", source(entries)));
    };
    if let Some(taken) = sources.get(entries.source_id.as_str()) {
        return match taken.get_ref() {
            DeValue::String(known) if *known == entries.source_text => Ok(text.to_owned()),
            other => {
                let text = other.as_str().unwrap_or_default().to_owned();
                Err(InsertError::SourceTaken { id: entries.source_id.clone(), text })
            }
        };
    }
    // The source is added after the last one, or after the head of an empty table.
    let last = sources.iter().map(|(_, value)| value.span().end).max();
    let head = || root.get("sources").map(|value| value.span().end);
    let at = last.or_else(head).unwrap_or(text.len());
    let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end + 1);
    let (before, after) = text.split_at_checked(end).unwrap_or((text, ""));
    let gap = if before.ends_with('\n') { "" } else { line_end };
    Ok(format!("{before}{gap}{}{line_end}{after}", source(entries)))
}
