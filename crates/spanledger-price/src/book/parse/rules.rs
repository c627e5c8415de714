//! Reads the parts that several tables have, and the rules that apply to all models of a provider.

use rust_decimal::Decimal;

use super::{
    super::{
        BookProblem, Discount, FallbackRules, Fee, Period, Provider, RegionalSurcharge,
        price::Provenance,
        toml_file::{TomlFile, TomlTable},
    },
    provider::{Context, owned},
};
use crate::{Meter, Tier};

/// The period that an entry states.
pub(super) fn period(table: &mut TomlTable<'_, '_>, file: &mut TomlFile<'_>) -> Period {
    let from = table.day("from", file);
    let until = table.day("until", file);
    if let (Some((start, from)), Some((end, until))) = (&from, &until)
        && end <= start
    {
        let problem = BookProblem::EndsBeforeItStarts { from: from.clone(), until: until.clone() };
        file.error(table.at(), problem);
    }
    Period::new(from.map(|(start, _)| start), until.map(|(end, _)| end))
}

/// Reads the sources of an entry's numbers. Every entry must have them.
pub(super) fn provenance(
    table: &mut TomlTable<'_, '_>,
    context: &Context<'_>,
    file: &mut TomlFile<'_>,
) -> Provenance {
    let ids = table.texts("sources", file);
    table.require((!ids.is_empty()).then_some(()), "sources", "sources = [\"…\"], ids of [sources]", file);
    let mut sources = Vec::with_capacity(ids.len());
    for (id, at) in ids {
        match context.sources.get(id) {
            Some(source) => sources.push(source.clone()),
            None => file.error(at, BookProblem::UnknownSource { id: id.to_owned() }),
        }
    }
    let day = table.day("prices_checked", file);
    let example = "prices_checked = 2026-11-20, the day on which the sources were read";
    let day = table.require(day, "prices_checked", example, file);
    let checked = day.map(|(_, day)| day).unwrap_or_default();
    if !checked.is_empty() {
        file.days_checked.insert(checked.clone());
    }
    Provenance { sources, checked }
}

/// Reads names of the provider. One name of a channel stands for all names of the channel.
pub(super) fn not_priced_for(
    table: &mut TomlTable<'_, '_>,
    provider: &Provider,
    file: &mut TomlFile<'_>,
) -> Vec<String> {
    let mut names = Vec::new();
    for (name, at) in table.texts("not_priced_for", file) {
        if provider.is_called(name) {
            names.extend(provider.channel(name));
        } else {
            let key = "not_priced_for".to_owned();
            file.error(at, BookProblem::UnknownName { key, name: name.to_owned() });
        }
    }
    names
}

/// Reads a list of names of meters.
pub(super) fn meters(
    table: &mut TomlTable<'_, '_>,
    key: &'static str,
    file: &mut TomlFile<'_>,
) -> Vec<Meter> {
    let names = table.texts(key, file).into_iter();
    names.filter_map(|(name, at)| named(Meter::from_name, key, name, at, file)).collect()
}

/// The value with this name. Reports an error if there is none.
fn named<T>(
    from_name: impl FnOnce(&str) -> Option<T>,
    key: &str,
    name: &str,
    at: usize,
    file: &mut TomlFile<'_>,
) -> Option<T> {
    let found = from_name(name);
    if found.is_none() {
        file.error(at, BookProblem::UnknownName { key: key.to_owned(), name: name.to_owned() });
    }
    found
}

pub(super) fn tiers(mut table: TomlTable<'_, '_>, file: &mut TomlFile<'_>) -> Vec<(String, Tier)> {
    let mut tiers = Vec::new();
    for tier in Tier::ALL {
        let words = table.texts(tier.as_str(), file);
        tiers.extend(words.into_iter().map(|(word, _)| (word.to_owned(), tier)));
    }
    table.finish(file);
    tiers
}

pub(super) fn fallback(mut table: TomlTable<'_, '_>, file: &mut TomlFile<'_>) -> FallbackRules {
    let mut rules = Vec::new();
    for meter in Meter::ALL {
        if let Some((name, at)) = table.text_at(meter.name(), file) {
            rules.extend(named(Meter::from_name, meter.name(), name, at, file).map(|other| (meter, other)));
        }
    }
    table.finish(file);
    FallbackRules(rules)
}

pub(super) fn regional_surcharge(
    mut table: TomlTable<'_, '_>,
    provider: &Provider,
    context: &Context<'_>,
    file: &mut TomlFile<'_>,
) -> RegionalSurcharge {
    let factor = table.decimal("factor", file);
    let regions = owned(table.texts("regions", file));
    let no_surcharge = owned(table.texts("no_surcharge", file));
    let not_priced_for = not_priced_for(&mut table, provider, file);
    // The table needs no factor if it states only that the surcharge is unknown.
    if not_priced_for.is_empty() || !regions.is_empty() || factor.is_some() {
        table.require(factor, "factor", "factor = \"1.1\"", file);
        table.require((!regions.is_empty()).then_some(()), "regions", "regions = [\"eu\"]", file);
    }
    if let Some(factor) = factor.filter(|factor| *factor < Decimal::ONE) {
        file.error(table.at(), BookProblem::BadFactor { text: factor.to_string() });
    }
    provenance(&mut table, context, file);
    table.finish(file);
    let factor = factor.unwrap_or(Decimal::ONE);
    let label = |region: String| {
        let label = format!("{region} ×{}", factor.normalize());
        (region, label)
    };
    let regions = regions.into_iter().map(label).collect();
    RegionalSurcharge { factor, regions, no_surcharge, not_priced_for }
}

pub(super) fn fee(
    mut table: TomlTable<'_, '_>,
    provider: &Provider,
    context: &Context<'_>,
    file: &mut TomlFile<'_>,
) -> Vec<Fee> {
    let period = period(&mut table, file);
    let not_priced_for = not_priced_for(&mut table, provider, file);
    let [models, except_models] = ["models", "except_models"].map(|key| {
        let names = table.texts(key, file);
        for &(name, at) in &names {
            if !provider.models.iter().any(|model| model.name == name) {
                file.error(at, BookProblem::UnknownName { key: key.to_owned(), name: name.to_owned() });
            }
        }
        owned(names)
    });
    let provenance = provenance(&mut table, context, file);
    let mut fees = Vec::new();
    for meter in Meter::UNITS {
        if let Some(usd) = table.decimal(meter.rate_key(), file) {
            fees.push(Fee {
                meter,
                usd,
                models: models.clone(),
                except_models: except_models.clone(),
                not_priced_for: not_priced_for.clone(),
                period,
                negotiated: context.is_overlay,
                provenance: provenance.clone(),
            });
        }
    }
    if fees.is_empty() {
        file.error(table.at(), BookProblem::NoRates);
    }
    table.finish(file);
    fees
}

pub(super) fn discount(
    mut table: TomlTable<'_, '_>,
    provider: &Provider,
    context: &Context<'_>,
    file: &mut TomlFile<'_>,
) -> Option<Discount> {
    let period = period(&mut table, file);
    let percent = table.decimal("percent", file);
    let percent = table.require(percent, "percent", "percent = \"12.5\"", file);
    if let Some(percent) = percent.filter(|percent| *percent > Decimal::ONE_HUNDRED) {
        file.error(table.at(), BookProblem::BadPercent { text: percent.to_string() });
    }
    let models = table.texts("models", file);
    for &(name, at) in &models {
        if !provider.models.iter().any(|model| model.name == name) {
            let provider = provider.name.clone();
            file.error(at, BookProblem::UnknownModel { name: name.to_owned(), provider });
        }
    }
    let tiers = table.texts("tiers", file).into_iter();
    let tiers = tiers.filter_map(|(name, at)| named(Tier::from_name, "tiers", name, at, file)).collect();
    let provenance = provenance(&mut table, context, file);
    table.finish(file);
    let percent = percent.filter(|percent| *percent <= Decimal::ONE_HUNDRED)?;
    Some(Discount {
        percent,
        factor: (Decimal::ONE_HUNDRED - percent) / Decimal::ONE_HUNDRED,
        label: format!("−{} %", percent.normalize()),
        models: owned(models),
        tiers,
        period,
        provenance,
    })
}
