//! Writes accepted proposals as entries of a book file.

mod insert;
mod toml_text;

#[cfg(test)]
mod tests;

use std::fmt;

use spanledger_price::{Rate, Rates};

use crate::{Comparison, Proposal, compare::Line, diff::Side};
pub use insert::{InsertError, insert};
use toml_text::{key, string, strings};

/// Which suspicious proposals become entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// None.
    #[default]
    None,
    /// The proposals for these models.
    Models(Vec<String>),
    /// All.
    All,
}

impl Accept {
    fn takes(&self, model: &str) -> bool {
        match self {
            Self::None => false,
            Self::Models(models) => models.iter().any(|own| own == model),
            Self::All => true,
        }
    }
}

/// The dates and the source of entries.
#[derive(Clone, Debug, Default)]
pub struct EntryOptions {
    /// The provider of the file, by its name in the comparison.
    pub provider: String,
    /// The first day of the new prices, such as `2026-11-21`. [`insert`] checks that it is a valid day.
    pub from: String,
    /// The day on which the list was read.
    pub checked: String,
    /// The key of the list in the `[sources]` table.
    pub source_id: String,
    /// What the list is and when it was read.
    pub source_text: String,
    /// Which suspicious proposals become entries.
    pub accept: Accept,
    /// Whether the entries are for a file that is laid over a book. In such a file the entries state that they
    /// are list prices (`discountable = true`), so that discounts apply to them.
    pub list: bool,
}

/// Entries to append to a book file. Its `Display` is their TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    provider: String,
    source_id: String,
    source_text: String,
    toml: String,
    models: Vec<String>,
}

impl Entries {
    /// The provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The models that get an entry.
    pub fn models(&self) -> &[String] {
        &self.models
    }

    /// Whether no model gets an entry.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.toml)
    }
}

/// Makes the dated entries of one provider from the new and changed models, and from the suspicious ones that
/// are accepted.
///
/// A new model gets a `[[model]]`. Each `[[price]]` entry has all rates of a changed tier, because a line of
/// rates replaces the earlier line as a whole. Withdrawn models are only listed in a comment: a person decides
/// whether and when a price ends (`until`).
pub fn entries(comparison: &Comparison, options: &EntryOptions) -> Entries {
    let accepted = comparison.suspicious.iter().filter(|proposal| options.accept.takes(&proposal.model));
    let all = comparison.new.iter().chain(&comparison.changed).chain(accepted);
    let taken: Vec<&Proposal> = all.filter(|proposal| proposal.provider == options.provider).collect();
    let mut toml = String::new();
    let mut models = Vec::new();
    for proposal in taken {
        models.push(proposal.model.clone());
        toml.push_str(&entry(proposal, options));
    }
    let own = comparison.withdrawn.iter().filter(|withdrawn| withdrawn.provider == options.provider);
    let withdrawn: Vec<&str> = own.map(|withdrawn| withdrawn.model.as_str()).collect();
    if !withdrawn.is_empty() {
        let source = one_line(&options.source_text);
        toml.push_str(&format!("\n# Not in {source}. One that has ended needs an `until`:\n"));
        for model in withdrawn {
            toml.push_str(&format!("#   {}\n", one_line(model)));
        }
    }
    Entries {
        provider: options.provider.clone(),
        source_id: options.source_id.clone(),
        source_text: options.source_text.clone(),
        toml,
        models,
    }
}

/// Replaces line breaks and other control characters by spaces: a line break would end a TOML comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The price entries of a model, preceded by its `[[model]]` if the model is new.
fn entry(proposal: &Proposal, options: &EntryOptions) -> String {
    let mut toml = String::new();
    if proposal.is_new {
        toml.push_str(&format!("\n[[model]]\nname = {}\n", string(&proposal.model)));
        for (key, names) in [("aliases", &proposal.aliases), ("snapshots", &proposal.snapshots)] {
            if !names.is_empty() {
                toml.push_str(&format!("{key} = {}\n", strings(names)));
            }
        }
        if let Some(over) = proposal.long_context_over {
            toml.push_str(&format!("long_context_over_tokens = {over}\n"));
        }
        if proposal.regional {
            toml.push_str("regional_surcharge = true\n");
        }
    }
    // Hours, `no_long_context` and `discountable` hold for a whole entry, so lines that differ in them need
    // separate entries.
    let mut entries: Vec<Vec<&Line>> = Vec::new();
    for line in proposal.lines.iter().filter(|line| line.changed) {
        let shares =
            |other: &&Line| (other.hours, other.flat, other.own) == (line.hours, line.flat, line.own);
        match entries.iter_mut().find(|entry| entry.iter().all(shares)) {
            Some(entry) => entry.push(line),
            None => entries.push(vec![line]),
        }
    }
    for lines in entries {
        toml.push_str(&price_entry(&proposal.model, &lines, options));
    }
    toml
}

fn price_entry(model: &str, lines: &[&Line], options: &EntryOptions) -> String {
    let mut toml = format!("\n[[price]]\nmodel = {}\nfrom = {}\n", string(model), options.from);
    if let Some(first) = lines.first() {
        if let Some(hours) = first.hours {
            let hours = hours.to_string();
            let (times, weekdays) = hours.split_once(' ').unwrap_or((&hours, ""));
            toml.push_str(&format!("hours_utc = \"{times}\"\n"));
            if !weekdays.is_empty() {
                toml.push_str(&format!("weekdays_utc = \"{weekdays}\"\n"));
            }
        }
        if first.flat {
            toml.push_str("no_long_context = true\n");
        }
        if options.list && !first.own {
            toml.push_str("discountable = true\n");
        }
    }
    let source = string(&options.source_id);
    toml.push_str(&format!("sources = [{source}]\nprices_checked = {}\n", options.checked));
    for line in lines {
        toml.push_str(&format!("{} = {{ {} }}\n", Side::Short.key(line.tier), rates_text(&line.rates)));
        if let Some(long) = &line.long {
            toml.push_str(&format!("{} = {{ {} }}\n", Side::Long.key(line.tier), rates_text(long)));
        }
    }
    toml
}

/// The published rates of a line as an inline table without its brackets. Rates by kind form a nested table.
fn rates_text(rates: &Rates) -> String {
    let published: Vec<&Rate> = rates.published().collect();
    let usd = |rate: &Rate| format!("\"{}\"", rate.usd.normalize());
    let pairs = published.chunk_by(|a, b| a.meter == b.meter).map(|of_meter| {
        let kinds = of_meter
            .iter()
            .filter_map(|rate| Some(format!("{} = {}", key(rate.variant.as_deref()?), usd(rate))));
        let kinds: Vec<String> = kinds.collect();
        let name = of_meter.first().map(|rate| rate.meter.rate_key()).unwrap_or_default();
        match of_meter {
            [rate] if rate.variant.is_none() => format!("{name} = {}", usd(rate)),
            _ => format!("{name} = {{ {} }}", kinds.join(", ")),
        }
    });
    pairs.collect::<Vec<_>>().join(", ")
}
