//! The models of one provider.

use std::collections::{BTreeMap, BTreeSet};

use spanledger_price::{Model, Provider, without_date};

use super::{
    Comparison, KeptOverride, Later, ManualChange, Names, Proposal, Scope, Withdrawn,
    lines::{self, Line, LineContext, Outcome},
};
use crate::{ForeignLine, ForeignModel};

/// The comparison of one provider as it goes on.
pub(super) struct ProviderComparison<'a, 'c> {
    name: &'a str,
    book: Option<&'a Provider>,
    scope: &'a Scope,
    comparison: &'c mut Comparison,
    /// The lines of the book's models after the list's changes, by model.
    projected: BTreeMap<&'a str, Vec<Line>>,
    /// The book's models that the list names.
    seen: BTreeSet<&'a str>,
    /// The names of new models.
    taken: BTreeSet<String>,
}

/// A model of the list and what its names mean to the book.
struct MatchedModel<'a> {
    foreign: &'a ForeignModel,
    lines: Vec<&'a ForeignLine>,
    /// Models of the book, each with the names that mean it.
    meant: BTreeMap<&'a str, Vec<&'a str>>,
    unknown: Vec<&'a str>,
}

impl MatchedModel<'_> {
    /// The threshold, where there are rates beyond it.
    fn threshold(&self) -> Option<u64> {
        self.foreign.long_context_over.filter(|_| self.lines.iter().any(|line| line.long.is_some()))
    }
}

/// The model by which a name is billed.
struct BilledAs<'b> {
    name: &'b str,
    /// Where it is in the book.
    model: Option<&'b Model>,
    lines: Vec<Line>,
    over: Option<u64>,
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
        let (projected, seen, taken) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { name, book, scope, comparison, projected, seen, taken }
    }

    pub(super) fn run(mut self, models: Vec<&'a ForeignModel>) {
        let mut known: Vec<MatchedModel<'a>> = models.into_iter().map(|model| self.known(model)).collect();
        // A model's own name first: its other names are compared with what it becomes.
        for known in &known {
            let exact = known.meant.iter().filter(|(model, names)| names.contains(model));
            for (model, _) in exact {
                if let Some(model) =
                    self.model(model).filter(|model| !self.projected.contains_key(model.name()))
                {
                    self.direct(known, model);
                }
            }
        }
        for known in &known {
            for (model, names) in &known.meant {
                self.seen.insert(model);
                if let Some(model) = self.model(model).filter(|model| !names.contains(&model.name())) {
                    self.apart(known, model, names);
                }
            }
            self.names(known);
        }
        known.retain(|known| known.meant.is_empty());
        self.fresh(known);
        self.withdrawn();
    }

    fn known(&mut self, foreign: &'a ForeignModel) -> MatchedModel<'a> {
        let mut meant: BTreeMap<&'a str, Vec<&'a str>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for name in std::iter::once(&foreign.name).chain(&foreign.aliases) {
            match self.book.and_then(|book| book.model(name)) {
                Some(model) => meant.entry(model.name()).or_default().push(name),
                None => unknown.push(name.as_str()),
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
        MatchedModel { foreign, lines: foreign.lines_at(at).collect(), meant, unknown }
    }

    fn model(&self, name: &str) -> Option<&'a Model> {
        self.book?.models().iter().find(|model| model.name() == name)
    }

    fn asked(&self, known: &MatchedModel<'_>, model: &str) -> bool {
        self.scope.has_model(&known.foreign.name) || self.scope.has_model(model)
    }

    fn context<'n>(&self, name: &'n str, known: Option<&'n Model>, foreign: &ForeignModel) -> LineContext<'n>
    where
        'a: 'n,
    {
        let known = self.book.zip(known);
        LineContext { provider: self.name, model: name, known, fees: self.book, embedding: foreign.embedding }
    }

    fn by_hand(&mut self, model: &str, what: impl IntoIterator<Item = String>) {
        for what in what {
            let (provider, model) = (self.name.to_owned(), model.to_owned());
            let note = ManualChange { provider, model, what };
            if !self.comparison.by_hand.contains(&note) {
                self.comparison.by_hand.push(note);
            }
        }
    }

    /// Says what is left as it is; whether that is anything.
    fn keep(&mut self, model: &str, what: Vec<String>) -> bool {
        if what.is_empty() {
            return false;
        }
        let (provider, model) = (self.name.to_owned(), model.to_owned());
        self.comparison.kept.push(KeptOverride { provider, model, what });
        true
    }

    /// A model under the name that the book lists it.
    fn direct(&mut self, known: &MatchedModel<'a>, model: &'a Model) {
        let before = lines::of_book(model, self.scope.at);
        if !self.asked(known, model.name()) {
            self.projected.insert(model.name(), before);
            return;
        }
        if model.is_free() && all_zero(&known.lines) {
            self.comparison.unchanged += 1;
            self.projected.insert(model.name(), before);
            return;
        }
        let context = self.context(model.name(), Some(model), known.foreign);
        let (theirs, ours) = (known.threshold(), model.long_context_over());
        let fits = theirs.is_none() || theirs == ours;
        let Outcome { lines, changes, reasons, by_hand, kept } =
            lines::lay(&before, &known.lines, context, self.scope, fits);
        let is_kept = self.keep(model.name(), kept);
        if !fits {
            self.by_hand(model.name(), mismatch(theirs, ours));
        }
        self.by_hand(model.name(), by_hand);
        self.projected.insert(model.name(), lines.clone());
        if changes.is_empty() {
            self.comparison.unchanged += usize::from(!is_kept);
            return;
        }
        if model.is_free() {
            self.by_hand(
                model.name(),
                ["has prices, where the book says `free`: edit the [[model]]".to_owned()],
            );
        }
        self.propose(Proposal {
            provider: self.name.to_owned(),
            model: model.name().to_owned(),
            is_new: false,
            apart_from: None,
            aliases: Vec::new(),
            snapshots: Vec::new(),
            changes,
            reasons,
            long_context_over: model.long_context_over(),
            regional: model.is_regional(),
            lines,
        });
    }

    /// Names of a model of the book that may have prices of their own.
    fn apart(&mut self, known: &MatchedModel<'a>, model: &'a Model, names: &[&'a str]) {
        if !self.asked(known, model.name()) {
            return;
        }
        let lines = match self.projected.get(model.name()) {
            Some(lines) => lines.clone(),
            None => lines::of_book(model, self.scope.at),
        };
        let (over, regional) = (model.long_context_over(), model.is_regional());
        let base = BilledAs { name: model.name(), model: Some(model), lines, over, regional };
        let is_free = model.is_free() && all_zero(&known.lines);
        if is_free || !self.differs(known, base, names) {
            self.comparison.unchanged += 1;
        }
    }

    /// Whether the names have other prices than the model by which they are billed; proposes that
    /// they become a model of their own.
    fn differs(&mut self, known: &MatchedModel<'a>, base: BilledAs<'_>, names: &[&str]) -> bool {
        let Some((name, others)) = names.split_first() else { return false };
        let before: Vec<Line> = base.lines.into_iter().map(|line| Line { changed: false, ..line }).collect();
        let theirs = known.threshold();
        let fits = base.over.is_none() || theirs.is_none() || theirs == base.over;
        let context = self.context(name, base.model, known.foreign);
        let mut outcome = lines::lay(&before, &known.lines, context, self.scope, fits);
        if !fits {
            outcome.by_hand.extend(mismatch(theirs, base.over));
        }
        self.by_hand(name, std::mem::take(&mut outcome.by_hand));
        let is_kept = self.keep(name, std::mem::take(&mut outcome.kept));
        if outcome.changes.is_empty() {
            return is_kept;
        }
        let own = base.model.map(|model| model.aliases().iter().chain(model.snapshots()));
        if let Some(listed) = own.into_iter().flatten().find(|own| names.contains(&own.as_str())) {
            let changes = outcome.changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let what = format!(
                "has prices of its own ({changes}), where the book lists `{listed}` as a name of {}: take it out of \
                 there first",
                base.name
            );
            self.by_hand(name, [what]);
            return true;
        }
        // Nobody can have two prices: what another name has taken stays with it.
        if !self.taken.insert((*name).to_owned()) {
            return true;
        }
        // What rests on a price that nobody has accepted yet is not accepted either.
        let is_base = |other: &&Proposal| other.provider == self.name && other.model == base.name;
        let suspicious = self.comparison.suspicious.iter().find(is_base);
        let mut reasons = suspicious.map(|base| base.reasons.clone()).unwrap_or_default();
        reasons.extend(outcome.reasons);
        let aliases = others.iter().filter(|other| self.taken.insert((**other).to_owned()));
        let aliases = aliases.map(|other| (*other).to_owned()).collect();
        let listed =
            |line: &Line| known.lines.iter().any(|own| (own.tier, own.hours) == (line.tier, line.hours));
        let written = |line: Line| {
            // Lines of a model without a threshold go on without one.
            let flat = line.flat || (base.over.is_none() && theirs.is_some() && !listed(&line));
            Line { changed: true, flat, ..line }
        };
        self.propose(Proposal {
            provider: self.name.to_owned(),
            model: (*name).to_owned(),
            is_new: true,
            apart_from: Some(base.name.to_owned()),
            aliases,
            snapshots: Vec::new(),
            changes: outcome.changes,
            reasons,
            long_context_over: base.over.or(theirs),
            regional: base.regional,
            lines: outcome.lines.into_iter().map(written).collect(),
        });
        true
    }

    /// Names that only the list knows, of a model that both know.
    fn names(&mut self, known: &MatchedModel<'_>) {
        let Some(model) = known.meant.keys().next() else { return };
        if known.unknown.is_empty() || !self.asked(known, model) {
            return;
        }
        let names = known.unknown.iter().map(|name| (*name).to_owned()).collect();
        let (provider, model) = (self.name.to_owned(), (*model).to_owned());
        self.comparison.names.push(Names { provider, model, names });
    }

    /// Models that the book does not have under any name.
    fn fresh(&mut self, mut models: Vec<MatchedModel<'a>>) {
        // A model before its dated names.
        models.sort_by_key(|known| known.foreign.name.as_str());
        let own: BTreeSet<&str> = models.iter().map(|known| known.foreign.name.as_str()).collect();
        let mut done: BTreeMap<&str, (Vec<Line>, Option<u64>, bool)> = BTreeMap::new();
        for known in &models {
            let foreign = known.foreign;
            let name = foreign.name.as_str();
            if known.lines.is_empty() || !self.scope.has_model(name) {
                continue;
            }
            // A dated name is billed like the undated one, by the book's own rule.
            if let Some((base, (lines, over, regional))) =
                without_date(name).and_then(|base| done.get_key_value(base))
            {
                let (over, regional) = (*over, *regional);
                let from = BilledAs { name: base, model: None, lines: lines.clone(), over, regional };
                if !self.differs(known, from, &[name]) {
                    self.comparison.unchanged += 1;
                    self.snapshot(base, name);
                }
                continue;
            }
            if !self.taken.insert(name.to_owned()) {
                continue;
            }
            let mut aliases = foreign.aliases.clone();
            aliases.retain(|alias| {
                let dated = without_date(alias) == Some(name);
                !dated && !own.contains(alias.as_str()) && self.taken.insert(alias.clone())
            });
            let context = self.context(name, None, foreign);
            let outcome = lines::lay(&[], &known.lines, context, self.scope, true);
            self.keep(name, outcome.kept);
            if outcome.changes.is_empty() {
                continue;
            }
            let factor = self.book.and_then(Provider::regional).map(|rule| rule.factor());
            if let Some(theirs) = foreign.regional.filter(|theirs| factor != Some(*theirs)) {
                let what = format!(
                    "has a factor of {theirs} in regions: the book has no such [regional_surcharge] rule"
                );
                self.by_hand(name, [what]);
            }
            self.by_hand(name, outcome.by_hand);
            let regional = foreign.regional.is_some() && foreign.regional == factor;
            done.insert(name, (outcome.lines.clone(), foreign.long_context_over, regional));
            self.propose(Proposal {
                provider: self.name.to_owned(),
                model: name.to_owned(),
                is_new: true,
                apart_from: None,
                aliases,
                snapshots: Vec::new(),
                changes: outcome.changes,
                reasons: outcome.reasons,
                long_context_over: foreign.long_context_over,
                regional,
                lines: outcome.lines,
            });
        }
    }

    /// Gives a new model a dated name.
    fn snapshot(&mut self, model: &str, name: &str) {
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

    fn withdrawn(&mut self) {
        for model in self.book.map(Provider::models).unwrap_or_default() {
            let listed =
                model.is_free() || model.prices().iter().any(|price| price.is_listed_at(self.scope.at));
            if listed && !self.seen.contains(model.name()) && self.scope.has_model(model.name()) {
                let own = lines::of_book(model, self.scope.at);
                let (provider, model) = (self.name.to_owned(), model.name().to_owned());
                if own.iter().any(|line| line.own) {
                    self.comparison.kept.push(KeptOverride { provider, model, what: Vec::new() });
                } else {
                    self.comparison.withdrawn.push(Withdrawn { provider, model });
                }
            }
        }
    }
}

/// Why rates of long prompts do not belong to the book's threshold, and what to do.
fn mismatch(theirs: Option<u64>, ours: Option<u64>) -> Option<String> {
    let theirs = theirs?;
    Some(match ours {
        Some(ours) => format!(
            "long prompts begin above {theirs} tokens, in the book above {ours}: `long_context_over` belongs to the \
             [[model]]"
        ),
        None => format!(
            "long prompts, above {theirs} tokens, have rates of their own: add `long_context_over` to the [[model]] \
             and compare again"
        ),
    })
}

fn all_zero(lines: &[&ForeignLine]) -> bool {
    let rates = |line: &&&ForeignLine| {
        line.rates.iter().chain(line.long.iter().flat_map(|long| long.iter())).all(|r| r.usd.is_zero())
    };
    lines.iter().all(|line| rates(&line))
}
