//! What holds for all models of a provider: fees, discounts, deployments, rules.

use std::{cmp::Reverse, collections::BTreeMap};

use spanledger_event::Timestamp;
use spanledger_price::{Discount, Fee, Meter, Provider, covers};

use super::{Change, Delta, Subject, Value, day, deltas, list};

pub(super) fn changes(
    provider: &str,
    before: Option<&Provider>,
    after: Option<&Provider>,
    at: Option<Timestamp>,
    changes: &mut Vec<Change>,
) {
    let mut push = |subject, since, delta| {
        changes.push(Change { provider: provider.to_owned(), model: None, subject, since, delta });
    };
    if let (Some(before), Some(after)) = (before, after) {
        for ((name, old), (_, new)) in rules(before).into_iter().zip(rules(after)) {
            if let Some(delta) = Delta::of(Some(Value::Text(old)), Some(Value::Text(new))) {
                push(Subject::Rule(name), None, delta);
            }
        }
    }
    for ((meter, models, since), delta) in deltas(fees(before, at), fees(after, at)) {
        push(Subject::Fee { meter, models }, since, delta);
    }
    for ((models, since), delta) in deltas(discounts(before, at), discounts(after, at)) {
        push(Subject::Discount { models }, since, delta);
    }
    for (name, delta) in deltas(deployments(before), deployments(after)) {
        push(Subject::Deployment(name), None, delta);
    }
}

fn holds(from: Option<Timestamp>, until: Option<Timestamp>, at: Option<Timestamp>) -> bool {
    at.is_none_or(|at| covers(from, until, at))
}

/// The end, in words. At one moment it does not matter.
fn end(until: Option<Timestamp>, at: Option<Timestamp>) -> String {
    let until = until.filter(|_| at.is_none());
    until.map(|until| format!(" until {}", day(until))).unwrap_or_default()
}

fn fees(
    provider: Option<&Provider>,
    at: Option<Timestamp>,
) -> BTreeMap<(Meter, String, Option<Timestamp>), Value> {
    let fees = provider.map(Provider::fees).unwrap_or_default().iter();
    let mut fees: Vec<&Fee> = fees.filter(|fee| holds(fee.from(), fee.until(), at)).collect();
    // The order in which one goes before another, as in `Provider::fee`.
    fees.sort_by_key(|fee| Reverse((fee.is_negotiated(), !fee.only().is_empty(), fee.from())));
    let mut rows = BTreeMap::new();
    for (index, fee) in fees.iter().enumerate() {
        if fees[..index].iter().any(|first| hides(first, fee, at)) {
            continue;
        }
        let models = models(fee.only(), fee.except()) + &end(fee.until(), at);
        let since = fee.from().filter(|_| at.is_none());
        rows.entry((fee.meter(), models, since)).or_insert(Value::Amount(fee.usd()));
    }
    rows
}

/// Whether every call that the second fee applies to pays the first one.
fn hides(first: &Fee, fee: &Fee, at: Option<Timestamp>) -> bool {
    let starts = first.from().is_none_or(|first| fee.from().is_some_and(|from| first <= from));
    let ends = first.until().is_none_or(|first| fee.until().is_some_and(|until| until <= first));
    let all = first.only().is_empty();
    let some = !fee.only().is_empty() && fee.only().iter().all(|model| first.only().contains(model));
    let excepted = first.except().iter().all(|model| fee.except().contains(model));
    first.meter() == fee.meter() && (at.is_some() || (starts && ends)) && (all || some) && excepted
}

fn discounts(
    provider: Option<&Provider>,
    at: Option<Timestamp>,
) -> BTreeMap<(String, Option<Timestamp>), Value> {
    let discounts = provider.map(Provider::discounts).unwrap_or_default().iter();
    let mut rows = BTreeMap::new();
    for discount in discounts.filter(|discount| holds(discount.from(), discount.until(), at)) {
        let since = discount.from().filter(|_| at.is_none());
        rows.entry((scope(discount, at), since)).or_insert(Value::Amount(discount.percent()));
    }
    rows
}

fn scope(discount: &Discount, at: Option<Timestamp>) -> String {
    let mut words = models(discount.models(), &[]);
    if !discount.tiers().is_empty() {
        words.push_str(&format!(" in {}", list(discount.tiers().iter().map(|tier| tier.as_str()))));
    }
    words + &end(discount.until(), at)
}

/// Models in words, whatever the order in which a file names them.
fn models(only: &[String], except: &[String]) -> String {
    let models = if only.is_empty() { "all models".to_owned() } else { list(only.to_vec()) };
    if except.is_empty() { models } else { format!("{models} except {}", list(except.to_vec())) }
}

fn deployments(provider: Option<&Provider>) -> BTreeMap<String, Value> {
    let of_provider = |provider: &Provider| {
        let models = provider.models().iter();
        let names = models.flat_map(|model| {
            let value = Value::Text(model.name().to_owned());
            let names = provider.deployments_of(model).into_iter();
            names.map(move |name| (name.to_owned(), value.clone())).collect::<Vec<_>>()
        });
        names.collect()
    };
    provider.map(of_provider).unwrap_or_default()
}

/// What decides the prices of all models, in words.
fn rules(provider: &Provider) -> [(&'static str, String); 3] {
    let regional = provider.regional().map_or("none".to_owned(), |rule| {
        let mut words = format!("×{} in {}", rule.factor().normalize(), list(rule.regions()));
        let neutral: Vec<&str> = rule.neutral().collect();
        if !neutral.is_empty() {
            words.push_str(&format!(", not in {}", neutral.join(", ")));
        }
        if !rule.unknown_for().is_empty() {
            words.push_str(&format!(", unknown for {}", rule.unknown_for().join(", ")));
        }
        words
    });
    let fallback = provider.fallback().iter().map(|(to, from)| format!("{} = {}", to.name(), from.name()));
    // The first entry of a word counts.
    let mut tiers = BTreeMap::new();
    for (word, tier) in provider.tiers() {
        tiers.entry(word.to_lowercase()).or_insert(tier);
    }
    let tiers = tiers.into_iter().map(|(word, tier)| format!("{word} = {tier}"));
    [("regional", regional), ("fallback", list(fallback)), ("tiers", list(tiers))]
}
