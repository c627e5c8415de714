//! Accepted proposals as entries of a book file.

mod insert;
mod toml_text;

#[cfg(test)]
mod tests;

use std::fmt;

use rust_decimal::Decimal;
use spanledger_price::{Hours, Rate, Rates};

use crate::{Comparison, Proposal, compare::Line};
pub use insert::{InsertError, insert};
use toml_text::{key, string, strings};

/// Which suspicious proposals are taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// None.
    #[default]
    None,
    /// Those of these models.
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
    /// The provider context file it is, by the name that the comparison has for it.
    pub provider: String,
    /// The first day of the new prices, `2026-11-21`. Days are checked by [`insert`].
    pub from: String,
    /// The day on which the list was read.
    pub checked: String,
    /// The key of the list in the `[sources]` table.
    pub source_id: String,
    /// What the list is and when it was read.
    pub source_text: String,
    /// Which suspicious proposals are taken.
    pub accept: Accept,
    /// Whether the entries are for a file that is laid over a book. There they state that they are list
    /// prices (`discountable = true`), from which discounts are taken.
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

/// The dated entries of one provider for all that is new, changed, or suspicious and accepted.
///
/// A new model is a `[[model]]`; other prices are a `[[price]]` with each changed tier complete,
/// because a line replaces a line. Withdrawn models are listed in a comment: whether and when one
/// ends (`until`) is for a person to say.
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

/// A text without line breaks, which would end a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn entry(proposal: &Proposal, options: &EntryOptions) -> String {
    let mut toml = String::new();
    let mut line = |text: String| {
        toml.push_str(&text);
        toml.push('\n');
    };
    if proposal.is_new {
        line(String::new());
        line("[[model]]".to_owned());
        line(format!("name = {}", string(&proposal.model)));
        for (key, names) in [("aliases", &proposal.aliases), ("snapshots", &proposal.snapshots)] {
            if !names.is_empty() {
                line(format!("{key} = {}", strings(names)));
            }
        }
        if let Some(over) = proposal.long_context_over {
            line(format!("long_context_over_tokens = {over}"));
        }
        if proposal.regional {
            line("regional_surcharge = true".to_owned());
        }
    }
    // Hours and thresholds belong to an entry, so lines with different ones need different entries.
    let mut groups: Vec<(Option<Hours>, bool, bool)> = Vec::new();
    for changed in proposal.lines.iter().filter(|line| line.changed) {
        let group = (changed.hours, changed.flat, changed.own);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for (hours, flat, negotiated) in groups {
        line(String::new());
        line("[[price]]".to_owned());
        line(format!("model = {}", string(&proposal.model)));
        line(format!("from = {}", options.from));
        if let Some(hours) = hours {
            let hours = hours.to_string();
            let (times, weekdays) = hours.split_once(' ').unwrap_or((&hours, ""));
            line(format!("hours_utc = \"{times}\""));
            if !weekdays.is_empty() {
                line(format!("weekdays_utc = \"{weekdays}\""));
            }
        }
        if flat {
            line("no_long_context = true".to_owned());
        }
        if options.list && !negotiated {
            line("discountable = true".to_owned());
        }
        line(format!("sources = [{}]", string(&options.source_id)));
        line(format!("prices_checked = {}", options.checked));
        let group = (hours, flat, negotiated);
        let own =
            proposal.lines.iter().filter(|line| line.changed && (line.hours, line.flat, line.own) == group);
        own.flat_map(tier_lines).for_each(&mut line);
    }
    toml
}

fn tier_lines(line: &Line) -> Vec<String> {
    let short = (line.tier.as_str(), Some(&line.rates));
    let long = (line.tier.long_key(), line.long.as_ref());
    let sides = [short, long].into_iter().filter_map(|(key, rates)| Some((key, rates?)));
    sides.map(|(key, rates)| format!("{key} = {{ {} }}", rates_text(rates))).collect()
}

/// The published rates of a line, as pairs of an inline table.
fn rates_text(rates: &Rates) -> String {
    let published = || rates.published();
    let mut pairs: Vec<String> = Vec::new();
    let mut done = None;
    for rate in published() {
        let name = rate.meter.rate_key();
        if done == Some(rate.meter) {
            continue;
        }
        done = Some(rate.meter);
        let usd = |usd: Decimal| format!("\"{}\"", usd.normalize());
        pairs.push(match &rate.variant {
            None => format!("{name} = {}", usd(rate.usd)),
            Some(_) => {
                let kinds = published().filter(|other| other.meter == rate.meter);
                let kind =
                    |other: &Rate| Some(format!("{} = {}", key(other.variant.as_deref()?), usd(other.usd)));
                let kinds: Vec<String> = kinds.filter_map(kind).collect();
                format!("{name} = {{ {} }}", kinds.join(", "))
            }
        });
    }
    pairs.join(", ")
}
