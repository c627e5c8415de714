//! Compares the models of one provider.

use std::collections::{BTreeMap, BTreeSet};

use spanledger_price::{Model, Provider, without_date};

use super::{
    Comparison, KeptOverride, Later, ManualChange, Names, Proposal, Scope, Withdrawn,
    lines::{self, Line, LineContext, OverlaidLines},
};
use crate::{ForeignLine, ForeignModel};

/// The state of comparing one provider.
pub(super) struct ProviderComparison<'a, 'c> {
    name: &'a str,
    book: Option<&'a Provider>,
    scope: &'a Scope,
    comparison: &'c mut Comparison,
    /// The lines of the book's models after the list's changes, by model.
    projected: BTreeMap<&'a str, Vec<Line>>,
    /// The book's models that the list names.
    listed: BTreeSet<&'a str>,
    /// The names of new models.
    new_names: BTreeSet<String>,
}

/// A model of the list and the models of the book that its names match.
struct MatchedModel<'a> {
    foreign: &'a ForeignModel,
    lines: Vec<&'a ForeignLine>,
    /// Models of the book, each with the names that match it.
    matches: BTreeMap<&'a str, Vec<&'a str>>,
    unknown_names: Vec<&'a str>,
}

impl MatchedModel<'_> {
    /// The long-context threshold, if the list has rates for prompts beyond it.
    fn threshold(&self) -> Option<u64> {
        self.foreign.long_context_over.filter(|_| self.lines.iter().any(|line| line.long.is_some()))
    }

    fn is_free(&self) -> bool {
        let mut rates = self.lines.iter().flat_map(|line| [Some(&line.rates), line.long.as_ref()]).flatten();
        rates.all(|rates| rates.iter().all(|rate| rate.usd.is_zero()))
    }
}

/// The model as which a name is billed.
struct BilledAs<'b> {
    name: &'b str,
    /// The model of the book; `None` if the model itself is new.
    model: Option<&'b Model>,
    lines: Vec<Line>,
    long_context_over: Option<u64>,
    regional: bool,
}

impl<'a, 'c> ProviderComparison<'a, 'c> {
    pub(super) fn new(
        name: &'a str,
        book: Option<&'a Provider>,
        scope: &'a Scope,
        comparison: &'c mut Comparison,
    ) -> Self {
        let name = book.map_or(name, Provider::name);
        let (projected, listed, new_names) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { name, book, scope, comparison, projected, listed, new_names }
    }

    pub(super) fn run(mut self, models: Vec<&'a ForeignModel>) {
        let mut matched: Vec<MatchedModel<'a>> =
            models.into_iter().map(|model| self.matched(model)).collect();
        // Models are compared before their other names: those are compared with the model's new prices.
        for foreign in &matched {
            for (model, _) in foreign.matches.iter().filter(|(model, names)| names.contains(model)) {
                if let Some(model) =
                    self.model(model).filter(|model| !self.projected.contains_key(model.name()))
                {
                    self.compare_model(foreign, model);
                }
            }
        }
        for foreign in &matched {
            for (model, names) in &foreign.matches {
                self.listed.insert(model);
                if let Some(model) = self.model(model).filter(|model| !names.contains(&model.name())) {
                    self.compare_names(foreign, model, names);
                }
            }
            self.note_unknown_names(foreign);
        }
        matched.retain(|foreign| foreign.matches.is_empty());
        self.compare_new_models(matched);
        self.note_withdrawn();
    }

    fn matched(&mut self, foreign: &'a ForeignModel) -> MatchedModel<'a> {
        let mut matches: BTreeMap<&'a str, Vec<&'a str>> = BTreeMap::new();
        let mut unknown_names = Vec::new();
        for name in std::iter::once(&foreign.name).chain(&foreign.aliases) {
            match self.book.and_then(|book| book.model(name)) {
                Some(model) => matches.entry(model.name()).or_default().push(name),
                None => unknown_names.push(name.as_str()),
            }
        }
        let at = self.scope.at;
        if self.scope.has_model(&foreign.name) {
            let later = foreign.lines.iter().filter_map(|line| line.period.from()).filter(|from| *from > at);
            if let Some(from) = later.min() {
                let (provider, model) = (self.name.to_owned(), foreign.name.clone());
                self.comparison.later.push(Later { provider, model, from });
            }
        }
        MatchedModel { foreign, lines: foreign.lines_at(at).collect(), matches, unknown_names }
    }

    fn model(&self, name: &str) -> Option<&'a Model> {
        self.book?.models().iter().find(|model| model.name() == name)
    }

    fn is_in_scope(&self, foreign: &MatchedModel<'_>, model: &str) -> bool {
        self.scope.has_model(&foreign.foreign.name) || self.scope.has_model(model)
    }

    fn context<'n>(
        &self,
        name: &'n str,
        billed_as: Option<&'n Model>,
        foreign: &ForeignModel,
    ) -> LineContext<'n>
    where
        'a: 'n,
    {
        LineContext {
            provider: self.name,
            model: name,
            billed_as: billed_as.map_or(name, Model::name),
            book: self.book,
            embedding: foreign.embedding,
            at: self.scope.at,
        }
    }

    fn note_by_hand(&mut self, model: &str, what: impl IntoIterator<Item = String>) {
        for what in what {
            let (provider, model) = (self.name.to_owned(), model.to_owned());
            let change = ManualChange { provider, model, what };
            if !self.comparison.by_hand.contains(&change) {
                self.comparison.by_hand.push(change);
            }
        }
    }

    /// Notes the user's own prices that are kept. Returns whether there are any.
    fn note_kept(&mut self, model: &str, what: Vec<String>) -> bool {
        if what.is_empty() {
            return false;
        }
        let (provider, model) = (self.name.to_owned(), model.to_owned());
        self.comparison.kept.push(KeptOverride { provider, model, what });
        true
    }

    /// Compares a model under the name by which the book lists it.
    fn compare_model(&mut self, foreign: &MatchedModel<'a>, model: &'a Model) {
        let before = lines::of_book(model, self.scope.at);
        if !self.is_in_scope(foreign, model.name()) {
            self.projected.insert(model.name(), before);
            return;
        }
        if model.is_free() && foreign.is_free() {
            self.comparison.unchanged += 1;
            self.projected.insert(model.name(), before);
            return;
        }
        let context = self.context(model.name(), Some(model), foreign.foreign);
        let (theirs, ours) = (foreign.threshold(), model.long_context_over());
        let same_threshold = theirs.is_none() || theirs == ours;
        let OverlaidLines { lines, changes, reasons, by_hand, kept } =
            lines::overlay(&before, &foreign.lines, context, same_threshold);
        let is_kept = self.note_kept(model.name(), kept);
        if !same_threshold {
            self.note_by_hand(model.name(), other_threshold(theirs, ours));
        }
        self.note_by_hand(model.name(), by_hand);
        self.projected.insert(model.name(), lines.clone());
        if changes.is_empty() {
            self.comparison.unchanged += usize::from(!is_kept);
            return;
        }
        if model.is_free() {
            let what = "has prices, but the book says `free`: edit the [[model]]";
            self.note_by_hand(model.name(), [what.to_owned()]);
        }
        self.propose(Proposal {
            provider: self.name.to_owned(),
            model: model.name().to_owned(),
            changes,
            reasons,
            long_context_over: model.long_context_over(),
            regional: model.is_regional(),
            lines,
            ..Proposal::default()
        });
    }

    /// Compares the other names of a model of the book. The list may have different prices for them.
    fn compare_names(&mut self, foreign: &MatchedModel<'a>, model: &'a Model, names: &[&'a str]) {
        if !self.is_in_scope(foreign, model.name()) {
            return;
        }
        let lines = match self.projected.get(model.name()) {
            Some(lines) => lines.clone(),
            None => lines::of_book(model, self.scope.at),
        };
        let (long_context_over, regional) = (model.long_context_over(), model.is_regional());
        let billed_as =
            BilledAs { name: model.name(), model: Some(model), lines, long_context_over, regional };
        let is_free = model.is_free() && foreign.is_free();
        if is_free || !self.split_off(foreign, billed_as, names) {
            self.comparison.unchanged += 1;
        }
    }

    /// Compares names with the model as which they are billed. If their prices differ, proposes a separate model
    /// for them. Returns whether something was reported.
    fn split_off(&mut self, foreign: &MatchedModel<'a>, billed_as: BilledAs<'_>, names: &[&str]) -> bool {
        let Some((name, others)) = names.split_first() else { return false };
        let unchanged = |line| Line { changed: false, ..line };
        let before: Vec<Line> = billed_as.lines.into_iter().map(unchanged).collect();
        let (theirs, ours) = (foreign.threshold(), billed_as.long_context_over);
        let same_threshold = ours.is_none() || theirs.is_none() || theirs == ours;
        let context = self.context(name, billed_as.model, foreign.foreign);
        let mut overlaid = lines::overlay(&before, &foreign.lines, context, same_threshold);
        if !same_threshold {
            overlaid.by_hand.extend(other_threshold(theirs, ours));
        }
        self.note_by_hand(name, std::mem::take(&mut overlaid.by_hand));
        let is_kept = self.note_kept(name, std::mem::take(&mut overlaid.kept));
        if overlaid.changes.is_empty() {
            return is_kept;
        }
        let own = billed_as.model.map(|model| model.aliases().iter().chain(model.snapshots()));
        if let Some(listed) = own.into_iter().flatten().find(|own| names.contains(&own.as_str())) {
            let changes = overlaid.changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let what = format!(
                "has its own prices ({changes}), but the book lists `{listed}` as a name of {}: remove that name \
                 first",
                billed_as.name
            );
            self.note_by_hand(name, [what]);
            return true;
        }
        // A name has one price: only the first proposal for a name is used.
        if !self.new_names.insert((*name).to_owned()) {
            return true;
        }
        // The new model copies lines of its base, so it inherits the reasons for which the base is suspicious.
        let is_base = |other: &&Proposal| other.provider == self.name && other.model == billed_as.name;
        let suspicious = self.comparison.suspicious.iter().find(is_base);
        let mut reasons = suspicious.map(|base| base.reasons.clone()).unwrap_or_default();
        reasons.extend(overlaid.reasons);
        let aliases = others.iter().filter(|other| self.new_names.insert((**other).to_owned()));
        let aliases = aliases.map(|other| (*other).to_owned()).collect();
        let is_foreign = |line: &Line| {
            foreign.lines.iter().any(|other| (other.tier, other.hours) == (line.tier, line.hours))
        };
        let written = |line: Line| {
            // The new model gets the list's threshold, which does not apply to the lines of the base.
            let flat = line.flat || (ours.is_none() && theirs.is_some() && !is_foreign(&line));
            Line { changed: true, flat, ..line }
        };
        self.propose(Proposal {
            provider: self.name.to_owned(),
            model: (*name).to_owned(),
            is_new: true,
            apart_from: Some(billed_as.name.to_owned()),
            aliases,
            changes: overlaid.changes,
            reasons,
            long_context_over: ours.or(theirs),
            regional: billed_as.regional,
            lines: overlaid.lines.into_iter().map(written).collect(),
            ..Proposal::default()
        });
        true
    }

    /// Notes names that only the list has for a model that is in both.
    fn note_unknown_names(&mut self, foreign: &MatchedModel<'_>) {
        let Some(model) = foreign.matches.keys().next() else { return };
        if foreign.unknown_names.is_empty() || !self.is_in_scope(foreign, model) {
            return;
        }
        let names = foreign.unknown_names.iter().map(|name| (*name).to_owned()).collect();
        let (provider, model) = (self.name.to_owned(), (*model).to_owned());
        self.comparison.names.push(Names { provider, model, names });
    }

    /// Compares models that the book does not have under any name.
    fn compare_new_models(&mut self, mut models: Vec<MatchedModel<'a>>) {
        // After sorting, a model comes before its dated names.
        models.sort_by_key(|new| new.foreign.name.as_str());
        let names: BTreeSet<&str> = models.iter().map(|new| new.foreign.name.as_str()).collect();
        let mut done: BTreeMap<&str, (Vec<Line>, Option<u64>, bool)> = BTreeMap::new();
        for new in &models {
            let foreign = new.foreign;
            let name = foreign.name.as_str();
            if new.lines.is_empty() || !self.scope.has_model(name) {
                continue;
            }
            // The book bills a dated name as the undated model.
            let undated = without_date(name).and_then(|base| done.get_key_value(base));
            if let Some((base, (lines, over, regional))) = undated {
                let (lines, long_context_over, regional) = (lines.clone(), *over, *regional);
                let billed_as = BilledAs { name: base, model: None, lines, long_context_over, regional };
                if !self.split_off(new, billed_as, &[name]) {
                    self.comparison.unchanged += 1;
                    self.add_snapshot(base, name);
                }
                continue;
            }
            if !self.new_names.insert(name.to_owned()) {
                continue;
            }
            let mut aliases = foreign.aliases.clone();
            aliases.retain(|alias| {
                let is_dated = without_date(alias) == Some(name);
                !is_dated && !names.contains(alias.as_str()) && self.new_names.insert(alias.clone())
            });
            let overlaid = lines::overlay(&[], &new.lines, self.context(name, None, foreign), true);
            self.note_kept(name, overlaid.kept);
            if overlaid.changes.is_empty() {
                continue;
            }
            let factor = self.book.and_then(Provider::regional).map(|rule| rule.factor());
            if let Some(theirs) = foreign.regional.filter(|theirs| factor != Some(*theirs)) {
                let what = format!("has a regional factor of {theirs}, but the book has no such surcharge");
                self.note_by_hand(name, [what]);
            }
            self.note_by_hand(name, overlaid.by_hand);
            let regional = foreign.regional.is_some() && foreign.regional == factor;
            done.insert(name, (overlaid.lines.clone(), foreign.long_context_over, regional));
            self.propose(Proposal {
                provider: self.name.to_owned(),
                model: name.to_owned(),
                is_new: true,
                aliases,
                changes: overlaid.changes,
                reasons: overlaid.reasons,
                long_context_over: foreign.long_context_over,
                regional,
                lines: overlaid.lines,
                ..Proposal::default()
            });
        }
    }

    /// Adds a dated name to the proposal of a new model.
    fn add_snapshot(&mut self, model: &str, name: &str) {
        let comparison = &mut *self.comparison;
        let mut proposals = comparison.new.iter_mut().chain(&mut comparison.suspicious);
        if let Some(proposal) = proposals.find(|other| other.provider == self.name && other.model == model) {
            proposal.snapshots.push(name.to_owned());
        }
    }

    fn propose(&mut self, proposal: Proposal) {
        let group = match (proposal.reasons.is_empty(), proposal.is_new && proposal.apart_from.is_none()) {
            (false, _) => &mut self.comparison.suspicious,
            (true, true) => &mut self.comparison.new,
            (true, false) => &mut self.comparison.changed,
        };
        group.push(proposal);
    }

    /// Notes models with a price in the book that the list does not name.
    fn note_withdrawn(&mut self) {
        for model in self.book.map(Provider::models).unwrap_or_default() {
            let lines = lines::of_book(model, self.scope.at);
            let has_price = model.is_free() || !lines.is_empty();
            if has_price && !self.listed.contains(model.name()) && self.scope.has_model(model.name()) {
                let (provider, model) = (self.name.to_owned(), model.name().to_owned());
                if lines.iter().any(|line| line.own) {
                    self.comparison.kept.push(KeptOverride { provider, model, what: Vec::new() });
                } else {
                    self.comparison.withdrawn.push(Withdrawn { provider, model });
                }
            }
        }
    }
}

/// Says why the list's rates of long prompts cannot be used, and what to do.
fn other_threshold(theirs: Option<u64>, ours: Option<u64>) -> Option<String> {
    let theirs = theirs?;
    Some(match ours {
        Some(ours) => format!(
            "long prompts begin above {theirs} tokens, but in the book above {ours}: the threshold belongs to the \
             [[model]]"
        ),
        None => format!(
            "long prompts (above {theirs} tokens) have separate rates: add `long_context_over_tokens` to the \
             [[model]] and compare again"
        ),
    })
}
