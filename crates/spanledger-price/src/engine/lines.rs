//! Computes the lines of a cost from rates and a usage.

use std::borrow::Cow;

use rust_decimal::Decimal;
use spanledger_event::{Bucket, CostLine, Timestamp, UnpricedReason, Usage, Usd, limits::COST_USD_MAX};

use super::{rates::is_one_of, unpriced::Unpriced};
use crate::{
    Discount, Meter, Tier,
    book::{Model, Provider, Rates},
};

/// Everything that decides the rates of the lines.
pub(super) struct Rating<'b> {
    pub(super) provider: &'b Provider,
    /// The name under which the call was made, which can be that of a channel.
    pub(super) name: &'b str,
    pub(super) model: &'b Model,
    pub(super) tier: Tier,
    pub(super) rates: &'b Rates,
    /// The factor of the region, and its label.
    pub(super) regional: Option<(Decimal, &'b str)>,
    pub(super) discount: Option<&'b Discount>,
    pub(super) at: Timestamp,
}

impl Rating<'_> {
    /// Whether output that is reported as text may be images. A model that makes images reports them in the
    /// breakdown of its usage. Without a breakdown, the cheaper rate of text would be a guess.
    fn may_be_images(&self, usage: &Usage) -> bool {
        let rate = |bucket| self.rates.get(Meter::Tokens(bucket));
        usage.tokens(Bucket::ImageOutput) == 0
            && rate(Bucket::ImageOutput)
                .is_some_and(|images| rate(Bucket::Output).is_some_and(|text| text < images))
    }

    /// The rate of one kind of token.
    pub(super) fn token_rate(&self, bucket: Bucket) -> Option<Decimal> {
        self.rate(Meter::Tokens(bucket), None).map(|(rate, _)| rate)
    }

    /// The rate of a meter, and its unit with the labels of the factors that the rate contains.
    fn rate(&self, meter: Meter, variant: Option<&str>) -> Option<(Decimal, Cow<'static, str>)> {
        let (mut rate, is_fee, negotiated) = match self.rates.find(meter, variant) {
            Some(rate) => (rate.usd, false, rate.is_negotiated()),
            None => {
                let fee = self.provider.fee(meter, self.model.name(), self.at)?;
                if is_one_of(self.name, fee.not_priced_for()) {
                    return None;
                }
                (fee.usd(), true, fee.is_negotiated())
            }
        };
        let mut unit = Cow::Borrowed(meter.unit());
        if let Some((factor, label)) = self.regional.filter(|_| !is_fee && meter.is_tokens()) {
            rate = rate.checked_mul(factor)?;
            unit = format!("{unit}, {label}").into();
        }
        // A discount applies to list prices only; a negotiated rate is final.
        if let Some(discount) = self.discount.filter(|_| !negotiated) {
            rate = rate.checked_mul(discount.factor)?.normalize();
            unit = format!("{unit}, {}", discount.label).into();
        }
        Some((rate, unit))
    }
}

/// The total and the lines of a usage, or an error that names the quantities without a rate.
pub(super) fn cost_lines(rating: &Rating<'_>, usage: &Usage) -> Result<(Usd, Vec<CostLine>), Unpriced> {
    /// Typical calls have input, cached input, output and reasoning.
    const LINES_TYPICAL: usize = 4;
    let mut sum =
        Sum { lines: Vec::with_capacity(LINES_TYPICAL), total: Usd::ZERO, without_rate: Vec::new() };
    for bucket in Bucket::ALL {
        let tokens = usage.tokens(bucket);
        if bucket == Bucket::Output && tokens > 0 && rating.may_be_images(usage) {
            let output = format!("output ({tokens}) of which the usage does not say how much is images");
            sum.without_rate.push(output);
        } else if tokens > 0 {
            sum.add(rating, Meter::Tokens(bucket), tokens.into(), None)?;
        }
    }
    for meter in Meter::UNITS.into_iter().filter(|_| usage.has_units()) {
        let quantity = meter.quantity(usage);
        if !quantity.is_zero() {
            sum.add(rating, meter, quantity, usage.variant.as_deref())?;
        }
    }
    // The provider bills a unit even if there is no meter for it, so that the call has no price.
    for (name, quantity) in &usage.units {
        if !quantity.is_zero() && !Meter::from_name(name).is_some_and(Meter::is_in_units) {
            sum.without_rate.push(format!("{name} ({quantity})"));
        }
    }
    let Sum { lines, total, without_rate } = sum;
    if total.is_beyond_a_charge() {
        // The lines are not shown: they would look like a cost.
        return Err(beyond_a_charge(&format!("the cost is {total} USD")));
    }
    if without_rate.is_empty() {
        return Ok((total, lines));
    }
    let detail =
        format!("{} has no {} rate for {}", rating.model.name(), rating.tier, without_rate.join(", "));
    Err(Unpriced { reason: UnpricedReason::NoRateForModality, detail, lines })
}

fn beyond_a_charge(what: &str) -> Unpriced {
    Unpriced::new(UnpricedReason::OutOfRange, format!("{what}: one call costs at most {COST_USD_MAX} USD"))
}

/// The sum of the lines so far.
struct Sum {
    lines: Vec<CostLine>,
    total: Usd,
    /// Descriptions of the quantities that have no rate.
    without_rate: Vec<String>,
}

impl Sum {
    fn add(
        &mut self,
        rating: &Rating<'_>,
        meter: Meter,
        quantity: Decimal,
        variant: Option<&str>,
    ) -> Result<(), Unpriced> {
        let Some((rate, unit)) = rating.rate(meter, variant) else {
            let known = rating.rates.variants(meter).collect::<Vec<_>>().join(", ");
            self.without_rate.push(match (variant, known.as_str()) {
                (_, "") => format!("{} ({quantity})", meter.name()),
                (Some(used), _) => format!("{} ({quantity}) of `{used}`, only for {known}", meter.name()),
                (None, _) => format!("{} ({quantity}) of an unknown kind, only for {known}", meter.name()),
            });
            return Ok(());
        };
        if quantity.is_sign_negative() {
            let detail = format!("`{}` is {quantity}: a count is not negative", meter.name());
            return Err(Unpriced::new(UnpricedReason::ContradictoryUsage, detail));
        }
        let usd = meter.cost(quantity, rate);
        let usd = usd.ok_or_else(|| beyond_a_charge(&format!("{quantity} {} cost more", meter.name())))?;
        self.total = self.total + usd;
        self.lines.push(CostLine { kind: Cow::Borrowed(meter.name()), quantity, unit, rate, usd });
        Ok(())
    }
}
