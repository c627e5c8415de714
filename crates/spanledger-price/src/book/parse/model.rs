//! Models, their dated entries and the rates in them.

use super::{
    super::{
        BookProblem, Hours, Model, Price, Rate, Rates, layer,
        read::{File, Table},
    },
    Days, Rules, meter, owned, provenance, span,
};
use crate::{Meter, Tier};

pub(super) fn model(
    mut table: Table<'_, '_>,
    rules: &Rules<'_>,
    days: &mut Days,
    file: &mut File<'_>,
) -> Option<Model> {
    let name = table.text("name", file);
    let name = table.require(name, "name", "name = \"…\", as the provider writes it", file);
    let aliases = owned(table.texts("aliases", file));
    let snapshots = owned(table.texts("snapshots", file));
    let long_context_over = table.count("long_context_over", file);
    let regional = table.flag("regional", file);
    let unless = owned(table.texts("unless", file));
    let no_fallback = table.texts("no_fallback", file);
    let no_fallback =
        no_fallback.into_iter().filter_map(|(name, at)| meter("no_fallback", name, at, file)).collect();
    let free = table.flag("free", file);
    let searches_per_call = table.count("searches_per_call", file).unwrap_or_default();
    let mut model = Model {
        name: name.unwrap_or_default().to_owned(),
        aliases,
        snapshots,
        long_context_over,
        regional,
        unless,
        free,
        searches_per_call,
        no_fallback,
        prices: Vec::new(),
    };
    let fallback = model.fallback(&rules.fallback);
    for table in table.tables("price", file) {
        model.prices.extend(entry(table, long_context_over, &fallback, rules, days, file));
    }
    if model.prices.is_empty() && !free {
        table.require(None::<()>, "price", "a [[model.price]] entry", file);
    }
    table.finish(file);
    name.map(|_| model)
}

/// An entry: the rates of some tiers for a span of time.
pub(super) fn entry(
    mut entry: Table<'_, '_>,
    long_context_over: Option<u64>,
    fallback: &[(Meter, Meter)],
    rules: &Rules<'_>,
    days: &mut Days,
    file: &mut File<'_>,
) -> Vec<Price> {
    let (from, until) = span(&mut entry, file);
    let flat = entry.flag("flat", file);
    let negotiated = !entry.flag("list", file) && rules.over;
    let hours = entry.spotted("hours", file).and_then(|(text, at)| {
        let hours = Hours::parse(text);
        if hours.is_none() {
            file.error(at, BookProblem::BadHours { text: text.to_owned() });
        }
        hours
    });
    let hours = match entry.spotted("days", file) {
        None => hours,
        Some((text, at)) => {
            let days = hours.and_then(|hours| hours.on_days(text));
            if days.is_none() {
                file.error(at, BookProblem::BadDays { text: text.to_owned() });
            }
            days
        }
    };
    let provenance = provenance(&mut entry, rules, days, file);
    let mut prices = Vec::new();
    for tier in Tier::ALL {
        let short = entry.table(tier.as_str(), file).map(|table| rates(table, negotiated, fallback, file));
        let long = entry.table(tier.long_key(), file).map(|table| rates(table, negotiated, fallback, file));
        if long.is_some() && (long_context_over.is_none() || flat) {
            file.error(entry.at(), BookProblem::LongWithoutThreshold { key: tier.long_key() });
        }
        let Some(rates) = short else {
            if long.is_some() {
                let problem = BookProblem::LongWithoutShort { key: tier.long_key(), tier: tier.as_str() };
                file.error(entry.at(), problem);
            }
            continue;
        };
        let (provenance, line) = (provenance.clone(), file.line(entry.at()));
        prices.push(Price {
            tier,
            from,
            until,
            hours,
            rates,
            long,
            flat,
            layer: u8::from(rules.over),
            provenance,
            line,
        });
    }
    if prices.is_empty() {
        file.error(entry.at(), BookProblem::NoRates);
    }
    entry.finish(file);
    prices
}

/// Ends each price where the next one of its tier begins, and finds those that cannot be told apart.
pub(super) fn close(model: &str, prices: &mut [Price], file: &mut File<'_>) {
    layer::sort(prices);
    let mut overlap = |a: &Price, b: &Price| {
        let (line, other) = (a.line.max(b.line), a.line.min(b.line));
        let problem = BookProblem::Overlap { model: model.to_owned(), tier: a.tier.as_str(), other };
        file.error_on(line, problem);
    };
    for next in 1..prices.len() {
        let (before, after) = prices.split_at_mut(next);
        let (Some(price), Some(next)) = (before.last_mut(), after.first()) else { continue };
        if (price.tier, price.hours) != (next.tier, next.hours) {
            continue;
        }
        let (until, from) = (price.until, next.from);
        if price.from == from || until.zip(from).is_some_and(|(until, from)| from < until) {
            overlap(price, next);
        }
        price.until = price.until.or(from);
    }
    // Different hours are no excuse either, where they share some.
    for (i, a) in prices.iter().enumerate() {
        for b in &prices[i + 1..] {
            let share = |(a, b): (Hours, Hours)| a != b && a.overlap(b);
            let ends = |a: &Price, b: &Price| a.until.zip(b.from).is_some_and(|(until, from)| until <= from);
            if a.tier == b.tier && a.hours.zip(b.hours).is_some_and(share) && !ends(a, b) && !ends(b, a) {
                overlap(a, b);
            }
        }
    }
}

fn rates(
    mut table: Table<'_, '_>,
    negotiated: bool,
    fallback: &[(Meter, Meter)],
    file: &mut File<'_>,
) -> Rates {
    let mut published: Vec<Rate> = Vec::new();
    for meter in Meter::ALL {
        let rates = table.rates(meter.name(), file);
        published.extend(rates.into_iter().map(|(variant, usd)| {
            let variant = variant.map(Into::into);
            Rate { meter, variant, usd, published: true, negotiated }
        }));
    }
    if published.is_empty() && table.pairs().next().is_none() {
        file.error(table.at(), BookProblem::NoRates);
    }
    table.finish(file);
    lend(&published, fallback)
}

/// A line's rates with those that fallback rules lend.
pub(crate) fn lend(published: &[Rate], fallback: &[(Meter, Meter)]) -> Rates {
    let get = |meter: Meter| published.iter().find(|rate| rate.meter == meter && rate.variant.is_none());
    let writes = Meter::cache_writes();
    let charges_writes = writes.into_iter().any(|meter| get(meter).is_some());
    let borrowed = |meter: Meter| -> Option<&Rate> {
        let mut meter = meter;
        // No longer than there are rules, so that rules in a circle end.
        for _ in fallback {
            // Who charges for writes charges for every lifetime, at a rate that is not known here.
            if charges_writes && writes.contains(&meter) {
                return None;
            }
            meter = fallback.iter().find(|(from, _)| *from == meter)?.1;
            if let Some(rate) = get(meter) {
                return Some(rate);
            }
        }
        None
    };
    let mut rates = Vec::new();
    for meter in Meter::ALL {
        let own = published.iter().filter(|rate| rate.meter == meter);
        if own.clone().next().is_some() {
            rates.extend(own.cloned());
        } else if let Some(lender) = borrowed(meter) {
            rates.push(Rate { meter, published: false, ..lender.clone() });
        }
    }
    Rates(rates)
}
