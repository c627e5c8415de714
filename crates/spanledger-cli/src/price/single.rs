//! One call.

use std::{io::Read as _, path::Path, process::ExitCode};

use anyhow::Context as _;
use spanledger_event::{Timestamp, UnpricedReason};
use spanledger_price::{
    PriceBook, PriceQuery, Provider,
    usage::{Answer as ProviderAnswer, UsageReadError, resolve},
};

use super::{
    Input,
    answer::{self, Answer},
};
use crate::{
    args::{PriceArguments, PriceFormat},
    prices,
    render::parts::list,
    terminal,
};

/// Far more than any usage object has.
const USAGE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn run(arguments: &PriceArguments, book: &PriceBook, at: Timestamp) -> anyhow::Result<ExitCode> {
    let path = arguments.usage.as_deref().context("--usage is missing")?;
    let text = read(path)?;
    let mut resolved = resolve(ProviderAnswer {
        provider: &arguments.provider,
        endpoint: arguments.endpoint,
        usage_json: Some(text.as_str()).filter(|text| text.trim() != "null"),
        ..ProviderAnswer::default()
    });
    // Where the text is not a usage at all, the command is wrong, not the call.
    if let Some(UsageReadError::NotJson(_) | UsageReadError::NotAUsage(_)) = resolved.problem
        && let Some(error) = resolved.problem.take()
    {
        let is_stdin = path.as_os_str() == "-";
        let place = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
        return Err(anyhow::Error::new(error).context(place));
    }
    let problem = resolved.problem.as_ref().map(UsageReadError::to_problem);
    // An option asks what the call costs in that tier or region, whatever its usage says.
    let question = PriceQuery {
        provider: &arguments.provider,
        response_model: arguments.model.as_deref(),
        endpoint: arguments.endpoint,
        service_tier: arguments.service_tier.as_deref().or(resolved.service_tier.as_deref()),
        region: arguments.region.as_deref().or(resolved.region.as_deref()),
        at,
        usage: resolved.usage.as_ref(),
        usage_problem: problem.as_deref(),
        ..PriceQuery::default()
    };
    let cost = book.price(&question);
    let basis = book.basis(&question);
    let implied = book.implied_usage(&question);
    let answer = Answer {
        question: &question,
        cost: &cost,
        basis: basis.as_ref(),
        usage: implied.as_ref().or(question.usage),
        unrecognized_counts: &resolved.unrecognized_counts,
    };
    terminal::data(&match arguments.format {
        PriceFormat::Table => answer::table(&answer),
        PriceFormat::Json => answer::json(&answer)?,
    })?;
    if let Some(hint) = hint(book, &question, cost.reason) {
        terminal::say(format_args!("hint: {hint}"));
    }
    Ok(if cost.usd.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What may have been meant, or what there is.
fn hint(book: &PriceBook, question: &PriceQuery<'_>, reason: Option<UnpricedReason>) -> Option<String> {
    let provider = book.provider(question.provider);
    match reason? {
        UnpricedReason::UnknownModel => {
            let Some(provider) = provider else {
                return Some(prices::unknown_provider(book, question.provider).to_string());
            };
            let name = question.response_model.unwrap_or_default();
            let has = |other: &&Provider| other.name() != provider.name() && other.model(name).is_some();
            let others: Vec<&str> = book.providers().iter().filter(has).map(Provider::name).collect();
            if let Some(first) = others.first() {
                let verb = if others.len() == 1 { "has" } else { "have" };
                return Some(format!("{} {verb} it: --provider {first}", list(&others, "and")));
            }
            let near = prices::similar(&[provider], name);
            Some(if near.is_empty() {
                "`spanledger prices list` shows the models that have a price".to_owned()
            } else {
                format!("did you mean {}?", list(near, "or"))
            })
        }
        UnpricedReason::NoRateForTier => {
            let provider = provider?;
            let is_unknown = |word: &str| !word.is_empty() && provider.tier(word).is_none();
            if question.service_tier.is_some_and(is_unknown) {
                let words = list(provider.tier_words(), "and");
                return Some(format!("the service tiers of {} are {words}", provider.name()));
            }
            let region = question.region.filter(|region| !region.is_empty())?;
            let rule = provider.regional()?;
            let mut known = rule.regions().chain(rule.neutral());
            if known.any(|known| known.eq_ignore_ascii_case(region)) {
                return None;
            }
            let neutral = list(rule.neutral(), "and");
            let neutral =
                if neutral.is_empty() { neutral } else { format!("; {neutral} costs what no region does") };
            let regions = list(rule.regions(), "and");
            Some(format!("the regions of {} are {regions}{neutral}", provider.name()))
        }
        _ => None,
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let Input { name, reader, .. } = super::open(path)?;
    let mut text = String::new();
    let length = reader.take(USAGE_BYTES_MAX).read_to_string(&mut text);
    let length = length.with_context(|| format!("{name} cannot be read"))?;
    anyhow::ensure!(
        u64::try_from(length)? < USAGE_BYTES_MAX,
        "{name} has a megabyte or more: give the usage object only, or --batch for a file of many calls"
    );
    Ok(text)
}
