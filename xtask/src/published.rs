//! Checks that published prices do not change: `published.lock` has one line per entry of the built-in book.
//!
//! Events are priced by the entries of their time, so an entry that was published stays as it is, and a new
//! price is a new entry. A line names an entry, the end of its period and a hash of its rates. [`broken`]
//! compares the book with the file and is a test; [`publish`] adds new entries and refuses changed ones.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, anyhow, ensure};
use spanledger_price::{Model, Origin, Price, PriceBook, Provider, Rates};
use xxhash_rust::xxh3::xxh3_64;

use crate::root;

#[cfg(test)]
mod tests;

const PATH: &str = "crates/spanledger-price/book/published.lock";
const HEAD: &str = "\
# The published entries of the price book: kind, provider, model, tier, first day, hours, hash of the rates, end.
# `cargo xtask publish-prices` writes this file. It adds new entries and refuses changed ones.
";

/// The locked values of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Locked {
    hash: String,
    /// The first day on which the entry is not in force any more, or `-`.
    until: String,
}

/// The entries by their names, such as `price openai gpt-5.5 standard 2026-04-23 -`.
type Entries = BTreeMap<String, Locked>;

/// One message for each entry that changed after it was published, with what to do; and one message if
/// entries are not published yet.
pub(crate) fn broken() -> anyhow::Result<Vec<String>> {
    let published =
        read(&fs::read_to_string(root().join(PATH)).with_context(|| format!("cannot read {PATH}"))?)?;
    let book = PriceBook::builtin();
    let present = entries(book);
    let mut broken = changes(&published, &present, today(book));
    let new = present.iter().filter(|(name, now)| published.get(*name) != Some(now));
    let unpublished = new.count();
    if broken.is_empty() && unpublished > 0 {
        broken.push(format!(
            "{unpublished} entries of the price book are new or have a new end: run `cargo xtask publish-prices` and \
             commit {PATH}"
        ));
    }
    Ok(broken)
}

/// Adds the new entries of the book to the file. Fails when a published entry has changed.
pub(crate) fn publish() -> anyhow::Result<()> {
    let path = root().join(PATH);
    let published = match fs::read_to_string(&path) {
        Ok(text) => read(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Entries::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {PATH}")),
    };
    let book = PriceBook::builtin();
    let present = entries(book);
    let broken = changes(&published, &present, today(book));
    ensure!(broken.is_empty(), "published entries have changed:\n{}", broken.join("\n"));
    fs::write(&path, write(&present)).with_context(|| format!("cannot write {PATH}"))?;
    let new = present.keys().filter(|name| !published.contains_key(*name)).count();
    println!("published {new} new entries, {} in all", present.len());
    Ok(())
}

/// The day on which the book was last checked. It is used instead of the clock, so that the result depends on
/// the files only.
fn today(book: &PriceBook) -> &str {
    book.version().split('+').next().unwrap_or_default()
}

/// One message for each forbidden change, with what to do. Allowed changes are new entries, an end for an
/// entry that had none, and moving an end that is not in the past.
fn changes(published: &Entries, present: &Entries, today: &str) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, then) in published {
        let Some(now) = present.get(name) else {
            changes.push(format!(
                "`{name}` was published and is missing now: events of its time were priced with it. Restore the \
                 entry; to end it, add an `until`"
            ));
            continue;
        };
        if now.hash != then.hash {
            changes.push(format!(
                "`{name}` was published and has other rates now: events of its time were priced with the old ones. Restore \
                 the entry, and add a [[price]] with a later `from`"
            ));
        }
        let is_to_come = |day: &str| day == "-" || day >= today;
        if now.until != then.until
            && !(then.until == "-" || is_to_come(&then.until) && is_to_come(&now.until))
        {
            changes.push(format!(
                "`{name}` was published with the end {} and has {} now: restore it. Only an end that is not in \
                 the past can be moved",
                then.until, now.until
            ));
        }
    }
    changes
}

fn entries(book: &PriceBook) -> Entries {
    let mut entries = Entries::new();
    for provider in book.providers() {
        for model in provider.models() {
            if model.is_free() {
                entries.insert(
                    line_name(&["free", provider.name(), model.name(), "-", "-", "-"]),
                    locked("", None),
                );
            }
            for price in model.prices() {
                let hours = price.hours().map_or("-".to_owned(), |hours| hours.to_string().replace(' ', ","));
                let from = day(price.from().map(|from| from.to_string()));
                let name = ["price", provider.name(), model.name(), price.tier().as_str(), &from, &hours];
                let until = price.until().map(|until| until.to_string());
                entries.insert(line_name(&name), locked(&content(provider, model, price), until));
            }
        }
        // The models of a fee are not locked, because new models are added to a fee.
        for fee in provider.fees() {
            let from = day(fee.from().map(|from| from.to_string()));
            let usd = fee.usd().normalize().to_string();
            let name = ["fee", provider.name(), fee.meter().name(), &usd, &from, "-"];
            entries.insert(line_name(&name), locked("", fee.until().map(|until| until.to_string())));
        }
    }
    entries
}

/// A text of everything that decides the cost of a call at the entry's time. Equal prices give equal texts.
fn content(provider: &Provider, model: &Model, price: &Price) -> String {
    let mut content = rates(price.rates());
    if let Some(long) = price.long() {
        content.push_str(&format!("long {}", rates(long)));
    }
    if let Some(over) = model.long_context_over().filter(|_| !price.is_flat()) {
        content.push_str(&format!("long over {over};"));
    }
    if let Some(rule) = provider.regional().filter(|_| model.is_regional()) {
        content.push_str(&format!("regions × {};", rule.factor().normalize()));
    }
    content
}

fn rates(rates: &Rates) -> String {
    let mut text = String::new();
    for rate in rates.iter() {
        let variant = rate.variant.as_deref().unwrap_or_default();
        text.push_str(&format!("{} {variant} {}", rate.meter.name(), rate.usd.normalize()));
        if let Origin::Fallback { of, .. } = rate.origin {
            text.push_str(&format!(" of {}", of.name()));
        }
        text.push(';');
    }
    text
}

fn locked(content: &str, until: Option<String>) -> Locked {
    let hash =
        if content.is_empty() { "-".to_owned() } else { format!("{:016x}", xxh3_64(content.as_bytes())) };
    Locked { hash, until: day(until) }
}

/// The date of a timestamp at midnight, or `-` without one.
fn day(moment: Option<String>) -> String {
    let day = moment.map(|moment| moment.split('T').next().unwrap_or_default().to_owned());
    day.unwrap_or_else(|| "-".to_owned())
}

fn line_name(parts: &[&str; 6]) -> String {
    parts.join(" ")
}

fn read(text: &str) -> anyhow::Result<Entries> {
    let line = |(index, line): (usize, &str)| {
        let mut parts = line.rsplitn(3, ' ');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(until), Some(hash), Some(name)) => {
                Ok((name.to_owned(), Locked { hash: hash.to_owned(), until: until.to_owned() }))
            }
            _ => Err(anyhow!("{PATH}:{}: this is not a valid line: restore the file", index + 1)),
        }
    };
    text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')).map(line).collect()
}

fn write(entries: &Entries) -> String {
    let lines = entries.iter().map(|(name, locked)| format!("{name} {} {}\n", locked.hash, locked.until));
    lines.fold(HEAD.to_owned(), |text, line| text + &line)
}
