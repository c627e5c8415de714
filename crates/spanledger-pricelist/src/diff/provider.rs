//! What a provider says for all its models: fees, discounts, names of one's own, rules.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use rust_decimal::Decimal;
use spanledger_event::Timestamp;

use super::{Change, Delta, day};
use spanledger_price::{Discount, Fee, Meter, Provider, covers};

/// What holds of something that is dated.
type Place<K> = (K, String, Option<Timestamp>);

pub(super) fn changes(
    name: &str,
    before: Option<&Provider>,
    after: Option<&Provider>,
    at: Option<Timestamp>,
    changes: &mut Vec<Change>,
) {
    let provider = || name.to_owned();
    let both = [before, after].map(|provider| provider.map(rules));
    if let [Some(before), Some(after)] = both {
        for ((name, from), (_, to)) in before.into_iter().zip(after).filter(|(a, b)| a != b) {
            changes.push(Change::Rule { provider: provider(), name, from, to });
        }
    }
    for ((meter, models, since), delta) in deltas(fees(before, at), fees(after, at)) {
        changes.push(Change::Fee { provider: provider(), meter, models, since, delta });
    }
    for (((), models, since), delta) in deltas(discounts(before, at), discounts(after, at)) {
        changes.push(Change::Discount { provider: provider(), models, since, delta });
    }
    let (before, after) = (deployments(before), deployments(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
        let (from, to) = (before.get(name).cloned(), after.get(name).cloned());
        changes.push(Change::Deployment { provider: provider(), name: name.clone(), from, to });
    }
}

fn deltas<K: Ord>(mut before: BTreeMap<K, Decimal>, after: BTreeMap<K, Decimal>) -> Vec<(K, Delta)> {
    let mut rows: BTreeMap<K, Delta> = BTreeMap::new();
    for (place, to) in after {
        let from = before.remove(&place);
        rows.extend(Delta::of(from, Some(to)).map(|delta| (place, delta)));
    }
    rows.extend(before.into_iter().map(|(place, from)| (place, Delta::Removed { from })));
    rows.into_iter().collect()
}

/// Whether something holds at the moment that is asked for, if one is.
fn holds(from: Option<Timestamp>, until: Option<Timestamp>, at: Option<Timestamp>) -> bool {
    at.is_none_or(|at| covers(from, until, at))
}

/// The end, which only matters where all entries are compared.
fn ends(until: Option<Timestamp>, at: Option<Timestamp>) -> String {
    let until = until.filter(|_| at.is_none());
    until.map(|until| format!(" until {}", day(until))).unwrap_or_default()
}

fn fees(provider: Option<&Provider>, at: Option<Timestamp>) -> BTreeMap<Place<Meter>, Decimal> {
    let fees = provider.map(Provider::fees).unwrap_or_default().iter();
    let mut fees: Vec<&Fee> = fees.filter(|fee| holds(fee.from(), fee.until(), at)).collect();
    // The order in which one goes before another, as in `Provider::fee`.
    fees.sort_by_key(|fee| Reverse((fee.is_negotiated(), !fee.only().is_empty(), fee.from())));
    let mut rows = BTreeMap::new();
    for (index, fee) in fees.iter().enumerate() {
        if fees[..index].iter().any(|first| hides(first, fee, at)) {
            continue;
        }
        let since = fee.from().filter(|_| at.is_none());
        let models = format!("{}{}", whom(fee.only(), fee.except()), ends(fee.until(), at));
        rows.entry((fee.meter(), models, since)).or_insert(fee.usd());
    }
    rows
}

/// Whether nothing is left for a fee behind another one.
fn hides(first: &Fee, fee: &Fee, at: Option<Timestamp>) -> bool {
    let starts = first.from().is_none_or(|first| fee.from().is_some_and(|from| first <= from));
    let ends = first.until().is_none_or(|first| fee.until().is_some_and(|until| until <= first));
    let all = first.only().is_empty();
    let some = !fee.only().is_empty() && fee.only().iter().all(|model| first.only().contains(model));
    let excepted = first.except().iter().all(|model| fee.except().contains(model));
    first.meter() == fee.meter() && (at.is_some() || (starts && ends)) && (all || some) && excepted
}

fn discounts(provider: Option<&Provider>, at: Option<Timestamp>) -> BTreeMap<Place<()>, Decimal> {
    let discounts = provider.map(Provider::discounts).unwrap_or_default();
    let mut rows = BTreeMap::new();
    for discount in discounts.iter().filter(|discount| holds(discount.from(), discount.until(), at)) {
        let since = discount.from().filter(|_| at.is_none());
        rows.entry(((), scope(discount, at), since)).or_insert(discount.percent());
    }
    rows
}

fn scope(discount: &Discount, at: Option<Timestamp>) -> String {
    let mut words = whom(discount.models(), &[]);
    if !discount.tiers().is_empty() {
        let tiers: BTreeSet<&str> = discount.tiers().iter().map(|tier| tier.as_str()).collect();
        words.push_str(&format!(" in {}", tiers.into_iter().collect::<Vec<_>>().join(", ")));
    }
    words + &ends(discount.until(), at)
}

/// Models in words, whatever the order in which a file names them.
fn whom(only: &[String], except: &[String]) -> String {
    let list = |names: &[String]| {
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let whole = if only.is_empty() { "all models".to_owned() } else { list(only) };
    if except.is_empty() { whole } else { format!("{whole} except {}", list(except)) }
}

fn deployments(provider: Option<&Provider>) -> BTreeMap<String, String> {
    let Some(provider) = provider else { return BTreeMap::new() };
    let of = |model| {
        let names = provider.deployments_of(model).into_iter();
        names.map(|name| (name.to_owned(), model.name().to_owned()))
    };
    provider.models().iter().flat_map(of).collect()
}

/// What decides the prices of all models, in words.
fn rules(provider: &Provider) -> [(&'static str, String); 3] {
    let list = |words: BTreeSet<String>| match words.len() {
        0 => "none".to_owned(),
        _ => words.into_iter().collect::<Vec<_>>().join(", "),
    };
    let regional = provider.regional().map_or("none".to_owned(), |rule| {
        let regions: BTreeSet<&str> = rule.regions().collect();
        let mut words = format!(
            "×{} in {}",
            rule.factor().normalize(),
            regions.into_iter().collect::<Vec<_>>().join(", ")
        );
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
    // The first tier that has a word counts.
    let mut tiers = BTreeMap::new();
    for (word, tier) in provider.tiers() {
        tiers.entry(word.to_lowercase()).or_insert(tier);
    }
    let tiers = tiers.into_iter().map(|(word, tier)| format!("{word} = {tier}"));
    [("regional", regional), ("fallback", list(fallback.collect())), ("tiers", list(tiers.collect()))]
}
