//! Lays the rates of a price list over the lines of the book.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;
use spanledger_price::{Fee, Hours, Meter, Model, Price, Provider, Rate, Rates, Tier};

use super::Suspicion;
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
    /// Whether the rates hold for prompts of any length.
    pub(crate) flat: bool,
    /// The published rates, and the rates that fallback rules add.
    pub(crate) rates: Rates,
    /// The rates for prompts beyond the model's long-context threshold.
    pub(crate) long: Option<Rates>,
    /// Whether some of the rates are negotiated by the user. Such a line is kept even if the list differs.
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

    fn set(&mut self, side: Side, rates: Rates) {
        match side {
            Side::Short => self.rates = rates,
            Side::Long => self.long = Some(rates),
        }
        self.changed = true;
    }
}

/// The model whose lines are compared.
#[derive(Clone, Copy)]
pub(super) struct LineContext<'a> {
    pub(super) provider: &'a str,
    pub(super) model: &'a str,
    /// The model of the book whose fees apply; for a new model it is the model's own name.
    pub(super) billed_as: &'a str,
    /// The provider in the book. Its fees and fallback rules also apply to a new model.
    pub(super) book: Option<&'a Provider>,
    pub(super) embedding: bool,
    pub(super) at: Timestamp,
}

impl<'a> LineContext<'a> {
    /// The fee for calls of a tool. It applies if the line has no rate for the tool.
    fn fee(&self, meter: Meter) -> Option<&'a Fee> {
        self.book?.fee(meter, self.billed_as, self.at)
    }
}

/// The lines of a model after a list's changes.
#[derive(Default)]
pub(super) struct OverlaidLines {
    /// All lines, including those that the list does not change.
    pub(super) lines: Vec<Line>,
    pub(super) changes: Vec<Change>,
    pub(super) reasons: Vec<Suspicion>,
    /// Differences that a person has to resolve.
    pub(super) by_hand: Vec<String>,
    /// Tiers and fees for which the user's own price differs from the list and is kept.
    pub(super) kept: Vec<String>,
}

impl OverlaidLines {
    fn keep(&mut self, what: String) {
        if !self.kept.contains(&what) {
            self.kept.push(what);
        }
    }
}

/// The lines of the book's price list at a moment.
pub(super) fn of_book(model: &Model, at: Timestamp) -> Vec<Line> {
    let listed = model.prices().iter().filter(|price| price.is_listed_at(at));
    let line = |price: &Price| Line {
        tier: price.tier(),
        hours: price.hours(),
        flat: price.is_flat(),
        rates: price.rates().clone(),
        long: price.long().cloned(),
        own: Side::ALL
            .into_iter()
            .filter_map(|side| side.of(price))
            .any(|rates| rates.iter().any(Rate::is_negotiated)),
        changed: false,
    };
    listed.map(line).collect()
}

/// Lays the lines of a list over the lines of the book. Without `long`, only the rates of short prompts are used.
pub(super) fn overlay(
    before: &[Line],
    foreign_lines: &[&ForeignLine],
    context: LineContext<'_>,
    long: bool,
) -> OverlaidLines {
    let mut overlaid = OverlaidLines { lines: before.to_vec(), ..OverlaidLines::default() };
    for foreign in foreign_lines {
        let (tier, hours) = (foreign.tier, foreign.hours);
        let of_tier = || before.iter().filter(|line| line.tier == tier);
        let hours_of_both = of_tier().filter_map(|line| line.hours.zip(hours));
        if let Some((ours, theirs)) = hours_of_both.into_iter().find(|(a, b)| a != b && a.overlap(*b)) {
            overlaid.by_hand.push(format!(
                "{tier} prices at {theirs} UTC overlap the book's prices at {ours}: end those with `until` first"
            ));
            continue;
        }
        if let Some(own) = of_tier().find(|line| line.own) {
            if !agrees(own, foreign, context) {
                overlaid.keep(tier.to_string());
            }
            continue;
        }
        let ours = of_tier().find(|line| line.hours == hours);
        // Without a line for these hours, the rates are laid over the line for all hours.
        let mut line =
            ours.or_else(|| of_tier().find(|line| line.hours.is_none())).cloned().unwrap_or(Line {
                tier,
                hours,
                flat: false,
                rates: Rates::default(),
                long: None,
                own: false,
                changed: false,
            });
        (line.hours, line.changed) = (hours, false);
        let theirs = [(Side::Short, Some(&foreign.rates)), (Side::Long, foreign.long.as_ref())];
        for (side, theirs) in theirs {
            let theirs = theirs.filter(|_| side == Side::Short || (long && !line.flat));
            let (mut taken, mut changes) = (Vec::new(), Vec::new());
            for rate in theirs.into_iter().flat_map(|theirs| theirs.iter()) {
                let (meter, variant) = (rate.meter, rate.variant.clone());
                let key = RateKey { tier, hours, side, meter, variant };
                match verdict(ours.and_then(|line| line.side(side)), rate, context) {
                    Verdict::Covered => continue,
                    Verdict::Kept => {
                        overlaid.keep(format!("the fee of {}", meter.name()));
                        continue;
                    }
                    Verdict::OneForAllKinds => {
                        let usd = rate.usd.normalize();
                        overlaid
                            .by_hand
                            .push(format!("{key} is {usd} for all kinds, but the book has rates by kind"));
                        continue;
                    }
                    Verdict::Same => {}
                    Verdict::Changed(delta) => changes.push((key, delta)),
                }
                taken.push(rate.clone());
            }
            if changes.is_empty() {
                continue;
            }
            line.set(side, merged(line.side(side), &taken, context));
            for (key, delta) in changes {
                overlaid.reasons.extend(jump(&key, &delta));
                let (provider, model) = (context.provider.to_owned(), Some(context.model.to_owned()));
                let subject = Subject::Rate(key);
                overlaid.changes.push(Change { provider, model, subject, since: None, delta });
            }
        }
        if line.changed {
            overlaid.lines.retain(|other| (other.tier, other.hours) != (tier, hours));
            overlaid.lines.push(line);
        }
    }
    // In a file that is laid over the book, a price for all hours also replaces the prices for certain hours of
    // the same tier. The prices for certain hours are therefore written again.
    let all_day = overlaid.lines.iter().filter(|line| line.changed && line.hours.is_none());
    let tiers: Vec<Tier> = all_day.map(|line| line.tier).collect();
    for line in overlaid.lines.iter_mut().filter(|line| line.hours.is_some()) {
        line.changed |= tiers.contains(&line.tier);
    }
    overlaid.lines.sort_by_key(|line| (line.tier, line.hours.is_some(), line.hours));
    overlaid.reasons.extend(new_lints(before, &overlaid.lines, context.embedding));
    overlaid
}

/// How a rate of the list compares with the rate or fee that bills a call.
enum Verdict {
    /// The book's fee for the tool call is the same: the line needs no rate.
    Covered,
    /// The user's own fee differs from the list and is kept.
    Kept,
    /// The list has one rate for all kinds, but the book has a rate for each kind.
    OneForAllKinds,
    /// The rate is the same.
    Same,
    /// The rate differs.
    Changed(Delta),
}

fn verdict(ours: Option<&Rates>, rate: &Rate, context: LineContext<'_>) -> Verdict {
    let of_meter = || ours.into_iter().flat_map(Rates::iter).filter(|own| own.meter == rate.meter);
    if rate.variant.is_none() && of_meter().any(|own| own.variant.is_some()) {
        return Verdict::OneForAllKinds;
    }
    let fee = context.fee(rate.meter);
    if let Some(own_fee) = fee.filter(|fee| fee.is_negotiated() && of_meter().next().is_none()) {
        return if own_fee.usd() == rate.usd { Verdict::Covered } else { Verdict::Kept };
    }
    let fee = fee.map(Fee::usd);
    if fee == Some(rate.usd) && !of_meter().any(Rate::is_published) {
        return Verdict::Covered;
    }
    let billed = ours.and_then(|rates| rates.of(rate.meter, rate.variant.as_deref()));
    if billed.or(fee) == Some(rate.usd) {
        return Verdict::Same;
    }
    let mut published = of_meter().filter(|own| own.is_published());
    let before = published.find(|own| own.variant.is_none() || own.variant == rate.variant);
    let before = before.map(|own| own.usd).or(fee).map(Value::Amount);
    Delta::of(before, Some(Value::Amount(rate.usd))).map_or(Verdict::Same, Verdict::Changed)
}

/// Whether the rates of a list equal the rates of a line. Rates that the list does not state are not compared.
fn agrees(own: &Line, foreign: &ForeignLine, context: LineContext<'_>) -> bool {
    let same = |side: Side, theirs: &Rates| {
        let changed = |rate| matches!(verdict(own.side(side), rate, context), Verdict::Changed(_));
        !theirs.iter().any(changed)
    };
    same(Side::Short, &foreign.rates)
        && foreign.long.as_ref().is_none_or(|long| own.flat || same(Side::Long, long))
}

/// Lays rates over the rates of a line.
fn merged(before: Option<&Rates>, theirs: &[Rate], context: LineContext<'_>) -> Rates {
    let rules = context.book.map(|provider| provider.fallback().clone()).unwrap_or_default();
    let Some(before) = before else { return rules.with_fallback(theirs) };
    // A line without a rate for the meter of a fallback rule belongs to a model to which the rule does not apply.
    let without_rate = |meter: &Meter| !before.iter().any(|rate| rate.meter == *meter);
    let excepted: Vec<Meter> = rules.iter().map(|(meter, _)| meter).filter(without_rate).collect();
    before.overlay(theirs, &rules.without(&excepted))
}

/// Finds a rate that is more than three times the earlier rate or less than a third of it.
fn jump(key: &RateKey, delta: &Delta) -> Option<Suspicion> {
    let Delta::Changed(Value::Amount(from), Value::Amount(to)) = *delta else { return None };
    let three = Decimal::from(3);
    let far = |a: Decimal, b: Decimal| b.checked_mul(three).is_none_or(|limit| a > limit);
    (far(from, to) || far(to, from)).then(|| Suspicion::Jump { key: key.clone(), from, to })
}

/// The lints that the lines have after the change and did not have before it.
fn new_lints(before: &[Line], after: &[Line], embedding: bool) -> Vec<Suspicion> {
    if !after.iter().any(|line| line.changed) {
        return Vec::new();
    }
    let known = lints(before, embedding);
    let mut found = lints(after, embedding);
    found.retain(|suspicion| !known.contains(suspicion));
    found.dedup();
    found
}

fn lints(lines: &[Line], embedding: bool) -> Vec<Suspicion> {
    let standard = lines.iter().find(|line| line.tier == Tier::Standard && line.hours.is_none());
    let mut found = Vec::new();
    for line in lines {
        for side in Side::ALL {
            let Some(rates) = line.side(side) else { continue };
            let mut of_side = lint::of_rates(rates, embedding);
            of_side.extend(lint::zeros(rates, embedding));
            if let Some(standard) = standard.and_then(|standard| standard.side(side)) {
                of_side.extend(lint::against_standard(line.tier, rates, standard));
            }
            if side == Side::Long {
                of_side.extend(lint::of_sides(&line.rates, rates));
            }
            let key = side.key(line.tier);
            found.extend(of_side.into_iter().map(|lint| Suspicion::Lint { line: key, lint }));
        }
    }
    found
}
