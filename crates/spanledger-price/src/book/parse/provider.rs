//! Reads the provider that a file describes.

use std::collections::BTreeMap;

use super::{
    super::{
        BookProblem, Discount, FallbackRules, Price, Provider, overlay,
        toml_file::{TomlFile, TomlTable},
    },
    Sources, price, rules,
};

/// The sources and rules that the entries of a file refer to.
pub(super) struct Context<'t> {
    pub(super) sources: Sources<'t>,
    pub(super) fallback: FallbackRules,
    /// Whether the file is applied to a provider of another book.
    pub(super) is_overlay: bool,
}

/// A file whose `[provider]` table was read, and its other tables.
pub(super) struct ProviderFile<'t, 'i> {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) channels: Vec<Vec<String>>,
    root: TomlTable<'t, 'i>,
}

impl<'t, 'i> ProviderFile<'t, 'i> {
    /// Reads the `[provider]` table, without which the rest of a file has no meaning.
    pub(super) fn read(mut root: TomlTable<'t, 'i>, file: &mut TomlFile<'_>) -> Option<Self> {
        let table = root.table("provider", file);
        let mut table = root.require(table, "provider", "[provider] with name = \"…\"", file)?;
        let name = table.text("name", file);
        let name = table.require(name, "name", "name = \"openai\"", file).unwrap_or_default().to_owned();
        let aliases = owned(table.texts("aliases", file));
        let channels = table.text_lists("channels", file);
        table.finish(file);
        Some(Self { name, aliases, channels, root })
    }

    /// Reads the rest of the file, and applies it to `base` if there is one.
    pub(super) fn provider(
        self,
        base: Option<&Provider>,
        shared: &Sources<'t>,
        file: &mut TomlFile<'_>,
    ) -> Provider {
        let Self { name, aliases, channels, mut root } = self;
        let mut provider = base.cloned().unwrap_or_else(|| Provider::empty(name));
        provider.aliases.extend(aliases.into_iter().chain(channels.iter().flatten().cloned()));
        provider.channels.extend(channels);

        let mut sources = shared.clone();
        super::sources(&mut root, &mut sources, file);
        if let Some(table) = root.table("tiers", file) {
            provider.tiers.splice(0..0, rules::tiers(table, file));
        }
        if let Some(table) = root.table("fallback", file) {
            provider.fallback = rules::fallback(table, file);
        }
        let context = Context { sources, fallback: provider.fallback.clone(), is_overlay: base.is_some() };
        if let Some(table) = root.table("regional_surcharge", file) {
            provider.regional_surcharge = Some(rules::regional_surcharge(table, &provider, &context, file));
        }
        let declared = models(&mut root, &mut provider, file);
        prices(&mut root, &mut provider, &declared, &context, file);
        fees(&mut root, &mut provider, &context, file);
        for table in root.tables("discount", file) {
            let discount: Option<Discount> = rules::discount(table, &provider, &context, file);
            provider.discounts.extend(discount);
        }
        deployments(&mut root, &mut provider, file);
        root.finish(file);
        provider
    }
}

/// Reads the models that the file declares. Returns their indices with their places in the file.
fn models(
    root: &mut TomlTable<'_, '_>,
    provider: &mut Provider,
    file: &mut TomlFile<'_>,
) -> BTreeMap<usize, usize> {
    let mut declared = BTreeMap::new();
    for table in root.tables("model", file) {
        let at = table.at();
        let Some(model) = price::model(table, provider, file) else { continue };
        let index = provider.models.len();
        for name in [&model.name].into_iter().chain(&model.aliases).chain(&model.snapshots) {
            if let Some(other) = provider.names.insert(name, index) {
                let owner = provider.models.get(other).unwrap_or(&model).name.clone();
                file.error(at, BookProblem::DuplicateName { name: name.clone(), owner });
            }
        }
        provider.models.push(model);
        declared.insert(index, at);
    }
    declared
}

/// Reads all `[[price]]` entries and adds each one to its model.
fn prices(
    root: &mut TomlTable<'_, '_>,
    provider: &mut Provider,
    declared: &BTreeMap<usize, usize>,
    context: &Context<'_>,
    file: &mut TomlFile<'_>,
) {
    let mut entries: BTreeMap<usize, Vec<Price>> = BTreeMap::new();
    for mut table in root.tables("price", file) {
        let index = model_of(&mut table, provider, file);
        let prices = price::entry(table, index.map(|index| &provider.models[index]), context, file);
        if let Some(index) = index {
            entries.entry(index).or_default().extend(prices);
        }
    }
    let names = provider.channel(&provider.name);
    for (index, model) in provider.models.iter_mut().enumerate() {
        let declared = declared.get(&index);
        let Some(mut own) = entries.remove(&index) else {
            if let Some(&at) = declared.filter(|_| !model.free) {
                file.error(at, BookProblem::NoPrice { model: model.name.clone() });
            }
            continue;
        };
        price::end_where_the_next_begins(&model.name, &mut own, file);
        if declared.is_some() {
            model.prices = own;
            continue;
        }
        for price in &own {
            if let Some(hours) = overlay::partial_overlap(&model.prices, price) {
                file.error_on(price.line, BookProblem::PartialOverlap { hours: hours.to_string() });
            }
        }
        // If the list price does not apply under one of these names, an override for it starts from an empty
        // price list.
        let unknown = model.not_priced_for.len();
        model.not_priced_for.retain(|name| !names.iter().any(|own| own.eq_ignore_ascii_case(name)));
        if model.not_priced_for.len() < unknown {
            model.prices.clear();
        }
        model.prices = overlay::overlay(&model.prices, own, &model.fallback(&context.fallback));
    }
}

/// The index of the model that an entry names. The model must be in the book or in the file.
fn model_of(table: &mut TomlTable<'_, '_>, provider: &Provider, file: &mut TomlFile<'_>) -> Option<usize> {
    let name = table.text("model", file);
    let name = table.require(name, "model", "model = \"…\", a model of the book", file)?;
    let index = provider.models.iter().position(|model| model.name == name);
    if index.is_none() {
        let problem = BookProblem::UnknownModel { name: name.to_owned(), provider: provider.name.clone() };
        file.error(table.at(), problem);
    }
    index
}

fn fees(
    root: &mut TomlTable<'_, '_>,
    provider: &mut Provider,
    context: &Context<'_>,
    file: &mut TomlFile<'_>,
) {
    let mut fees = Vec::new();
    for table in root.tables("fee", file) {
        fees.extend(rules::fee(table, provider, context, file));
    }
    // Of equal fees the first holds, so those of this file come first.
    provider.fees.splice(0..0, fees);
}

fn deployments(root: &mut TomlTable<'_, '_>, provider: &mut Provider, file: &mut TomlFile<'_>) {
    for (name, at, model) in root.texts_by_name("deployments", file) {
        match provider.listed(model) {
            Some(index) => provider.deployments.replace(name, index),
            None => {
                let provider = provider.name.clone();
                file.error(at, BookProblem::UnknownModel { name: model.to_owned(), provider });
            }
        }
    }
}

pub(super) fn owned(texts: Vec<(&str, usize)>) -> Vec<String> {
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}
