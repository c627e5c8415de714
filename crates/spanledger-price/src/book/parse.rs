//! From files to a book.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use spanledger_event::Timestamp;
use toml::de::DeTable;
use xxhash_rust::xxh3::Xxh3;

use super::{
    BookError, BookErrors, BookProblem, Discount, Fee, Model, Price, PriceBook, Provider, Regional, Source,
    layer,
    price::Provenance,
    read::{self, File, Table},
};
use crate::{Meter, Tier};

mod model;

pub(crate) use model::lend;
use model::{close, entry, model};

pub(super) fn book<'a>(
    base: Option<&PriceBook>,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<PriceBook, BookErrors> {
    let mut providers: Vec<Provider> = base.map(|base| base.providers.to_vec()).unwrap_or_default();
    let mut seen: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    let mut checked = BTreeSet::new();
    let mut content = Xxh3::new();
    if let Some(base) = base {
        content.update(base.version.as_bytes());
        checked.extend(base.version.split('+').next().map(str::to_owned));
    }
    for (name, text) in files {
        for line in text.lines() {
            // The end of a line is not part of it, so that a checkout's line ends change nothing.
            content.update(line.as_bytes());
            content.update(b"\n");
        }
        let mut file = File::new(name, text);
        let mut days = Days::default();
        let (root, syntax) = DeTable::parse_recoverable(text);
        for error in syntax {
            let problem = BookProblem::Syntax(error.message().trim().to_owned());
            file.error(error.span().map_or(0, |span| span.start), problem);
        }
        if let Some(head) = Head::read(Table::new(root.get_ref(), 0), &mut file) {
            let given = base.map(|base| &base.providers[..]).unwrap_or_default();
            let known = given.iter().position(|other| other.is_called(&head.name));
            if seen.iter().any(|other| other.eq_ignore_ascii_case(&head.name)) {
                let (name, first) = (head.name.clone(), base.is_none());
                let owner = format!("the provider {name}");
                let second = BookProblem::SecondFile { name: name.clone() };
                let problem = if first { BookProblem::DuplicateName { name, owner } } else { second };
                file.error(0, problem);
            } else if let Some(at) = known {
                let door = given[at].door(&head.name);
                let others = given.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, other)| other);
                for other in others {
                    for also in head.also.iter().filter(|also| other.is_called(also)) {
                        let owner = format!("the provider {}", other.name);
                        file.error(0, BookProblem::DuplicateName { name: also.clone(), owner });
                    }
                }
                seen.extend(door.iter().cloned());
                // Another door of a provider, such as Azure for OpenAI, has prices of its own from here
                // on; the rest of them is the book's.
                if door.contains(&given[at].name) {
                    let under = providers.iter().position(|p| p.name == given[at].name).unwrap_or(at);
                    let read = provider(head, Some(&providers[under]), &mut days, &mut file);
                    providers[under] = read;
                } else {
                    let under = given[at].behind(&door);
                    for other in &mut providers {
                        if other.name == given[at].name {
                            other.close(&door);
                        }
                    }
                    providers.push(provider(head, Some(&under), &mut days, &mut file));
                }
            } else {
                seen.push(head.name.clone());
                providers.push(provider(head, None, &mut days, &mut file));
            }
        }
        file.errors.sort_by_key(|error: &BookError| error.line);
        errors.append(&mut file.errors);
        checked.append(&mut days.0);
    }
    if !errors.is_empty() {
        return Err(BookErrors(errors));
    }
    let day = checked.last().map_or("0000-00-00", String::as_str);
    let hash = format!("{:032x}", content.digest128());
    Ok(PriceBook { providers: providers.into(), version: format!("{day}+{}", &hash[..12]).into() })
}

/// The days on which something was checked.
#[derive(Default)]
struct Days(BTreeSet<String>);

/// What is read of a file before its models.
struct Rules<'t> {
    sources: Vec<(&'t str, Source)>,
    fallback: Vec<(Meter, Meter)>,
    /// Whether the file lies over a book.
    over: bool,
}

/// Whom a file speaks of, and the rest of it.
struct Head<'t, 'i> {
    name: String,
    also: Vec<String>,
    /// Names under which it is reached in another way, those of one way together.
    doors: Vec<Vec<String>>,
    root: Table<'t, 'i>,
}

impl<'t, 'i> Head<'t, 'i> {
    fn read(mut root: Table<'t, 'i>, file: &mut File<'_>) -> Option<Self> {
        let head = root.table("provider", file);
        let mut head = root.require(head, "provider", "[provider] with name = \"…\"", file)?;
        let name = head.text("name", file);
        let name = head.require(name, "name", "name = \"openai\"", file).unwrap_or_default().to_owned();
        let (also, doors) = head.names("also", file);
        head.finish(file);
        Some(Self { name, also, doors, root })
    }
}

/// A provider as a file describes it, over what is known of it already.
fn provider(head: Head<'_, '_>, base: Option<&Provider>, days: &mut Days, file: &mut File<'_>) -> Provider {
    let Head { name, also, doors, mut root } = head;
    let mut provider = base.cloned().unwrap_or_else(|| Provider::empty(name));
    provider.also.extend(also.into_iter().chain(doors.iter().flatten().cloned()));
    provider.doors.extend(doors);

    let sources = root.table("source", file).map(|table| {
        let source = |(id, _, value)| {
            let text = read::text_of(id, value, file)?;
            Some((id, Source { id: id.into(), text: text.into() }))
        };
        table.pairs().filter_map(source).collect()
    });
    if let Some(table) = root.table("tiers", file) {
        provider.tiers.splice(0..0, tiers(&table, file));
    }
    if let Some(table) = root.table("fallback", file) {
        provider.fallback = fallback(&table, file);
    }
    let rules = Rules {
        sources: sources.unwrap_or_default(),
        fallback: provider.fallback.clone(),
        over: base.is_some(),
    };
    if let Some(table) = root.table("regional", file) {
        provider.regional = Some(regional(table, &rules, days, file));
    }

    let given = provider.models.len();
    for table in root.tables("model", file) {
        let at = table.at();
        let Some(model) = model(table, &rules, days, file) else { continue };
        let index = provider.models.len();
        for name in [&model.name].into_iter().chain(&model.aliases).chain(&model.snapshots) {
            if let Some(other) = provider.names.insert(name, index) {
                let owner = provider.models.get(other).unwrap_or(&model).name.clone();
                file.error(at, BookProblem::DuplicateName { name: name.clone(), owner });
            }
        }
        provider.models.push(model);
    }
    let mut later: BTreeMap<usize, Vec<Price>> = BTreeMap::new();
    for mut table in root.tables("price", file) {
        let index = of_model(&mut table, &provider, file);
        let model = index.and_then(|index| provider.models.get(index));
        // The entry of a model that is not there is read all the same: its other mistakes are mistakes.
        let (limit, fallback) = match model {
            Some(model) => (model.long_context_over, model.fallback(&rules.fallback)),
            None => (Some(u64::MAX), rules.fallback.clone()),
        };
        let prices = entry(table, limit, &fallback, &rules, days, file);
        if let Some(index) = index {
            later.entry(index).or_default().extend(prices);
        }
    }
    let names = provider.door(&provider.name);
    for (index, model) in provider.models.iter_mut().enumerate() {
        let mut own = later.remove(&index).unwrap_or_default();
        if index < given {
            if !own.is_empty() {
                close(&model.name, &mut own, file);
                for price in &own {
                    if let Some(hours) = layer::torn_hours(&model.prices, price) {
                        file.error_on(price.line, BookProblem::TornHours { hours: hours.to_string() });
                    }
                }
                // Whoever gives the model a price here knows it here; the list's is that of elsewhere.
                let listed = model.unless.len();
                model.unless.retain(|name| !names.iter().any(|own| own.eq_ignore_ascii_case(name)));
                if model.unless.len() < listed {
                    model.prices.clear();
                }
                model.prices = layer::over(&model.prices, own, &model.fallback(&rules.fallback));
            }
        } else {
            model.prices.append(&mut own);
            close(&model.name, &mut model.prices, file);
        }
    }
    let mut fees = Vec::new();
    for table in root.tables("fee", file) {
        fees.extend(fee(table, &provider.models, &rules, days, file));
    }
    for fee in &mut fees {
        fee.negotiated = rules.over;
    }
    provider.fees.splice(0..0, fees);
    for table in root.tables("discount", file) {
        let discount = discount(table, &provider, &rules, days, file);
        provider.discounts.extend(discount);
    }
    if let Some(table) = root.table("deployments", file) {
        deployments(&table, &mut provider, file);
    }
    root.finish(file);
    provider
}

/// The model that an entry names; it has to be there.
fn of_model(table: &mut Table<'_, '_>, provider: &Provider, file: &mut File<'_>) -> Option<usize> {
    let name = table.text("model", file);
    let name = table.require(name, "model", "model = \"…\", a model of the book", file)?;
    let index = provider.models.iter().position(|model| model.name == name);
    if index.is_none() {
        let problem = BookProblem::UnknownModel { name: name.to_owned(), provider: provider.name.clone() };
        file.error(table.at(), problem);
    }
    index
}

fn deployments(table: &Table<'_, '_>, provider: &mut Provider, file: &mut File<'_>) {
    for (name, at, value) in table.pairs() {
        if value.get_ref().as_table().is_some() {
            file.error(at, BookProblem::DottedName { name: name.to_owned() });
            continue;
        }
        let Some(model) = read::text_of(name, value, file) else { continue };
        match provider.listed(model) {
            Some(index) => provider.deployments.replace(name, index),
            None => {
                let provider = provider.name.clone();
                file.error(at, BookProblem::UnknownModel { name: model.to_owned(), provider });
            }
        }
    }
}

fn discount(
    mut table: Table<'_, '_>,
    provider: &Provider,
    rules: &Rules<'_>,
    days: &mut Days,
    file: &mut File<'_>,
) -> Option<Discount> {
    let (from, until) = span(&mut table, file);
    let percent = table.rate("percent", file);
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
    let tiers = table.texts("tiers", file).into_iter().filter_map(|(name, at)| {
        let tier = Tier::from_name(name);
        if tier.is_none() {
            file.error(at, BookProblem::UnknownName { key: "tiers".to_owned(), name: name.to_owned() });
        }
        tier
    });
    let tiers = tiers.collect();
    let provenance = provenance(&mut table, rules, days, file);
    table.finish(file);
    let discount = Discount::new(percent.filter(|percent| *percent <= Decimal::ONE_HUNDRED)?, provenance);
    Some(Discount { models: owned(models), tiers, from, until, ..discount })
}

fn tiers(table: &Table<'_, '_>, file: &mut File<'_>) -> Vec<(String, Tier)> {
    let mut tiers = Vec::new();
    for (key, at, value) in table.pairs() {
        let Some(tier) = Tier::from_name(key) else {
            let allowed = Tier::ALL.map(Tier::as_str).join(", ");
            file.error(at, BookProblem::UnknownKey { key: key.to_owned(), allowed });
            continue;
        };
        let words = read::texts(key, value, file);
        tiers.extend(words.into_iter().map(|(word, _)| (word.to_owned(), tier)));
    }
    tiers
}

fn meter(key: &str, name: &str, at: usize, file: &mut File<'_>) -> Option<Meter> {
    let meter = Meter::from_name(name);
    if meter.is_none() {
        file.error(at, BookProblem::UnknownName { key: key.to_owned(), name: name.to_owned() });
    }
    meter
}

fn fallback(table: &Table<'_, '_>, file: &mut File<'_>) -> Vec<(Meter, Meter)> {
    let pair = |(key, at, value)| {
        let to = read::text_of(key, value, file)?;
        Some((meter("fallback", key, at, file)?, meter(key, to, value.span().start, file)?))
    };
    table.pairs().filter_map(pair).collect()
}

fn provenance(
    table: &mut Table<'_, '_>,
    rules: &Rules<'_>,
    days: &mut Days,
    file: &mut File<'_>,
) -> Provenance {
    let listed = table.texts("sources", file);
    table.require((!listed.is_empty()).then_some(()), "sources", "sources = [\"…\"], ids of [source]", file);
    let mut sources = Vec::with_capacity(listed.len());
    for (id, at) in listed {
        match rules.sources.iter().find(|(name, _)| *name == id) {
            Some((_, source)) => sources.push(source.clone()),
            None => file.error(at, BookProblem::UnknownSource { id: id.to_owned() }),
        }
    }
    let checked = table.day("checked", file);
    let checked = table.require(checked, "checked", "checked = 2026-11-20, the day of reading", file);
    let checked = checked.map(|(_, day)| day).unwrap_or_default();
    if !checked.is_empty() {
        days.0.insert(checked.clone());
    }
    Provenance { sources, checked }
}

/// The span that an entry states.
fn span(table: &mut Table<'_, '_>, file: &mut File<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let from = table.day("from", file);
    let until = table.day("until", file);
    if let (Some((start, from)), Some((end, until))) = (&from, &until)
        && end <= start
    {
        let problem = BookProblem::EndsBeforeItStarts { from: from.clone(), until: until.clone() };
        file.error(table.at(), problem);
    }
    (from.map(|(start, _)| start), until.map(|(end, _)| end))
}

fn regional(mut table: Table<'_, '_>, rules: &Rules<'_>, days: &mut Days, file: &mut File<'_>) -> Regional {
    let factor = table.rate("factor", file);
    let regions = owned(table.texts("regions", file));
    let unknown_for = owned(table.texts("unknown_for", file));
    // Where it is only known that regions cost more, there is no factor.
    if unknown_for.is_empty() || !regions.is_empty() || factor.is_some() {
        table.require(factor, "factor", "factor = \"1.1\"", file);
        table.require((!regions.is_empty()).then_some(()), "regions", "regions = [\"eu\"]", file);
    }
    if let Some(factor) = factor.filter(|factor| *factor < Decimal::ONE) {
        file.error(table.at(), BookProblem::BadFactor { text: factor.to_string() });
    }
    let neutral = owned(table.texts("neutral", file));
    provenance(&mut table, rules, days, file);
    table.finish(file);
    let factor = factor.unwrap_or(Decimal::ONE);
    let label = |region: String| {
        let label = format!("{region} ×{}", factor.normalize());
        (region, label)
    };
    Regional { unknown_for, factor, regions: regions.into_iter().map(label).collect(), neutral }
}

fn fee(
    mut table: Table<'_, '_>,
    models: &[Model],
    rules: &Rules<'_>,
    days: &mut Days,
    file: &mut File<'_>,
) -> Vec<Fee> {
    let (from, until) = span(&mut table, file);
    let [only, except] = ["only", "except"].map(|key| {
        let names = table.texts(key, file);
        for &(name, at) in &names {
            if !models.iter().any(|model| model.name == name) {
                file.error(at, BookProblem::UnknownName { key: key.to_owned(), name: name.to_owned() });
            }
        }
        owned(names)
    });
    let provenance = provenance(&mut table, rules, days, file);
    let mut fees = Vec::new();
    for meter in Meter::UNITS {
        if let Some(usd) = table.rate(meter.name(), file) {
            let (only, except, provenance) = (only.clone(), except.clone(), provenance.clone());
            fees.push(Fee { meter, usd, only, except, from, until, negotiated: false, provenance });
        }
    }
    if fees.is_empty() {
        file.error(table.at(), BookProblem::NoRates);
    }
    table.finish(file);
    fees
}

fn owned(texts: Vec<(&str, usize)>) -> Vec<String> {
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}
