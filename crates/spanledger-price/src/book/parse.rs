//! From files to a book.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use spanledger_event::Timestamp;
use toml::de::DeTable;
use xxhash_rust::xxh3::Xxh3;

use super::{
    BookError, BookErrors, BookProblem, Fee, Model, Names, Price, PriceBook, Provider, Rate, Rates, Regional,
    read::{self, File, Table},
};
use crate::{Meter, Tier};

pub(super) fn book<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<PriceBook, BookErrors> {
    let mut providers: Vec<Provider> = Vec::new();
    let mut errors = Vec::new();
    let mut checked = BTreeSet::new();
    let mut content = Xxh3::new();
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
        if let Some(read) = provider(Table::new(root.get_ref(), 0), &mut days, &mut file) {
            let taken = providers.iter().find(|other| {
                std::iter::once(&read.name).chain(&read.also).any(|name| other.is_called(name))
            });
            if let Some(other) = taken {
                let owner = format!("the provider {}", other.name);
                file.error(0, BookProblem::DuplicateName { name: read.name.clone(), owner });
            }
            providers.push(read);
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
    Ok(PriceBook { providers, version: format!("{day}+{}", &hash[..12]) })
}

/// The days on which something was checked.
#[derive(Default)]
struct Days(BTreeSet<String>);

/// Where entries are from.
struct Provenance {
    sources: Vec<String>,
    checked: String,
}

/// What is read of a file before its models.
struct Rules<'t> {
    sources: Vec<&'t str>,
    fallback: Vec<(Meter, Meter)>,
}

fn provider(mut root: Table<'_, '_>, days: &mut Days, file: &mut File<'_>) -> Option<Provider> {
    let head = root.table("provider", file);
    let mut head = root.require(head, "provider", "[provider] with name = \"…\"", file)?;
    let name = head.text("name", file);
    let name = head.require(name, "name", "name = \"openai\"", file).unwrap_or_default().to_owned();
    let also = owned(head.texts("also", file));
    head.finish(file);

    let sources = root.table("source", file).map(|table| {
        table.pairs().filter_map(|(id, _, value)| read::text_of(id, value, file).map(|_| id)).collect()
    });
    let tiers = root.table("tiers", file).map(|table| tiers(&table, file)).unwrap_or_default();
    let fallback = root.table("fallback", file).map(|table| fallback(&table, file)).unwrap_or_default();
    let rules = Rules { sources: sources.unwrap_or_default(), fallback };
    let regional = root.table("regional", file).and_then(|table| regional(table, &rules, days, file));

    let mut models = Vec::new();
    let mut names = Names::default();
    for table in root.tables("model", file) {
        let at = table.at();
        let Some(model) = model(table, &rules, days, file) else { continue };
        for name in [&model.name].into_iter().chain(&model.aliases).chain(&model.snapshots) {
            if let Some(other) = names.insert(name, models.len()) {
                let owner = models.get(other).unwrap_or(&model).name.clone();
                file.error(at, BookProblem::DuplicateName { name: name.clone(), owner });
            }
        }
        models.push(model);
    }
    let mut fees = Vec::new();
    for table in root.tables("fee", file) {
        fees.extend(fee(table, &models, &rules, days, file));
    }
    root.finish(file);
    Some(Provider { name, also, tiers, regional, fees, models, names })
}

fn tiers(table: &Table<'_, '_>, file: &mut File<'_>) -> Vec<(String, Tier)> {
    let mut tiers = Vec::new();
    for (key, at, value) in table.pairs() {
        let Some(tier) = Tier::ALL.into_iter().find(|tier| tier.as_str() == key) else {
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
    for &(id, at) in &listed {
        if !rules.sources.contains(&id) {
            file.error(at, BookProblem::UnknownSource { id: id.to_owned() });
        }
    }
    let checked = table.day("checked", file);
    let checked = table.require(checked, "checked", "checked = 2026-11-20, the day of reading", file);
    let checked = checked.map(|(_, day)| day).unwrap_or_default();
    if !checked.is_empty() {
        days.0.insert(checked.clone());
    }
    Provenance { sources: owned(listed), checked }
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

fn regional(
    mut table: Table<'_, '_>,
    rules: &Rules<'_>,
    days: &mut Days,
    file: &mut File<'_>,
) -> Option<Regional> {
    let factor = table.rate("factor", file);
    let factor = table.require(factor, "factor", "factor = \"1.1\"", file);
    let regions = owned(table.texts("regions", file));
    table.require((!regions.is_empty()).then_some(()), "regions", "regions = [\"eu\"]", file);
    let neutral = owned(table.texts("neutral", file));
    provenance(&mut table, rules, days, file);
    table.finish(file);
    let factor = factor?;
    let unit = |region: String| {
        let unit = format!("{}, {region} ×{}", Meter::ALL[0].unit(), factor.normalize());
        (region, unit)
    };
    Some(Regional { factor, regions: regions.into_iter().map(unit).collect(), neutral })
}

fn fee(
    mut table: Table<'_, '_>,
    models: &[Model],
    rules: &Rules<'_>,
    days: &mut Days,
    file: &mut File<'_>,
) -> Vec<Fee> {
    let (from, until) = span(&mut table, file);
    let except = table.texts("except", file);
    for &(name, at) in &except {
        if !models.iter().any(|model| model.name == name) {
            file.error(at, BookProblem::UnknownName { key: "except".to_owned(), name: name.to_owned() });
        }
    }
    let except = owned(except);
    provenance(&mut table, rules, days, file);
    let mut fees = Vec::new();
    for meter in Meter::ALL.into_iter().filter(|meter| !matches!(meter, Meter::Tokens(_))) {
        if let Some(usd) = table.rate(meter.name(), file) {
            fees.push(Fee { meter, usd, except: except.clone(), from, until });
        }
    }
    if fees.is_empty() {
        file.error(table.at(), BookProblem::NoRates);
    }
    table.finish(file);
    fees
}

fn model(mut table: Table<'_, '_>, rules: &Rules<'_>, days: &mut Days, file: &mut File<'_>) -> Option<Model> {
    let name = table.text("name", file);
    let name = table.require(name, "name", "name = \"…\", as the provider writes it", file);
    let aliases = owned(table.texts("aliases", file));
    let snapshots = owned(table.texts("snapshots", file));
    let long_context_over = table.count("long_context_over", file);
    let regional = table.flag("regional", file);
    let mut fallback = rules.fallback.clone();
    for (name, at) in table.texts("no_fallback", file) {
        let meter = meter("no_fallback", name, at, file);
        fallback.retain(|(from, _)| Some(*from) != meter);
    }
    let mut prices = Vec::new();
    for mut entry in table.tables("price", file) {
        let (from, until) = span(&mut entry, file);
        let Provenance { sources, checked } = provenance(&mut entry, rules, days, file);
        let before = prices.len();
        for tier in Tier::ALL {
            let short = entry.table(tier.as_str(), file).map(|table| rates(table, &fallback, file));
            let long = entry.table(tier.long_key(), file).map(|table| rates(table, &fallback, file));
            if long.is_some() && long_context_over.is_none() {
                file.error(entry.at(), BookProblem::LongWithoutThreshold { key: tier.long_key() });
            }
            let Some(rates) = short else {
                if long.is_some() {
                    let problem = BookProblem::LongWithoutShort { key: tier.long_key(), tier: tier.as_str() };
                    file.error(entry.at(), problem);
                }
                continue;
            };
            let (sources, checked) = (sources.clone(), checked.clone());
            prices.push(Price {
                tier,
                from,
                until,
                rates,
                long,
                sources,
                checked,
                line: file.line(entry.at()),
            });
        }
        if prices.len() == before {
            file.error(entry.at(), BookProblem::NoRates);
        }
        entry.finish(file);
    }
    if prices.is_empty() {
        table.require(None::<()>, "price", "a [[model.price]] entry", file);
    }
    table.finish(file);
    let name = name?.to_owned();
    close(&name, &mut prices, file);
    Some(Model { name, aliases, snapshots, long_context_over, regional, prices })
}

/// Ends each price where the next one of its tier begins, and finds those that cannot be told apart.
fn close(model: &str, prices: &mut [Price], file: &mut File<'_>) {
    prices.sort_by_key(|price| (price.tier, price.from));
    for next in 1..prices.len() {
        let (from, tier, line) = (prices[next].from, prices[next].tier, prices[next].line);
        let price = &mut prices[next - 1];
        if price.tier != tier {
            continue;
        }
        let overlaps = price.from == from || price.until.zip(from).is_some_and(|(until, from)| from < until);
        if overlaps {
            let (line, other) = (line.max(price.line), line.min(price.line));
            let problem = BookProblem::Overlap { model: model.to_owned(), tier: tier.as_str(), other };
            file.error_on(line, problem);
        }
        price.until = price.until.or(from);
    }
}

fn rates(mut table: Table<'_, '_>, fallback: &[(Meter, Meter)], file: &mut File<'_>) -> Rates {
    let published = Meter::ALL.map(|meter| table.rate(meter.name(), file));
    let get =
        |meter: Meter| Meter::ALL.into_iter().zip(published).find_map(|(m, usd)| usd.filter(|_| m == meter));
    if published.iter().all(Option::is_none) && table.pairs().next().is_none() {
        file.error(table.at(), BookProblem::NoRates);
    }
    table.finish(file);
    let writes = Meter::cache_writes();
    let charges_writes = writes.into_iter().any(|meter| get(meter).is_some());
    let borrowed = |meter: Meter| -> Option<Decimal> {
        // Who charges for writes charges for every lifetime, at a rate that is not known here.
        if charges_writes && writes.contains(&meter) {
            return None;
        }
        fallback.iter().find(|(from, _)| *from == meter).and_then(|(_, to)| get(*to))
    };
    let rate = |meter: Meter| {
        let published = get(meter).map(|usd| Rate { meter, usd, published: true });
        published.or_else(|| borrowed(meter).map(|usd| Rate { meter, usd, published: false }))
    };
    Rates(Meter::ALL.into_iter().filter_map(rate).collect())
}

fn owned(texts: Vec<(&str, usize)>) -> Vec<String> {
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}
