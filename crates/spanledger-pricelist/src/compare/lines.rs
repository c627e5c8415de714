//! Lines of the book with a list's rates laid over them.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;
use spanledger_price::{Fee, Hours, Meter, Model, Price, Provider, Rate, Rates, Tier};

use super::{Scope, Suspicion};
use crate::{
    ForeignLine,
    diff::{Change, Delta, RateKey, Side, Subject, Value},
    lint,
};

/// The rates of one tier, as the book would list them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) tier: Tier,
    pub(crate) hours: Option<Hours>,
    pub(crate) flat: bool,
    /// With the rates that fallback rules give, where it is from the book.
    pub(crate) rates: Rates,
    pub(crate) long: Option<Rates>,
    /// Whether it is a price of the user's own, of which a list has nothing to say.
    pub(crate) own: bool,
    pub(crate) changed: bool,
}

impl Line {
    fn side(&self, side: Side) -> Option<&Rates> {
        match side {
            Side::Short => Some(&self.rates),
            Side::Long => self.long.as_ref(),
        }
    }
}

/// The lines that are compared.
#[derive(Clone, Copy)]
pub(super) struct LineContext<'a> {
    pub(super) provider: &'a str,
    pub(super) model: &'a str,
    /// The model by context fees and fallback rules the name is billed.
    pub(super) known: Option<(&'a Provider, &'a Model)>,
    /// The book's provider, context fees a new model has too.
    pub(super) fees: Option<&'a Provider>,
    pub(super) embedding: bool,
}

/// What a list says of a model.
#[derive(Default)]
pub(super) struct Outcome {
    /// All lines, those of the book included.
    pub(super) lines: Vec<Line>,
    pub(super) changes: Vec<Change>,
    pub(super) reasons: Vec<Suspicion>,
    /// What a person has to decide.
    pub(super) by_hand: Vec<String>,
    /// What the list has another price of and is one's own, in words.
    pub(super) kept: Vec<String>,
}

impl Outcome {
    fn keep(&mut self, what: String) {
        if !self.kept.contains(&what) {
            self.kept.push(what);
        }
    }
}

fn is_own(rates: &Rates) -> bool {
    rates.iter().any(|rate| rate.is_negotiated())
}

/// The lines of the book's price list of a moment.
pub(super) fn of_book(model: &Model, at: Timestamp) -> Vec<Line> {
    let listed = model.prices().iter().filter(|price| price.is_listed_at(at));
    let line = |price: &Price| Line {
        tier: price.tier(),
        hours: price.hours(),
        flat: price.is_flat(),
        rates: price.rates().clone(),
        long: price.long().cloned(),
        own: [Some(price.rates()), price.long()].into_iter().flatten().any(is_own),
        changed: false,
    };
    listed.map(line).collect()
}

/// Lays a list's lines over those of the book. Without `long`, only the short side is taken.
pub(super) fn lay(
    before: &[Line],
    theirs: &[&ForeignLine],
    context: LineContext<'_>,
    scope: &Scope,
    long: bool,
) -> Outcome {
    let mut outcome = Outcome { lines: before.to_vec(), ..Outcome::default() };
    for foreign in theirs {
        let (tier, hours) = (foreign.tier, foreign.hours);
        let clash = |line: &Line| {
            line.tier == tier && line.hours.zip(hours).is_some_and(|(a, b)| a != b && a.overlap(b))
        };
        if let Some(other) = before.iter().find(|line| clash(line)).and_then(|line| line.hours.zip(hours)) {
            let (ours, theirs) = other;
            outcome.by_hand.push(format!(
                "{tier} prices at {theirs} UTC, where the book has others at {ours}: end those with `until` first"
            ));
            continue;
        }
        if let Some(own) = before.iter().find(|line| line.tier == tier && line.own) {
            if !agrees(own, foreign, context, scope) {
                outcome.keep(tier.to_string());
            }
            continue;
        }
        let own = before.iter().find(|line| (line.tier, line.hours) == (tier, hours));
        let fallback =
            || before.iter().find(|line| hours.is_some() && line.tier == tier && line.hours.is_none());
        let empty = Line {
            tier,
            hours,
            flat: false,
            rates: Rates::default(),
            long: None,
            own: false,
            changed: false,
        };
        let base = own.or_else(fallback).cloned().map(|line| Line { hours, changed: false, ..line });
        let mut line = base.unwrap_or(empty);
        for side in Side::ALL {
            let rates = match side {
                Side::Short => Some(&foreign.rates),
                Side::Long => foreign.long.as_ref().filter(|_| long && !line.flat),
            };
            let Some(rates) = rates else { continue };
            let ours = own.and_then(|line| line.side(side));
            for meter in rates.iter().map(|rate| rate.meter) {
                if own_fee(context, meter, ours, scope.at).is_some_and(|fee| rates.get(meter) != Some(fee)) {
                    outcome.keep(format!("the fee of {}", meter.name()));
                }
            }
            let changes = differences(ours, rates, context, scope, (tier, hours, side), &mut outcome.by_hand);
            if changes.is_empty() {
                continue;
            }
            let wanted = wanted(rates, ours, context, scope);
            let merged = merge(line.side(side), &wanted, context);
            match side {
                Side::Short => line.rates = merged,
                Side::Long => line.long = Some(merged),
            }
            line.changed = true;
            for (key, delta) in changes {
                if let Some(jump) = jump(&key, &delta) {
                    outcome.reasons.push(jump);
                }
                let (provider, model) = (context.provider.to_owned(), Some(context.model.to_owned()));
                let subject = Subject::Rate(key);
                outcome.changes.push(Change { provider, model, subject, since: None, delta });
            }
        }
        if line.changed {
            outcome.lines.retain(|other| (other.tier, other.hours) != (tier, hours));
            outcome.lines.push(line);
        }
    }
    // Laid over another book, a price for all hours takes the place of those for some: say them again.
    for at in 0..outcome.lines.len() {
        let all_day =
            |line: &Line| line.tier == outcome.lines[at].tier && line.hours.is_none() && line.changed;
        outcome.lines[at].changed |= outcome.lines[at].hours.is_some() && outcome.lines.iter().any(all_day);
    }
    outcome.lines.sort_by_key(|line| (line.tier, line.hours.is_some(), line.hours));
    outcome.reasons.extend(new_lints(before, &outcome.lines, context.embedding));
    outcome
}

/// The rates of the list that are to be taken: all but those of the meters that are left out, of
/// tool calls that the provider's fee prices the same, and of kinds that the book tells apart.
fn wanted(theirs: &Rates, ours: Option<&Rates>, context: LineContext<'_>, scope: &Scope) -> Vec<Rate> {
    let is_wanted = |rate: &&Rate| {
        let listed =
            ours.is_some_and(|rates| rates.iter().any(|own| own.meter == rate.meter && own.is_published()));
        let by_kind = ours.is_some_and(|rates| rates.variants(rate.meter).next().is_some());
        (listed || fee(context, rate.meter, scope.at).map(Fee::usd) != Some(rate.usd))
            && own_fee(context, rate.meter, ours, scope.at).is_none()
            && !(by_kind && rate.variant.is_none())
    };
    theirs.iter().filter(is_wanted).cloned().collect()
}

/// The fee that prices a tool call where the line does not.
fn fee(context: LineContext<'_>, meter: Meter, at: Timestamp) -> Option<&Fee> {
    let name = context.known.map_or(context.model, |(_, model)| model.name());
    context.fees?.fee(meter, name, at)
}

/// The same where it is one's own, and counts.
fn own_fee(context: LineContext<'_>, meter: Meter, ours: Option<&Rates>, at: Timestamp) -> Option<Decimal> {
    let listed = ours.is_some_and(|rates| rates.iter().any(|own| own.meter == meter));
    fee(context, meter, at).filter(|fee| fee.is_negotiated() && !listed).map(Fee::usd)
}

/// Whether a list has a line's rates, as far as it has any.
fn agrees(own: &Line, foreign: &ForeignLine, context: LineContext<'_>, scope: &Scope) -> bool {
    let key = |side| (own.tier, own.hours, side);
    let same = |ours: Option<&Rates>, theirs: &Rates, side| {
        differences(ours, theirs, context, scope, key(side), &mut Vec::new()).is_empty()
    };
    same(Some(&own.rates), &foreign.rates, Side::Short)
        && foreign.long.as_ref().is_none_or(|long| own.flat || same(own.long.as_ref(), long, Side::Long))
}

fn differences(
    ours: Option<&Rates>,
    theirs: &Rates,
    context: LineContext<'_>,
    scope: &Scope,
    (tier, hours, side): (Tier, Option<Hours>, Side),
    by_hand: &mut Vec<String>,
) -> Vec<(RateKey, Delta)> {
    let mut found = Vec::new();
    for rate in theirs.iter() {
        let (meter, variant) = (rate.meter, rate.variant.clone());
        let key = RateKey { tier, hours, side, meter, variant };
        if rate.variant.is_none() && ours.is_some_and(|rates| rates.variants(meter).next().is_some()) {
            by_hand.push(format!(
                "{key} is {} for all kinds, where the book has rates by kind",
                rate.usd.normalize()
            ));
            continue;
        }
        let billed = ours.and_then(|rates| rates.of(meter, rate.variant.as_deref()));
        let listed = ours.and_then(|rates| {
            let fits = |own: &&Rate| {
                own.is_published()
                    && own.meter == meter
                    && (own.variant.is_none() || own.variant == rate.variant)
            };
            rates.iter().find(fits).map(|own| own.usd)
        });
        if own_fee(context, meter, ours, scope.at).is_some() {
            continue;
        }
        let fee = fee(context, meter, scope.at).map(Fee::usd);
        if billed.or(fee) == Some(rate.usd) {
            continue;
        }
        found.extend(
            Delta::of(listed.or(fee).map(Value::Amount), Some(Value::Amount(rate.usd)))
                .map(|delta| (key, delta)),
        );
    }
    found
}

/// The published rates of a line with others in their place, and what the fallback rules lend.
fn merge(before: Option<&Rates>, theirs: &[Rate], context: LineContext<'_>) -> Rates {
    // A model may be excepted from a rule: then its line before has no rate by it.
    let rules = context.fees.map(|provider| provider.fallback().clone()).unwrap_or_default();
    let Some(before) = before else { return rules.with_fallback(theirs) };
    let excepted: Vec<Meter> = rules
        .iter()
        .map(|(meter, _)| meter)
        .filter(|meter| !before.iter().any(|rate| rate.meter == *meter))
        .collect();
    before.overlay(theirs, &rules.without(&excepted))
}

fn jump(key: &RateKey, delta: &Delta) -> Option<Suspicion> {
    let Delta::Changed(Value::Amount(from), Value::Amount(to)) = *delta else { return None };
    let three = Decimal::from(3);
    let far = |a: Decimal, b: Decimal| b.checked_mul(three).is_none_or(|limit| a > limit);
    (far(from, to) || far(to, from)).then(|| Suspicion::Jump { key: key.clone(), from, to })
}

/// What is odd about the lines that changed and was not so before.
fn new_lints(before: &[Line], after: &[Line], embedding: bool) -> Vec<Suspicion> {
    let all = |lines: &[Line]| -> Vec<Suspicion> {
        let standard = lines.iter().find(|line| line.tier == Tier::Standard && line.hours.is_none());
        let mut found = Vec::new();
        for line in lines {
            for side in Side::ALL {
                let Some(rates) = line.side(side) else { continue };
                let beside = standard.and_then(|standard| standard.side(side));
                let mut lints = lint::of_rates(rates, embedding);
                lints.extend(lint::zeros(rates, embedding));
                lints.extend(
                    beside.into_iter().flat_map(|beside| lint::against_standard(line.tier, rates, beside)),
                );
                if side == Side::Long {
                    lints.extend(lint::of_sides(&line.rates, rates));
                }
                found
                    .extend(lints.into_iter().map(|lint| Suspicion::Odd { line: side.key(line.tier), lint }));
            }
        }
        found
    };
    if !after.iter().any(|line| line.changed) {
        return Vec::new();
    }
    let known = all(before);
    let mut found = all(after);
    found.retain(|suspicion| !known.contains(suspicion));
    found.dedup();
    found
}
