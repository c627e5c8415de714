//! The engine: a question in, a cost out.

mod basis;

use std::borrow::Cow;

use rust_decimal::Decimal;
use spanledger_event::{Bucket, Cost, CostLine, Endpoint, Timestamp, UnpricedReason, Usage, Usd};

use crate::{
    Discount, Meter, PriceBook, Tier,
    book::{Model, Price, Provider, Rates},
};
pub use basis::Basis;

/// What was called, when, and what it used.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriceQuery<'a> {
    /// Who bills: `openai`, `azure.ai.openai`, …
    pub provider: &'a str,
    /// The model that was asked for; used where the response names none.
    pub model: Option<&'a str>,
    /// The model that answered. It is the one that is billed.
    pub response_model: Option<&'a str>,
    /// The API that was called; [`Endpoint::Batch`] is billed by the batch tier.
    pub endpoint: Endpoint,
    /// The tier that served the call, in the provider's word; absent means the standard one.
    pub service_tier: Option<&'a str>,
    /// The region of processing, where it changes the price: `eu`, `us`, …
    pub region: Option<&'a str>,
    /// The start of the call, whose prices apply.
    pub at: Timestamp,
    /// What was used, if the provider said so.
    pub usage: Option<&'a Usage>,
    /// Why a usage that was sent could not be read.
    pub usage_problem: Option<&'a str>,
    /// Whether the call failed before the model ran. It is free unless a usage says otherwise.
    pub failed: bool,
}

/// Why there is no price, in one word and in a sentence, and what is known nevertheless.
struct Unpriced {
    reason: UnpricedReason,
    detail: String,
    lines: Vec<CostLine>,
}

impl Unpriced {
    fn new(reason: UnpricedReason, detail: String) -> Self {
        Self { reason, detail, lines: Vec::new() }
    }
}

impl PriceBook {
    /// The exact cost of a call, or why it has none.
    ///
    /// A pure function: no clock, no I/O, the same answer for ever. A price that is known only in
    /// part is no price: the total is `None` and the lines show the known part.
    pub fn price(&self, question: &PriceQuery<'_>) -> Cost {
        let (usd, reason, detail, lines) = match self.answer(question) {
            Ok((usd, lines)) => (Some(usd), None, None, lines),
            Err(Unpriced { reason, detail, lines }) => (None, Some(reason), Some(detail), lines),
        };
        Cost { usd, reason, detail, lines, price_version: self.version.clone(), priced_at: question.at }
    }

    fn answer(&self, question: &PriceQuery<'_>) -> Result<(Usd, Vec<CostLine>), Unpriced> {
        // Gateways send zeros where they know no counts. Every billable call uses something, so such
        // a usage says nothing.
        let usage = question.usage.filter(|usage| !usage.is_empty());
        let is_reported = usage.is_some() || question.usage_problem.is_some();
        if question.failed && !is_reported || usage.is_none() && self.is_free(question) {
            return Ok((Usd::ZERO, Vec::new()));
        }
        if let Some(problem) = question.usage_problem {
            return Err(Unpriced::new(UnpricedReason::ContradictoryUsage, problem.to_owned()));
        }
        let Some(usage) = usage else {
            let detail = if question.usage.is_some() {
                "every count of the usage is zero, so it does not say what the call used"
            } else {
                "the provider reported no usage; a stream needs stream_options.include_usage"
            };
            return Err(Unpriced::new(UnpricedReason::NoUsage, detail.to_owned()));
        };
        let provider = self.provider(question.provider).ok_or_else(|| {
            let detail = format!("the book has no provider `{}`", question.provider);
            Unpriced::new(UnpricedReason::UnknownModel, detail)
        })?;
        let model = resolve(provider, question)?;
        if model.is_free() && model.prices().is_empty() {
            return Ok((Usd::ZERO, Vec::new()));
        }
        let usage = &*with_implied_searches(model, question.endpoint, usage);
        let tier = tier(provider, question)?;
        let rates = rates(model, tier, question.at, usage)?;
        let regional = regional(provider, model, question)?;
        let discount = provider.discount(model, tier, question.at);
        lines(&Bill { provider, model, tier, rates, regional, discount, at: question.at }, usage)
    }

    /// The usage of a call with the web searches that each call of its model makes, although no answer
    /// counts them. `None` where there is nothing to add. [`price`](Self::price) bills them.
    pub fn implied_usage(&self, question: &PriceQuery<'_>) -> Option<Usage> {
        let usage = question.usage.filter(|usage| !usage.is_empty())?;
        let model = resolve(self.provider(question.provider)?, question).ok()?;
        match with_implied_searches(model, question.endpoint, usage) {
            Cow::Borrowed(_) => None,
            Cow::Owned(usage) => Some(usage),
        }
    }

    /// Whether the model that answered bills nothing, so that a missing usage does not matter.
    fn is_free(&self, question: &PriceQuery<'_>) -> bool {
        self.provider(question.provider).is_some_and(|provider| {
            resolve(provider, question).is_ok_and(|m| m.is_free() && m.prices().is_empty())
        })
    }
}

/// The models that search at each call are served by Chat Completions alone, so an endpoint that is
/// not known is that one.
fn with_implied_searches<'u>(model: &Model, endpoint: Endpoint, usage: &'u Usage) -> Cow<'u, Usage> {
    let is_chat = matches!(endpoint, Endpoint::Chat | Endpoint::Other);
    if is_chat && usage.web_search_calls < model.searches_per_call() {
        let mut usage = usage.clone();
        usage.web_search_calls = model.searches_per_call();
        return Cow::Owned(usage);
    }
    Cow::Borrowed(usage)
}

/// The model that answered, or where the response names none, the one that was asked for. An
/// unknown answer is not billed as the model that was asked for: a fallback may have another price.
fn resolve<'b>(provider: &'b Provider, question: &PriceQuery<'_>) -> Result<&'b Model, Unpriced> {
    let unknown = |detail| Unpriced::new(UnpricedReason::UnknownModel, detail);
    let named = question.response_model.filter(|name| !name.is_empty()).or(question.model);
    let name =
        named.ok_or_else(|| unknown("neither the response nor the request names a model".to_owned()))?;
    let model = provider
        .model(name)
        .ok_or_else(|| unknown(format!("the book has no model `{name}` of {}", provider.name())))?;
    if is_one_of(question.provider, &model.unless) {
        let detail = format!(
            "{} has another price at {}, which the book does not have",
            model.name(),
            question.provider
        );
        return Err(unknown(detail));
    }
    Ok(model)
}

fn is_one_of(name: &str, names: &[String]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn tier(provider: &Provider, question: &PriceQuery<'_>) -> Result<Tier, Unpriced> {
    if question.endpoint == Endpoint::Batch {
        return Ok(Tier::Batch);
    }
    let Some(word) = question.service_tier.filter(|word| !word.is_empty()) else {
        return Ok(Tier::Standard);
    };
    provider.tier(word).ok_or_else(|| {
        let detail = format!("the book has no service tier `{word}` of {}", provider.name());
        Unpriced::new(UnpricedReason::NoRateForTier, detail)
    })
}

/// The rates of the moment, on the side of the long-context threshold where the prompt lies.
fn rates<'b>(model: &'b Model, tier: Tier, at: Timestamp, usage: &Usage) -> Result<&'b Rates, Unpriced> {
    let Some(price) = model.price(tier, at) else {
        let name = model.name();
        return Err(if model.prices().iter().any(|price| price.holds_at(at)) {
            let detail = format!("{name} has no {tier} rates at {at}");
            Unpriced::new(UnpricedReason::NoRateForTier, detail)
        } else {
            let first = model.prices().iter().filter_map(Price::from).filter(|from| at < *from).min();
            let first = first.map_or_else(String::new, |from| format!("; its next price is from {from}"));
            Unpriced::new(UnpricedReason::NoPriceAtThatTime, format!("{name} has no price at {at}{first}"))
        });
    };
    match model.long_context_over() {
        // Strictly more, and the whole request: no part of it keeps the short rates.
        Some(over) if usage.prompt_tokens() > over && !price.is_flat() => price.long().ok_or_else(|| {
            let detail = format!(
                "{} publishes no {tier} rates for prompts of over {over} tokens (this one has {})",
                model.name(),
                usage.prompt_tokens()
            );
            Unpriced::new(UnpricedReason::NoRateForTier, detail)
        }),
        _ => Ok(price.rates()),
    }
}

/// The factor of a region and its words on a line; `None` where the price does not change.
fn regional<'b>(
    provider: &'b Provider,
    model: &Model,
    question: &PriceQuery<'_>,
) -> Result<Option<(Decimal, &'b str)>, Unpriced> {
    let region = question.region.filter(|region| !region.is_empty());
    let (Some(region), Some(rule)) = (region, provider.regional()) else { return Ok(None) };
    let elsewhere = is_one_of(question.provider, &rule.unknown_for);
    if is_one_of(region, &rule.neutral) || !(model.is_regional() || elsewhere) {
        return Ok(None);
    }
    let known = rule.regions.iter().find(|(name, _)| name.eq_ignore_ascii_case(region));
    if let Some((_, label)) = known.filter(|_| !elsewhere) {
        return Ok(Some((rule.factor, label)));
    }
    let detail = format!(
        "the book has no rates of {} at {} for the region `{region}`",
        model.name(),
        question.provider
    );
    Err(Unpriced::new(UnpricedReason::NoRateForTier, detail))
}

/// Everything that decides the lines, beside the usage.
struct Bill<'b> {
    provider: &'b Provider,
    model: &'b Model,
    tier: Tier,
    rates: &'b Rates,
    regional: Option<(Decimal, &'b str)>,
    discount: Option<&'b Discount>,
    at: Timestamp,
}

impl Bill<'_> {
    /// Whether text stands where a model that makes images says nothing of images: a usage without
    /// a breakdown. Text is the cheaper one by far.
    fn may_be_images(&self, usage: &Usage) -> bool {
        let rate = |bucket| self.rates.get(Meter::Tokens(bucket));
        usage.tokens(Bucket::ImageOutput) == 0
            && rate(Bucket::ImageOutput)
                .is_some_and(|images| rate(Bucket::Output).is_some_and(|text| text < images))
    }

    /// The rate of a meter and the unit to show, which says what the rate contains.
    fn rate(&self, meter: Meter, variant: Option<&str>) -> Option<(Decimal, Cow<'static, str>)> {
        let (mut rate, is_fee, negotiated) = match self.rates.find(meter, variant) {
            Some(rate) => (rate.usd, false, rate.negotiated),
            None => {
                let fee = self.provider.fee(meter, self.model, self.at)?;
                (fee.usd(), true, fee.is_negotiated())
            }
        };
        let mut unit = Cow::Borrowed(meter.unit());
        if let Some((factor, label)) = self.regional.filter(|_| !is_fee && meter.is_tokens()) {
            rate = rate.checked_mul(factor)?;
            unit = format!("{unit}, {label}").into();
        }
        // What was agreed upon as a rate is not a list price.
        if let Some(discount) = self.discount.filter(|_| !negotiated) {
            rate = rate.checked_mul(discount.factor)?.normalize();
            unit = format!("{unit}, {}", discount.label).into();
        }
        Some((rate, unit))
    }
}

fn lines(bill: &Bill<'_>, usage: &Usage) -> Result<(Usd, Vec<CostLine>), Unpriced> {
    /// Ordinary calls have input, cached input, output and reasoning.
    const LINES_TYPICAL: usize = 4;
    let mut sum = Sum { lines: Vec::with_capacity(LINES_TYPICAL), total: Usd::ZERO, without: Vec::new() };
    for bucket in Bucket::ALL {
        let tokens = usage.tokens(bucket);
        if bucket == Bucket::Output && tokens > 0 && bill.may_be_images(usage) {
            sum.without.push(format!("output ({tokens}) of which the usage does not say how much is images"));
        } else if tokens > 0 {
            sum.add(bill, Meter::Tokens(bucket), tokens.into(), None)?;
        }
    }
    for meter in Meter::UNITS.into_iter().filter(|_| usage.has_units()) {
        let quantity = meter.quantity(usage);
        if !quantity.is_zero() {
            sum.add(bill, meter, quantity, usage.variant.as_deref())?;
        }
    }
    // A unit that a provider counts and this book has no word for is billed all the same.
    for (name, quantity) in &usage.units {
        if !quantity.is_zero() && !Meter::from_name(name).is_some_and(Meter::is_in_units) {
            sum.without.push(format!("{name} ({quantity})"));
        }
    }
    let Sum { lines, total, without } = sum;
    if without.is_empty() {
        return Ok((total, lines));
    }
    let detail = format!("{} has no {} rate for {}", bill.model.name(), bill.tier, without.join(", "));
    Err(Unpriced { reason: UnpricedReason::NoRateForModality, detail, lines })
}

/// A cost that grows.
struct Sum {
    lines: Vec<CostLine>,
    total: Usd,
    /// What has no rate.
    without: Vec<String>,
}

impl Sum {
    fn add(
        &mut self,
        bill: &Bill<'_>,
        meter: Meter,
        quantity: Decimal,
        variant: Option<&str>,
    ) -> Result<(), Unpriced> {
        let Some((rate, unit)) = bill.rate(meter, variant) else {
            let known = bill.rates.variants(meter).collect::<Vec<_>>().join(", ");
            self.without.push(match (variant, known.as_str()) {
                (_, "") => format!("{} ({quantity})", meter.name()),
                (Some(asked), _) => format!("{} ({quantity}) of `{asked}`, only for {known}", meter.name()),
                (None, _) => format!("{} ({quantity}) of an unknown kind, only for {known}", meter.name()),
            });
            return Ok(());
        };
        let usd = meter.cost(quantity, rate).filter(|_| quantity.is_sign_positive());
        let Some(usd) = usd else {
            let detail = format!("{quantity} {} is beyond any real call", meter.name());
            return Err(Unpriced::new(UnpricedReason::ContradictoryUsage, detail));
        };
        self.total = self.total + usd;
        self.lines.push(CostLine { kind: Cow::Borrowed(meter.name()), quantity, unit, rate, usd });
        Ok(())
    }
}
