//! `spanledger prices show`.

mod entries;
mod json;

use std::process::ExitCode;

use spanledger_event::Timestamp;
use spanledger_price::{Discount, Fee, Model, PriceBook, Provider, Source, Tier};

pub(super) use self::json::JsonRate;
use super::{moment, providers, suggest};
use crate::{
    args::{PriceFormat, ShowArguments},
    prices,
    render::parts::{field, list, period, quantity, rate},
    terminal,
};

/// A model of a provider, at one moment or with its whole history.
struct Shown<'b> {
    provider: &'b Provider,
    model: &'b Model,
    at: Option<Timestamp>,
}

impl<'b> Shown<'b> {
    /// Whether some of the model's rates are negotiated by the user.
    fn has_own(&self) -> bool {
        let prices = self.model.prices().iter().filter(|price| self.at.is_none_or(|at| price.holds_at(at)));
        prices
            .flat_map(|price| [Some(price.rates()), price.long()])
            .flatten()
            .any(|rates| rates.iter().any(|rate| rate.is_negotiated()))
    }

    /// The fees that apply to the model, at the moment or, without one, at any time.
    fn fees(&self) -> impl Iterator<Item = &'b Fee> {
        let (model, at) = (self.model.name(), self.at);
        let is_free = self.model.is_free();
        self.provider.fees().iter().filter(move |fee| {
            let then = at.or(fee.from()).unwrap_or_default();
            !is_free && fee.applies(fee.meter(), model, then)
        })
    }

    /// Whether the discount applies to at least one rate or fee that is not negotiated.
    fn is_listed(&self, discount: &Discount, tier: Tier) -> bool {
        let meets = |from: Option<Timestamp>, until: Option<Timestamp>| {
            let before = |end: Option<Timestamp>, start: Option<Timestamp>| {
                end.zip(start).is_some_and(|(end, start)| end <= start)
            };
            !before(until, discount.from()) && !before(discount.until(), from)
        };
        let of_tier = self.model.prices().iter().filter(|price| price.tier() == tier);
        let mut prices = of_tier.filter(|price| self.at.is_none_or(|at| price.holds_at(at)));
        prices.any(|price| {
            let mut rates = price.rates().iter().chain(price.long().into_iter().flat_map(|long| long.iter()));
            meets(price.from(), price.until()) && rates.any(|rate| !rate.is_negotiated())
        }) || self.fees().any(|fee| !fee.is_negotiated() && meets(fee.from(), fee.until()))
    }

    /// The discounts of the model, at the moment or, without one, at any time. A discount is left out if all
    /// rates and fees are negotiated, because it then changes nothing.
    fn discounts(&self) -> impl Iterator<Item = &'b Discount> + '_ {
        let (model, at) = (self.model.name(), self.at);
        self.provider.discounts().iter().filter(move |discount| {
            let then = at.or(discount.from()).unwrap_or_default();
            Tier::ALL
                .into_iter()
                .any(|tier| discount.applies(model, tier, then) && self.is_listed(discount, tier))
        })
    }
}

pub(super) fn run(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let book = prices::book(&arguments.book)?;
    let at = arguments.at.as_deref().map(|at| moment(Some(at))).transpose()?;
    let providers = providers(&book, arguments.provider.as_deref())?;
    let shown: Vec<Shown<'_>> = providers
        .iter()
        .filter_map(|provider| Some(Shown { provider, model: provider.model(&arguments.model)?, at }))
        .collect();
    if shown.is_empty() {
        return Err(suggest::unknown_model(&providers, &arguments.model));
    }
    terminal::data(&match arguments.format {
        PriceFormat::Table => table(&book, &shown),
        PriceFormat::Json => json::json(&book, &shown)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn table(book: &PriceBook, shown: &[Shown<'_>]) -> String {
    let models: Vec<String> = shown.iter().map(model).collect();
    format!("{}\n{}", models.join("\n\n"), field("price book", book.version()))
}

fn model(shown: &Shown<'_>) -> String {
    let Shown { provider, model, at } = shown;
    let mut text = field("model", model.name());
    text.push_str(&field("provider", provider.name()));
    let deployments = provider.deployments_of(model);
    for (label, names) in [
        ("aliases", model.aliases().iter().map(String::as_str).collect::<Vec<_>>()),
        ("snapshots", model.snapshots().iter().map(String::as_str).collect()),
        ("deployments", deployments),
    ] {
        if !names.is_empty() {
            text.push_str(&field(label, &names.join(", ")));
        }
    }
    if model.is_free() {
        text.push_str(&field("free", "calls cost nothing"));
    }
    if let Some(over) = model.long_context_over() {
        let over = quantity(over.into());
        let words = format!("the whole request has other rates when its prompt is over {over} tokens");
        text.push_str(&field("long prompts", &words));
    }
    if let Some(rule) = provider.regional().filter(|_| model.is_regional()) {
        let words = format!(
            "tokens cost ×{} when processed in {}",
            rule.factor().normalize(),
            list(rule.regions(), "or")
        );
        text.push_str(&field("regions", &words));
    }
    let entries = entries::of(model, *at);
    if entries.is_empty() && !model.is_free() {
        text.push_str("\nno price is in force at that moment\n");
    }
    for entry in &entries {
        text.push('\n');
        text.push_str(&entry.table(model));
    }
    let fees: Vec<&Fee> = shown.fees().collect();
    if !fees.is_empty() {
        text.push_str("\nfees\n");
    }
    for (index, fee) in fees.iter().enumerate() {
        let words = format!(
            "{} {} USD per {}, {}, read on {}",
            fee.meter().name(),
            rate(fee.usd()),
            fee.meter().unit(),
            period(fee.from(), fee.until()),
            fee.checked()
        );
        text.push_str(&field("", &words));
        // If consecutive fees have the same sources, the sources are shown once, after the last of these fees.
        if fees.get(index + 1).is_none_or(|next| next.sources() != fee.sources()) {
            text.push_str(&sources(fee.sources()));
        }
    }
    for discount in shown.discounts() {
        let tiers = list(discount.tiers(), "and");
        let words = format!(
            "{} % off{}{}, {}, read on {}",
            discount.percent().normalize(),
            if shown.has_own() { " list prices" } else { "" },
            if tiers.is_empty() { String::new() } else { format!(" in the tiers {tiers}") },
            period(discount.from(), discount.until()),
            discount.checked()
        );
        text.push('\n');
        text.push_str(&field("discount", &words));
        text.push_str(&sources(discount.sources()));
    }
    text
}

fn sources(sources: &[Source]) -> String {
    sources.iter().map(|source| field("", &format!("{}: {}", source.id, source.text))).collect()
}
