//! Prices one call and explains the cost.

use std::{io::Read as _, path::Path, process::ExitCode};

use anyhow::Context as _;
use spanledger_event::{Timestamp, UnpricedReason};
use spanledger_price::{PriceBook, PriceQuery, Provider, usage::UsageReadError};

use super::{
    Input,
    answer::{self, Explanation},
    call::Call,
};
use crate::{
    args::{PriceArguments, PriceFormat},
    prices,
    render::parts::list,
    terminal,
};

/// The greatest size of the input. A usage object is far smaller.
const USAGE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn run(arguments: &PriceArguments, book: &PriceBook, at: Timestamp) -> anyhow::Result<ExitCode> {
    let path = arguments.usage.as_deref().context("--usage is missing")?;
    let (name, text) = read(path)?;
    let call = Call {
        provider: arguments.provider.clone(),
        model: arguments.model.clone(),
        endpoint: arguments.endpoint,
        service_tier: None,
        region: None,
        at,
        usage: Some(text.as_str()).filter(|text| text.trim() != "null"),
    };
    let mut call = call.resolve();
    // Text that is not a usage object is an error of the command, not an unpriced call.
    if let Some(UsageReadError::NotJson(_) | UsageReadError::NotAUsage(_)) = call.resolved.problem
        && let Some(error) = call.resolved.problem.take()
    {
        return Err(anyhow::Error::new(error).context(name));
    }
    let mut query = call.query();
    // The options override the tier and the region that the usage names.
    query.service_tier = arguments.service_tier.as_deref().or(query.service_tier);
    query.region = arguments.region.as_deref().or(query.region);
    let cost = book.price(&query);
    let basis = book.basis(&query);
    let implied = book.implied_usage(&query);
    let explanation = Explanation {
        query: &query,
        cost: &cost,
        basis: basis.as_ref(),
        usage: implied.as_ref().or(query.usage),
        unrecognized_counts: &call.resolved.unrecognized_counts,
    };
    terminal::data(&match arguments.format {
        PriceFormat::Table => answer::table(&explanation),
        PriceFormat::Json => answer::json(&explanation)?,
    })?;
    if let Some(hint) = hint(book, &query, cost.reason) {
        terminal::say(format_args!("hint: {hint}"));
    }
    Ok(if cost.usd.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Suggests what the user may have meant, or names what the book has.
fn hint(book: &PriceBook, query: &PriceQuery<'_>, reason: Option<UnpricedReason>) -> Option<String> {
    let provider = book.provider(query.provider);
    match reason? {
        UnpricedReason::UnknownModel => {
            let Some(provider) = provider else {
                return Some(prices::unknown_provider(book, query.provider).to_string());
            };
            let name = query.response_model.unwrap_or_default();
            let has = |other: &&Provider| other.name() != provider.name() && other.model(name).is_some();
            let others: Vec<&str> = book.providers().iter().filter(has).map(Provider::name).collect();
            if let Some(first) = others.first() {
                let verb = if others.len() == 1 { "has" } else { "have" };
                return Some(format!("{} {verb} it: --provider {first}", list(&others, "and")));
            }
            let similar = prices::similar_models(&[provider], name);
            Some(if similar.is_empty() {
                "`spanledger prices list` shows the models that have a price".to_owned()
            } else {
                format!("did you mean {}?", list(similar, "or"))
            })
        }
        UnpricedReason::NoRateForTier => {
            let provider = provider?;
            let is_unknown = |word: &str| !word.is_empty() && provider.tier(word).is_none();
            if query.service_tier.is_some_and(is_unknown) {
                let words = list(provider.tier_words(), "and");
                return Some(format!("the service tiers of {} are {words}", provider.name()));
            }
            let region = query.region.filter(|region| !region.is_empty())?;
            let rule = provider.regional()?;
            let mut known = rule.regions().chain(rule.no_surcharge().iter().map(String::as_str));
            if known.any(|known| known.eq_ignore_ascii_case(region)) {
                return None;
            }
            let neutral = list(rule.no_surcharge().iter().map(String::as_str), "and");
            let neutral = if neutral.is_empty() { neutral } else { format!("; {neutral} has no surcharge") };
            let regions = list(rule.regions(), "and");
            Some(format!("the regions of {} are {regions}{neutral}", provider.name()))
        }
        _ => None,
    }
}

/// Reads the input. Returns its name and its text.
fn read(path: &Path) -> anyhow::Result<(String, String)> {
    let Input { name, reader, .. } = super::open(path)?;
    let mut text = String::new();
    let length = reader.take(USAGE_BYTES_MAX).read_to_string(&mut text);
    let length = length.with_context(|| format!("{name} cannot be read"))?;
    anyhow::ensure!(
        u64::try_from(length)? < USAGE_BYTES_MAX,
        "{name} has a megabyte or more: give only the usage object, or use --batch for a file of many calls"
    );
    Ok((name, text))
}
