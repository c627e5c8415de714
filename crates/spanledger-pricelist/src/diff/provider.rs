//! Compares what applies to a provider as a whole: fees, discounts, deployments and rules.

use std::{cmp::Reverse, collections::BTreeMap};

use spanledger_event::Timestamp;
use spanledger_price::{Discount, Fee, Meter, Period, Provider};

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

fn holds(period: Period, at: Option<Timestamp>) -> bool {
    at.is_none_or(|at| period.contains(at))
}

/// The end of an entry, in words. It is left out if the books are compared at one moment.
fn end(until: Option<Timestamp>, at: Option<Timestamp>) -> String {
    let until = until.filter(|_| at.is_none());
    until.map(|until| format!(" until {}", day(until))).unwrap_or_default()
}

fn fees(
    provider: Option<&Provider>,
    at: Option<Timestamp>,
) -> BTreeMap<(Meter, String, Option<Timestamp>), Value> {
    let fees = provider.map(Provider::fees).unwrap_or_default().iter();
    let mut fees: Vec<&Fee> = fees.filter(|fee| holds(fee.period(), at)).collect();
    fees.sort_by_key(|fee| Reverse(fee.precedence()));
    let mut rows = BTreeMap::new();
    for (index, fee) in fees.iter().enumerate() {
        if fees[..index].iter().any(|first| hides(first, fee, at)) {
            continue;
        }
        let models = models(fee.models(), fee.except_models()) + &end(fee.until(), at);
        let since = fee.from().filter(|_| at.is_none());
        rows.entry((fee.meter(), models, since)).or_insert(Value::Amount(fee.usd()));
    }
    rows
}

/// Whether the first fee replaces the second one for every call to which the second one applies.
fn hides(first: &Fee, fee: &Fee, at: Option<Timestamp>) -> bool {
    let all = first.models().is_empty();
    let some = !fee.models().is_empty() && fee.models().iter().all(|model| first.models().contains(model));
    let excepted = first.except_models().iter().all(|model| fee.except_models().contains(model));
    first.meter() == fee.meter()
        && (at.is_some() || first.period().covers(fee.period()))
        && (all || some)
        && excepted
}

fn discounts(
    provider: Option<&Provider>,
    at: Option<Timestamp>,
) -> BTreeMap<(String, Option<Timestamp>), Value> {
    let discounts = provider.map(Provider::discounts).unwrap_or_default().iter();
    let mut rows = BTreeMap::new();
    for discount in discounts.filter(|discount| holds(discount.period(), at)) {
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

/// The models in words, sorted, so that the order in a file makes no difference.
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

/// The rules that decide the prices of all models, in words.
fn rules(provider: &Provider) -> [(&'static str, String); 3] {
    let regional = provider.regional().map_or("none".to_owned(), |rule| {
        let mut words = format!("×{} in {}", rule.factor().normalize(), list(rule.regions()));
        if !rule.no_surcharge().is_empty() {
            words.push_str(&format!(", not in {}", rule.no_surcharge().join(", ")));
        }
        if !rule.not_priced_for().is_empty() {
            words.push_str(&format!(", unknown for {}", rule.not_priced_for().join(", ")));
        }
        words
    });
    let fallback = provider.fallback().iter().map(|(to, from)| format!("{} = {}", to.name(), from.name()));
    // Of several tiers for one word, the first one applies.
    let mut tiers = BTreeMap::new();
    for (word, tier) in provider.tiers() {
        tiers.entry(word.to_lowercase()).or_insert(tier);
    }
    let tiers = tiers.into_iter().map(|(word, tier)| format!("{word} = {tier}"));
    [("regional", regional), ("fallback", list(fallback)), ("tiers", list(tiers))]
}
