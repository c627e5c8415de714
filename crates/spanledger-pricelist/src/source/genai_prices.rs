//! Reads the data file of genai-prices: providers with models, whose prices may have dates and hours.

mod condition;
mod keys;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    ForeignLine, ForeignModel, GENAI, ImportError, PriceMap,
    json::{self, Object, Raw},
    not_imported, one_threshold,
};
use condition::{Precedence, Span};
use spanledger_price::{Meter, Rate, Rates, Tier};

/// The file's ids of providers, each with the name in the book.
const PROVIDERS: [(&str, &str); 8] = [
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("google", "gemini"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral"),
    ("x-ai", "xai"),
    ("groq", "groq"),
    ("cohere", "cohere"),
];

/// Reads `prices/data.json` or `prices/new_data/v2/data.json`.
///
/// A price with a start date or with hours of the day becomes a separate line. Variants for batch, flex and
/// priority (`fast`) become tiers. A tier gets only the rates that its variant states, because rates that the
/// variant inherits from the standard price are not published for the tier. Prices of tool calls are the same
/// in all tiers. Names that a model matches exactly become its aliases.
///
/// # Errors
///
/// Fails if the text is not JSON or is a file of another kind.
pub fn genai_prices(json: &str) -> Result<PriceMap, ImportError> {
    let raw = json::document(json)?;
    let object = json::object(raw);
    let list = match &object {
        Some(file) if file.contains_key("providers") => Some(json::items(file, "providers")),
        Some(_) => None,
        None => json::list(raw),
    };
    let wrong = |found, remedy| ImportError::WrongFile { expected: GENAI, found, remedy };
    let Some(list) = list else {
        let models = object.iter().flat_map(BTreeMap::values).filter_map(|raw| json::object(raw));
        let is_litellm = models.take(3).any(|model| model.contains_key("litellm_provider"));
        return Err(match (is_litellm, object.is_some()) {
            (true, _) => wrong("LiteLLM's price map", "read it as litellm"),
            (false, true) => wrong("an object without `providers`", "use prices/data.json, not its schema"),
            (false, false) => wrong("a single value", "use prices/data.json"),
        });
    };
    let mut reader = FileReader::default();
    for raw in &list {
        let provider = json::object(raw).filter(|provider| provider.contains_key("models"));
        let Some(provider) = provider else {
            return Err(wrong("a list whose items have no `models`", "use prices/data.json"));
        };
        reader.provider(&provider);
    }
    if reader.models == 0 {
        return Err(ImportError::Empty { expected: GENAI });
    }
    Ok(reader.map)
}

/// The state of reading the file.
#[derive(Default)]
struct FileReader {
    models: usize,
    map: PriceMap,
}

impl FileReader {
    fn provider(&mut self, fields: &Object<'_>) {
        let id = json::text(fields, "id").unwrap_or_default();
        let ours = PROVIDERS.iter().find(|(name, _)| *name == id).map(|(_, ours)| *ours);
        let models = json::items(fields, "models");
        self.models += models.len();
        for raw in models {
            let model = json::object(raw).unwrap_or_default();
            let name = json::text(&model, "id").unwrap_or_default();
            match ours {
                _ if name.is_empty() => self.map.skip(&id, "?", "a model without an id"),
                Some(ours) => match self.model(ours, &name, &model) {
                    Ok(model) => self.map.models.push(model),
                    Err(reason) => self.map.skip(ours, &name, reason),
                },
                None => self.map.skip(&id, &name, not_imported(&id)),
            }
        }
    }

    fn model(&mut self, provider: &str, name: &str, fields: &Object<'_>) -> Result<ForeignModel, String> {
        let mut names = Vec::new();
        let mut patterns = false;
        if let Some(matcher) = fields.get("match") {
            matches(matcher, &mut names, &mut patterns);
        }
        if patterns {
            self.map.skip(provider, name, "names that match a pattern: only exact names are imported");
        }
        names.retain(|alias| alias != name);
        names.sort_unstable();
        names.dedup();

        let mut sheet = keys::Sheet::default();
        let mut lines = self.standard(provider, name, fields, &mut sheet)?;
        let last = lines.iter().rev().find(|line| line.hours.is_none()).map(|line| line.rates.clone());
        let tools: Vec<Rate> =
            last.iter().flat_map(Rates::iter).filter(|rate| is_tool(rate.meter)).cloned().collect();
        let mut variants = self.variants(provider, name, fields, &mut sheet);
        for line in &mut variants {
            for rates in [Some(&mut line.rates), line.long.as_mut()].into_iter().flatten() {
                let missing = tools.iter().filter(|tool| !rates.iter().any(|rate| rate.meter == tool.meter));
                *rates = rates.iter().chain(missing).cloned().collect();
            }
        }
        lines.append(&mut variants);
        for note in sheet.notes {
            self.map.skip(provider, name, note);
        }
        let long_context_over = one_threshold(&sheet.thresholds)?;
        if lines.is_empty() {
            return Err("has no rate that the book can represent".to_owned());
        }
        Ok(ForeignModel {
            provider: provider.to_owned(),
            name: name.to_owned(),
            aliases: names,
            embedding: crate::lint::is_embedding(name),
            long_context_over,
            regional: None,
            lines,
        })
    }

    /// The lines of the standard tier: one line, or one line for each start date and each range of hours.
    fn standard(
        &mut self,
        provider: &str,
        name: &str,
        fields: &Object<'_>,
        sheet: &mut keys::Sheet,
    ) -> Result<Vec<ForeignLine>, String> {
        let raw = fields.get("prices").ok_or("has no prices")?;
        let Some(list) = json::list(raw) else {
            let prices = json::object(raw).ok_or("prices that are neither an object nor a list")?;
            return Ok(sheet.line(&prices, Tier::Standard, Span::ALWAYS).into_iter().collect());
        };
        let mut read = Vec::new();
        for (index, raw) in list.into_iter().enumerate() {
            let conditional = json::object(raw).ok_or("a price that is no object")?;
            let constraint = conditional.get("constraint").and_then(|raw| json::object(raw));
            let mut span = Span::read(constraint.as_ref())?;
            if index == 0 && span.hours.is_none() {
                // The first price applies when the condition of no other price is met.
                span.from = None;
            }
            let prices =
                conditional.get("prices").and_then(|raw| json::object(raw)).ok_or("a price without rates")?;
            read.push((span, prices));
        }
        let spans =
            condition::resolve(&read.iter().map(|(span, _)| *span).collect::<Vec<_>>(), Precedence::Last);
        let mut lines = Vec::new();
        for ((_, prices), span) in read.iter().zip(spans) {
            match span {
                Ok(span) => lines.extend(sheet.line(prices, Tier::Standard, span)),
                Err(reason) => self.map.skip(provider, name, reason),
            }
        }
        Ok(lines)
    }

    /// The lines of the other tiers.
    fn variants(
        &mut self,
        provider: &str,
        name: &str,
        fields: &Object<'_>,
        sheet: &mut keys::Sheet,
    ) -> Vec<ForeignLine> {
        let mut by_tier: BTreeMap<(Tier, String), Vec<(Span, Object<'_>)>> = BTreeMap::new();
        for raw in json::items(fields, "price_variants") {
            let variant = json::object(raw).unwrap_or_default();
            let when = variant.get("when").map(|raw| raw.get()).unwrap_or_default();
            let prices = variant.get("prices").and_then(|raw| json::object(raw)).unwrap_or_default();
            let constraint = variant.get("constraint").and_then(|raw| json::object(raw));
            match (tier(&variant), Span::read(constraint.as_ref())) {
                // The variant `default` states no prices: it is the standard tier.
                _ if prices.is_empty() => {}
                (Some((tier, word)), Ok(span)) => {
                    by_tier.entry((tier, word)).or_default().push((span, prices));
                }
                (None, _) => {
                    self.map.skip(provider, name, format!("prices when {when}: no tier of the book"));
                }
                (_, Err(reason)) => self.map.skip(provider, name, format!("prices when {when}: {reason}")),
            }
        }
        let mut lines: Vec<ForeignLine> = Vec::new();
        let mut done: Option<Tier> = None;
        // If two words mean one tier, the alphabetically last one is used: responses say `priority`, not `fast`.
        for ((tier, word), read) in by_tier.into_iter().rev() {
            let spans = condition::resolve(
                &read.iter().map(|(span, _)| *span).collect::<Vec<_>>(),
                Precedence::First,
            );
            let mut own = Vec::new();
            for ((_, prices), span) in read.iter().zip(spans) {
                match span {
                    Ok(span) => own.extend(sheet.line(prices, tier, span)),
                    Err(reason) => self.map.skip(provider, name, reason),
                }
            }
            if done == Some(tier) {
                let same = own.iter().all(|line| lines.contains(line));
                if !same {
                    self.map.skip(
                        provider,
                        name,
                        format!("prices when `{word}`: another word for {tier} has different prices"),
                    );
                }
                continue;
            }
            done = Some(tier);
            lines.extend(own);
        }
        lines
    }
}

/// Whether the meter counts calls of a tool, which cost the same in every tier.
fn is_tool(meter: Meter) -> bool {
    matches!(meter, Meter::WebSearch | Meter::FileSearch)
}

/// The tier of a variant and the word that the file uses for it.
fn tier(variant: &Object<'_>) -> Option<(Tier, String)> {
    let when = variant.get("when").and_then(|raw| json::object(raw))?;
    let (key, value) = when.first_key_value().filter(|_| when.len() == 1)?;
    let value = json::string(value)?;
    let tier = match (key.as_str(), value.as_str()) {
        ("processing", "batch") => Tier::Batch,
        ("service_tier", "flex") => Tier::Flex,
        ("service_tier", "priority" | "fast") | ("speed", "fast") => Tier::Priority,
        ("service_tier", "default" | "standard") => Tier::Standard,
        _ => return None,
    };
    // A variant of the standard tier would be a second standard price.
    (tier != Tier::Standard).then_some((tier, value))
}

/// Collects the names that a matcher matches exactly, and sets `patterns` if it also has patterns.
fn matches(matcher: Raw<'_>, names: &mut Vec<String>, patterns: &mut bool) {
    /// The pattern of dated names. It is ignored, because the book recognizes dated names itself.
    const DATED: &str = r"-\d{4}-\d{2}-\d{2}$";
    for (kind, raw) in json::object(matcher).unwrap_or_default() {
        match kind.as_str() {
            "equals" => names.extend(json::string(raw)),
            "or" => {
                json::list(raw).unwrap_or_default().into_iter().for_each(|raw| matches(raw, names, patterns));
            }
            "regex" if json::string(raw).is_some_and(|regex| regex.ends_with(DATED)) => {}
            _ => *patterns = true,
        }
    }
}
