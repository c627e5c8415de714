//! Reads models and their dated entries.

use super::{
    super::{
        BookProblem, FallbackRules, Hours, Model, Origin, Period, Price, Provider, Rate, Rates,
        price::sort,
        toml_file::{TomlFile, TomlTable},
    },
    provider::{Context, owned},
    rules,
};
use crate::{Meter, Tier};

pub(super) fn model(
    mut table: TomlTable<'_, '_>,
    provider: &Provider,
    file: &mut TomlFile<'_>,
) -> Option<Model> {
    let name = table.text("name", file);
    let name = table.require(name, "name", "name = \"…\", as the provider writes it", file);
    let model = Model {
        name: name.unwrap_or_default().to_owned(),
        aliases: owned(table.texts("aliases", file)),
        snapshots: owned(table.texts("snapshots", file)),
        long_context_over: table.count("long_context_over_tokens", file),
        regional_surcharge: table.flag("regional_surcharge", file),
        not_priced_for: rules::not_priced_for(&mut table, provider, file),
        no_fallback: rules::meters(&mut table, "no_fallback", file),
        free: table.flag("free", file),
        searches_per_call: table.count("searches_per_call", file).unwrap_or_default(),
        prices: Vec::new(),
    };
    table.finish(file);
    name.map(|_| model)
}

/// Reads an entry: the rates of some tiers for a period. An entry without a known model is read too, so
/// that its other mistakes are reported.
pub(super) fn entry(
    mut entry: TomlTable<'_, '_>,
    model: Option<&Model>,
    context: &Context<'_>,
    file: &mut TomlFile<'_>,
) -> Vec<Price> {
    let period = rules::period(&mut entry, file);
    let hours = hours(&mut entry, file);
    let no_long_context = entry.flag("no_long_context", file);
    let is_discountable = entry.flag("discountable", file) || !context.is_overlay;
    let origin = if is_discountable { Origin::Listed } else { Origin::Override };
    let provenance = rules::provenance(&mut entry, context, file);
    let fallback = model.map_or_else(|| context.fallback.clone(), |model| model.fallback(&context.fallback));
    let has_threshold = model.is_none_or(|model| model.long_context_over.is_some()) && !no_long_context;
    let mut prices = Vec::new();
    for tier in Tier::ALL {
        let [short, long] = [tier.as_str(), tier.long_key()]
            .map(|key| entry.table(key, file).map(|table| rates(table, origin, &fallback, file)));
        if long.is_some() && !has_threshold {
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
        prices.push(Price { tier, period, hours, rates, long, no_long_context, provenance, line });
    }
    if prices.is_empty() {
        file.error(entry.at(), BookProblem::NoRates);
    }
    entry.finish(file);
    prices
}

fn hours(entry: &mut TomlTable<'_, '_>, file: &mut TomlFile<'_>) -> Option<Hours> {
    let hours = entry.text_at("hours_utc", file).and_then(|(text, at)| {
        let hours = Hours::parse(text);
        if hours.is_none() {
            file.error(at, BookProblem::BadHours { text: text.to_owned() });
        }
        hours
    });
    let Some((text, at)) = entry.text_at("weekdays_utc", file) else { return hours };
    let on_days = hours.and_then(|hours| hours.on_days(text));
    if on_days.is_none() {
        file.error(at, BookProblem::BadWeekdays { text: text.to_owned() });
    }
    on_days
}

fn rates(
    mut table: TomlTable<'_, '_>,
    origin: Origin,
    fallback: &FallbackRules,
    file: &mut TomlFile<'_>,
) -> Rates {
    if table.is_empty() {
        file.error(table.at(), BookProblem::NoRates);
    }
    let mut published: Vec<Rate> = Vec::new();
    for meter in Meter::ALL {
        let rates = table.rates(meter.rate_key(), file).into_iter();
        published.extend(rates.map(|(variant, usd)| Rate::new(meter, variant, usd, origin)));
    }
    table.finish(file);
    fallback.with_fallback(&published)
}

/// Ends each price where the next one of its tier begins, and reports prices that hold at the same time.
pub(super) fn end_where_the_next_begins(model: &str, prices: &mut [Price], file: &mut TomlFile<'_>) {
    sort(prices);
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
        let is_second =
            price.from() == next.from() || price.until().is_some() && price.period.overlaps(next.period);
        if is_second {
            overlap(price, next);
        }
        price.period = Period::new(price.from(), price.until().or(next.from()));
    }
    // Prices of different hours must not overlap either.
    for (i, a) in prices.iter().enumerate() {
        for b in &prices[i + 1..] {
            let share = |(a, b): (Hours, Hours)| a != b && a.overlap(b);
            if a.tier == b.tier && a.hours.zip(b.hours).is_some_and(share) && a.period.overlaps(b.period) {
                overlap(a, b);
            }
        }
    }
}
