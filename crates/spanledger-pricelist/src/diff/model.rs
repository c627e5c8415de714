//! Compares models: their rates and the other properties that decide a model's price.

use std::collections::{BTreeMap, BTreeSet};

use spanledger_event::Timestamp;
use spanledger_price::{Model, Price, Provider};

use super::{Change, Delta, RateKey, Side, Subject, Value, day, deltas, list};

pub(super) fn changes(
    provider: &str,
    before: Option<&Provider>,
    after: Option<&Provider>,
    at: Option<Timestamp>,
    changes: &mut Vec<Change>,
) {
    let (before, after) = (listed(before, at), listed(after, at));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for name in names {
        let mut push = |subject, since, delta| {
            let (provider, model) = (provider.to_owned(), Some(name.to_owned()));
            changes.push(Change { provider, model, subject, since, delta });
        };
        let (old, new) = (before.get(name).copied(), after.get(name).copied());
        if let Some(delta) = Delta::of(old.map(|_| Value::Listed), new.map(|_| Value::Listed)) {
            push(Subject::Model, None, delta);
        }
        if let (Some(old), Some(new)) = (old, new) {
            for ((name, old), (_, new)) in properties(old, at).into_iter().zip(properties(new, at)) {
                if let Some(delta) = Delta::of(Some(Value::Text(old)), Some(Value::Text(new))) {
                    push(Subject::Property(name), None, delta);
                }
            }
        }
        for ((key, since), delta) in deltas(rates(old, at), rates(new, at)) {
            push(Subject::Rate(key), since, delta);
        }
    }
}

/// The models that are free or have a price, at the moment `at` or, without it, at any time.
fn listed(provider: Option<&Provider>, at: Option<Timestamp>) -> BTreeMap<&str, &Model> {
    let models = provider.map(Provider::models).unwrap_or_default().iter();
    let is_listed = |model: &&Model| model.is_free() || prices(model, at).next().is_some();
    models.filter(is_listed).map(|model| (model.name(), model)).collect()
}

fn prices(model: &Model, at: Option<Timestamp>) -> impl Iterator<Item = &Price> {
    model.prices().iter().filter(move |price| at.is_none_or(|at| price.is_listed_at(at)))
}

/// Each published rate by its place and, without `at`, also by the start of its entry.
fn rates(model: Option<&Model>, at: Option<Timestamp>) -> BTreeMap<(RateKey, Option<Timestamp>), Value> {
    let mut rows = BTreeMap::new();
    for price in model.into_iter().flat_map(|model| prices(model, at)) {
        for side in Side::ALL {
            let rates = side.of(price).into_iter().flat_map(|rates| rates.iter());
            for rate in rates.filter(|rate| rate.is_published()) {
                let (tier, hours, variant) = (price.tier(), price.hours(), rate.variant.clone());
                let key = RateKey { tier, hours, side, meter: rate.meter, variant };
                let since = if at.is_some() { None } else { price.from() };
                rows.insert((key, since), Value::Amount(rate.usd));
            }
        }
    }
    rows
}

/// The properties that decide the price in addition to the rates, in words.
fn properties(model: &Model, at: Option<Timestamp>) -> [(&'static str, String); 8] {
    let flat = prices(model, at).filter(|price| price.is_flat()).map(|price| price.tier().as_str());
    // Only the end of a tier's last entry is shown: every other entry ends because the next one begins.
    let is_last = |price: &&Price| {
        let later = |other: &Price| {
            (other.tier(), other.hours()) == (price.tier(), price.hours()) && other.from() > price.from()
        };
        !prices(model, at).any(later)
    };
    let ends = prices(model, at).filter(is_last);
    let ends = ends.filter_map(|price| Some(format!("{} {}", price.tier(), day(price.until()?))));
    let over = model.long_context_over().map_or("none".to_owned(), |over| over.to_string());
    [
        ("long_context_over", over),
        ("regional", model.is_regional().to_string()),
        ("not_priced_for", list(model.not_priced_for().to_vec())),
        ("free", model.is_free().to_string()),
        ("searches_per_call", model.searches_per_call().to_string()),
        ("flat", list(flat)),
        ("negotiated", list(prices(model, at).flat_map(negotiated))),
        ("until", list(ends)),
    ]
}

/// The lines whose rates are all negotiated. Of a line with only some negotiated rates, these rates are listed.
fn negotiated(price: &Price) -> Vec<String> {
    let on_side = |side: Side| {
        let key = side.key(price.tier());
        let published: Vec<_> = side.of(price).into_iter().flat_map(|rates| rates.iter()).collect();
        let published: Vec<_> = published.into_iter().filter(|rate| rate.is_published()).collect();
        if !published.is_empty() && published.iter().all(|rate| rate.is_negotiated()) {
            return vec![key.to_owned()];
        }
        let own = published.into_iter().filter(|rate| rate.is_negotiated());
        own.map(|rate| format!("{key} {}", rate.meter.name())).collect()
    };
    Side::ALL.into_iter().flat_map(on_side).collect()
}
