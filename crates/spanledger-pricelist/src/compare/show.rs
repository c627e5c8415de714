//! Shows a comparison as a diff for a person.

use std::{collections::BTreeMap, fmt};

use super::{Comparison, Proposal};
use crate::{Skipped, diff::Subject};

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        proposals(f, "new", &self.new)?;
        proposals(f, "changed", &self.changed)?;
        proposals(f, "suspicious: not taken unless accepted", &self.suspicious)?;
        head(f, "kept: your own price", self.kept.len())?;
        for kept in &self.kept {
            let what = if kept.what.is_empty() { "not in the list".to_owned() } else { kept.what.join(", ") };
            writeln!(f, "  {} {}: {what}", kept.provider, kept.model)?;
        }
        let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for withdrawn in &self.withdrawn {
            lists.entry(&withdrawn.provider).or_default().push(&withdrawn.model);
        }
        head(f, "withdrawn: in the book, not in the list", self.withdrawn.len())?;
        for (provider, models) in lists {
            writeln!(f, "  {provider}: {}", models.join(", "))?;
        }
        head(f, "to decide by hand", self.by_hand.len())?;
        for note in &self.by_hand {
            writeln!(f, "  {} {}: {}", note.provider, note.model, note.what)?;
        }
        head(f, "later: compare again on that day", self.later.len())?;
        for later in &self.later {
            writeln!(f, "  {} {}: from {}", later.provider, later.model, crate::diff::day(later.from))?;
        }
        head(f, "names that the book lacks", self.names.len())?;
        for names in &self.names {
            writeln!(f, "  {} {}: {}", names.provider, names.model, names.names.join(", "))?;
        }
        head(f, "skipped", self.skipped.len())?;
        for (reason, names) in grouped(&self.skipped) {
            /// Names that are shown for each reason; the others are only counted.
            const NAMES_MAX: usize = 3;
            let shown = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
            let more = names.len().saturating_sub(NAMES_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(f, "  {reason}: {shown}{more}")?;
        }
        write!(
            f,
            "{} new, {} changed, {} suspicious, {} withdrawn, {} unchanged",
            self.new.len(),
            self.changed.len(),
            self.suspicious.len(),
            self.withdrawn.len(),
            self.unchanged
        )?;
        match self.kept.len() {
            0 => Ok(()),
            kept => write!(f, ", {kept} kept"),
        }
    }
}

fn head(f: &mut fmt::Formatter<'_>, title: &str, count: usize) -> fmt::Result {
    if count == 0 { Ok(()) } else { writeln!(f, "{title} ({count})") }
}

fn proposals(f: &mut fmt::Formatter<'_>, title: &str, proposals: &[Proposal]) -> fmt::Result {
    head(f, title, proposals.len())?;
    proposals.iter().try_for_each(|proposal| write!(f, "{proposal}"))
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = self.apart_from.as_ref();
        let apart = apart.map(|model| format!(" (so far billed as {model})")).unwrap_or_default();
        writeln!(f, "  {} {}{apart}", self.provider, self.model)?;
        for reason in &self.reasons {
            writeln!(f, "    ! {reason}")?;
        }
        for change in &self.changes {
            match &change.subject {
                Subject::Rate(key) => {
                    writeln!(f, "    {key} {} per {}", change.delta, key.meter.unit())?;
                }
                _ => writeln!(f, "    {change}")?,
            }
        }
        Ok(())
    }
}

/// The names of each reason.
fn grouped(skipped: &[Skipped]) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for skipped in skipped {
        groups.entry(&skipped.reason).or_default().push(&skipped.name);
    }
    groups
}
