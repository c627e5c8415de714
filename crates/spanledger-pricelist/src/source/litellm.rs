//! Reads LiteLLM's price map: one object with a key for each model name.

mod keys;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use spanledger_event::Bucket;

use super::{
    ForeignLine, ForeignModel, ImportError, LITELLM, PriceMap,
    json::{self, Object, Raw},
    not_imported,
    number::{self, Scale},
    one_threshold,
};
use keys::Key;
use spanledger_price::{Meter, Origin, Period, Rate, Rates, Tier};

/// The map's names of providers, each with the name in the book.
const PROVIDERS: [(&str, &str); 10] = [
    ("openai", "openai"),
    ("text-completion-openai", "openai"),
    ("anthropic", "anthropic"),
    ("gemini", "gemini"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral"),
    ("xai", "xai"),
    ("groq", "groq"),
    ("cohere", "cohere"),
    ("cohere_chat", "cohere"),
];

/// Reads `model_prices_and_context_window.json`.
///
/// The provider in front of a name (`gemini/gemini-2.5-pro`) is removed. The keys of image sizes
/// (`hd/1024-x-1792/dall-e-3`) become variants of the model's rate per image. If a model has rates per token,
/// its rates per image, second or character price the same usage in another unit. They are skipped, because a
/// call would otherwise be billed twice.
///
/// # Errors
///
/// Fails if the text is not JSON or is a file of another kind.
pub fn litellm(json: &str) -> Result<PriceMap, ImportError> {
    let raw = json::document(json)?;
    let Some(file) = json::object(raw) else {
        let (found, remedy) = match json::list(raw) {
            Some(_) => ("a list, as in genai-prices' data file", "read it as genai-prices"),
            None => ("a single value", "use model_prices_and_context_window.json"),
        };
        return Err(ImportError::WrongFile { expected: LITELLM, found, remedy });
    };
    if file.contains_key("providers") {
        let (found, remedy) = ("an object with `providers`", "read it as genai-prices");
        return Err(ImportError::WrongFile { expected: LITELLM, found, remedy });
    }
    let mut map = MapReader::default();
    for (key, raw) in &file {
        // The value of this key documents the format; it is not a model.
        if key != "sample_spec" {
            map.model(key, raw);
        }
    }
    if !map.has_model && !file.is_empty() {
        let (found, remedy) =
            ("an object whose values have no `litellm_provider`", "use model_prices_and_context_window.json");
        return Err(ImportError::WrongFile { expected: LITELLM, found, remedy });
    }
    if !map.has_model {
        return Err(ImportError::Empty { expected: LITELLM });
    }
    Ok(map.finish())
}

/// The state of reading the map.
#[derive(Default)]
struct MapReader {
    /// Whether at least one value is a model. Otherwise the file is not LiteLLM's price map.
    has_model: bool,
    models: BTreeMap<(&'static str, String), ForeignModel>,
    /// Rates per image by size, for each model.
    sizes: BTreeMap<(&'static str, String), Vec<(String, Decimal)>>,
    map: PriceMap,
}

impl MapReader {
    fn model(&mut self, key: &str, raw: Raw<'_>) {
        let Some(fields) = json::object(raw) else {
            return self.map.skip("", key, "not an object");
        };
        let Some(listed_as) = json::text(&fields, "litellm_provider") else {
            return self.map.skip("", key, "has no `litellm_provider`");
        };
        self.has_model = true;
        let Some(provider) = PROVIDERS.iter().find(|(name, _)| *name == listed_as).map(|(_, ours)| *ours)
        else {
            return self.map.skip(&listed_as, key, not_imported(&listed_as));
        };
        let prefix = |prefix: &str| key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
        let name = prefix(&listed_as).or_else(|| prefix(provider)).unwrap_or(key);
        let mode = json::text(&fields, "mode").unwrap_or_default();
        if mode == "search" {
            return self.map.skip(provider, name, "a search engine, not a model");
        }
        match keys::size(name) {
            Some((variant, model)) => self.size(provider, name, &variant, model, &fields),
            None => self.rates(provider, name, &mode, &fields),
        }
    }

    /// Reads the rate of an image of one size.
    fn size(&mut self, provider: &'static str, name: &str, variant: &str, model: &str, fields: &Object<'_>) {
        let price =
            ["output_cost_per_image", "input_cost_per_image"].into_iter().find_map(|key| fields.get(key));
        let Some(raw) = price else {
            return self.map.skip(
                provider,
                name,
                "an image size without a price per image (a price per pixel is not exact)",
            );
        };
        match number::rate(raw.get(), Scale::SAME) {
            Ok(usd) => {
                let place = (provider, model.to_owned());
                self.sizes.entry(place).or_default().push((variant.to_owned(), usd));
            }
            Err(reason) => self.map.skip(provider, name, reason),
        }
    }

    fn rates(&mut self, provider: &'static str, name: &str, mode: &str, fields: &Object<'_>) {
        let mut sheet = Sheet::default();
        for (key, raw) in fields.iter().filter(|(_, raw)| !json::is_null(raw)) {
            let outcome = match keys::read(key, mode) {
                Key::Other => Ok(()),
                Key::Whole(reason) => return self.map.skip(provider, name, reason),
                Key::Unsupported(reason) => Err(reason.to_owned()),
                Key::Search => search(raw).map(|usd| sheet.tools.push((Meter::WebSearch, usd))),
                Key::Tool(meter, scale) => {
                    number::rate(raw.get(), scale).map(|usd| sheet.tools.push((meter, usd)))
                }
                Key::Regional => {
                    number::rate(raw.get(), Scale::SAME).and_then(|factor| sheet.regional(factor))
                }
                Key::Rate(place) => {
                    number::rate(raw.get(), place.scale).and_then(|usd| sheet.add(key, place, usd))
                }
            };
            if let Err(reason) = outcome {
                self.map.skip(provider, name, format!("`{key}`: {reason}"));
            }
        }
        let place = (provider, name.to_owned());
        match sheet.finish(provider, name, mode == "embedding") {
            Ok((model, notes)) => {
                for note in notes {
                    self.map.skip(provider, name, note);
                }
                match self.models.get(&place) {
                    Some(other) if other.lines == model.lines => {}
                    Some(_) => {
                        self.map.skip(
                            provider,
                            name,
                            "listed twice with different prices; the first ones are used",
                        );
                    }
                    None => {
                        self.models.insert(place, model);
                    }
                }
            }
            Err(reason) => self.map.skip(provider, name, reason),
        }
    }

    fn finish(mut self) -> PriceMap {
        for ((provider, name), sizes) in std::mem::take(&mut self.sizes) {
            let per_image = |(variant, usd): (String, Decimal)| {
                Rate::new(Meter::Images, Some(&variant), usd, Origin::Listed)
            };
            let has_tokens =
                |model: &ForeignModel| model.lines.iter().any(|line| has_tokens(line.rates.iter()));
            let place = (provider, name.clone());
            if self.models.get(&place).is_some_and(has_tokens) {
                let count = sizes.len();
                self.map.skip(
                    provider,
                    &name,
                    format!("{count} prices by image size: the model is already billed by tokens"),
                );
                continue;
            }
            let mut rates: Vec<Rate> = sizes.into_iter().map(per_image).collect();
            rates.sort_by(|a, b| a.variant.cmp(&b.variant));
            rates.dedup_by(|a, b| a.variant == b.variant);
            // The model's own key has one rate for all sizes. The rates by size replace it.
            self.models.insert(place, model_of(provider, &name, rates.into_iter().collect()));
        }
        self.map.models = self.models.into_values().collect();
        self.map
    }
}

fn model_of(provider: &str, name: &str, rates: Rates) -> ForeignModel {
    let line =
        ForeignLine { tier: Tier::Standard, period: Period::default(), hours: None, rates, long: None };
    ForeignModel {
        provider: provider.to_owned(),
        name: name.to_owned(),
        aliases: Vec::new(),
        embedding: false,
        long_context_over: None,
        regional: None,
        lines: vec![line],
    }
}

/// The rate of a web search. Fails if it depends on the size of the search context.
fn search(raw: Raw<'_>) -> Result<Decimal, String> {
    let sizes = json::object(raw).ok_or("not an object")?;
    let rates = sizes.values().map(|raw| number::rate(raw.get(), Scale::THOUSAND));
    let rates = rates.collect::<Result<BTreeSet<Decimal>, String>>()?;
    match (rates.len(), rates.first()) {
        (1, Some(rate)) => Ok(*rate),
        _ => Err("the price depends on the size of the context, which is not reported".to_owned()),
    }
}

fn has_tokens<'r>(mut rates: impl Iterator<Item = &'r Rate>) -> bool {
    rates.any(|rate| rate.meter.is_tokens() && !rate.usd.is_zero())
}

type Cell = (Tier, Option<u64>, Meter, Option<&'static str>);

/// The rates of one model while they are read.
#[derive(Default)]
struct Sheet {
    /// The rate and the key that states it, by tier, threshold, meter and variant.
    rates: BTreeMap<Cell, (Decimal, String)>,
    tools: Vec<(Meter, Decimal)>,
    thresholds: BTreeSet<u64>,
    regional: Option<Decimal>,
}

impl Sheet {
    fn add(&mut self, key: &str, place: keys::Place, usd: Decimal) -> Result<(), String> {
        self.thresholds.extend(place.over);
        let at = (place.tier, place.over, place.meter, place.variant);
        if let Some((other, other_key)) = self.rates.get(&at)
            && *other != usd
            && !usd.is_zero()
            && !other.is_zero()
        {
            // If two keys have the same meter, the price of the output is used, because the output is billed.
            if key.starts_with("output") {
                let message = format!("replaces `{other_key}`, which prices the same usage");
                self.rates.insert(at, (usd, key.to_owned()));
                return Err(message);
            }
            return Err(format!("`{other_key}` prices the same usage"));
        }
        let entry = self.rates.entry(at).or_insert_with(|| (usd, key.to_owned()));
        if entry.0.is_zero() {
            *entry = (usd, key.to_owned());
        }
        Ok(())
    }

    fn regional(&mut self, factor: Decimal) -> Result<(), String> {
        match self.regional.replace(factor) {
            Some(other) if other != factor => {
                Err("the factor differs from that of another region".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Returns the model with notes on skipped prices, or the reason why the book cannot represent the model.
    fn finish(
        self,
        provider: &str,
        name: &str,
        embedding: bool,
    ) -> Result<(ForeignModel, Vec<String>), String> {
        let Self { rates, tools, thresholds, regional } = self;
        let threshold = one_threshold(&thresholds)?;
        let mut notes = Vec::new();
        let mut lines = Vec::new();
        for tier in Tier::ALL {
            let side = |long: bool| -> Vec<Rate> {
                let own = rates.iter().filter(|((at, over, ..), _)| *at == tier && over.is_some() == long);
                let rate = |(&(_, _, meter, variant), (usd, _)): (&Cell, &(Decimal, _))| {
                    Rate::new(meter, variant, *usd, Origin::Listed)
                };
                own.map(rate).collect()
            };
            let (mut short, mut long) = (side(false), side(true));
            if embedding {
                // Embeddings have no output tokens; the map states a zero for them.
                let is_empty_output =
                    |rate: &Rate| rate.meter == Meter::Tokens(Bucket::Output) && rate.usd.is_zero();
                short.retain(|rate| !is_empty_output(rate));
                long.retain(|rate| !is_empty_output(rate));
            }
            if short.is_empty() {
                if !long.is_empty() {
                    notes.push(format!("{tier} rates of long prompts without those of short ones"));
                }
                continue;
            }
            if has_tokens(short.iter()) {
                for rates in [&mut short, &mut long] {
                    rates.retain(|rate| {
                        let meter = rate.meter;
                        if !meter.is_tokens() {
                            notes.push(format!("a {tier} rate of {} beside rates of tokens", meter.name()));
                        }
                        meter.is_tokens()
                    });
                }
            }
            notes.extend(variants_only(&mut short));
            for (meter, usd) in &tools {
                for rates in [&mut short, &mut long] {
                    if !rates.is_empty() && !rates.iter().any(|rate| rate.meter == *meter) {
                        rates.push(Rate::new(*meter, None, *usd, Origin::Listed));
                    }
                }
            }
            let has_long = !long.is_empty();
            let (rates, long) = (short.into_iter().collect(), has_long.then(|| long.into_iter().collect()));
            lines.push(ForeignLine { tier, period: Period::default(), hours: None, rates, long });
        }
        if lines.is_empty() {
            let reason = if tools.is_empty() {
                "has no rate that the book can represent"
            } else {
                "has only a price of tool calls: add it as a [[fee]] of the provider"
            };
            return Err(reason.to_owned());
        }
        let long_context_over = threshold.filter(|_| lines.iter().any(|line| line.long.is_some()));
        let model = model_of(provider, name, Rates::default());
        Ok((ForeignModel { embedding, long_context_over, regional, lines, ..model }, notes))
    }
}

/// Removes the rate for all kinds of a meter that also has rates by kind: the book accepts only one of the two.
fn variants_only(rates: &mut Vec<Rate>) -> Option<String> {
    let by_kind: BTreeSet<Meter> =
        rates.iter().filter(|rate| rate.variant.is_some()).map(|rate| rate.meter).collect();
    let before = rates.len();
    rates.retain(|rate| rate.variant.is_some() || !by_kind.contains(&rate.meter));
    let meter = by_kind.first().filter(|_| rates.len() < before)?;
    Some(format!("the rate of {} without a resolution, beside rates by resolution", meter.name()))
}
