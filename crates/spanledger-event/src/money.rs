//! Exact money.

use std::{fmt, iter::Sum, ops::Add, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::limits::COST_USD_MAX;

#[cfg(test)]
mod tests;

/// An exact amount of US dollars, a whole number of picodollars (10⁻¹² USD).
///
/// The unit is the last digit of `DECIMAL(24,12)`, the type that cost columns have at every sink.
/// The range is that of an `i128`: adding up amounts cannot overflow in practice (10²⁶ dollars).
/// In JSON it is a number literal; serialization never converts it to a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i128);

/// Digits after the decimal point.
const SCALE: u32 = Usd::SCALE;
const PICOS_PER_DOLLAR: i128 = 1_000_000_000_000;

impl Usd {
    /// Zero dollars, the cost of a call that failed before the model ran. An unknown cost is `None`, not
    /// zero.
    pub const ZERO: Self = Self(0);

    /// Digits after the decimal point.
    pub(crate) const SCALE: u32 = 12;

    /// An amount of picodollars.
    pub const fn from_picos(picos: i128) -> Self {
        Self(picos)
    }

    /// The amount in picodollars.
    pub const fn picos(self) -> i128 {
        self.0
    }

    /// Rounds once, half to even, to the twelfth decimal place.
    ///
    /// `None` when the amount does not fit `DECIMAL(24,12)`, that is from 10¹² dollars up.
    pub fn from_decimal(amount: Decimal) -> Option<Self> {
        let mut amount = amount.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointNearestEven);
        amount.rescale(SCALE);
        // `rescale` keeps fewer digits where the mantissa has no room for them.
        (amount.scale() == SCALE && amount.mantissa().unsigned_abs() < 10_u128.pow(24))
            .then(|| Self(amount.mantissa()))
    }

    /// The amount as a decimal, `None` beyond 96 bits of picodollars (7.9 × 10¹⁶ dollars).
    pub fn to_decimal(self) -> Option<Decimal> {
        Decimal::try_from_i128_with_scale(self.0, SCALE).ok().map(|d| d.normalize())
    }

    /// Splits into whole microdollars and the picodollars that are left, in `0..1_000_000`.
    ///
    /// SQL can sum two integer columns of this form: a 64-bit sum overflows only beyond 9 × 10¹² rows or
    /// dollars. [`Usd::from_parts`] combines the two sums.
    ///
    /// `None` beyond 9.2 × 10¹² dollars.
    pub fn to_parts(self) -> Option<(i64, i64)> {
        let micros = i64::try_from(self.0.div_euclid(1_000_000)).ok()?;
        let picos = i64::try_from(self.0.rem_euclid(1_000_000)).ok()?;
        Some((micros, picos))
    }

    /// The inverse of [`Usd::to_parts`], also for sums of parts.
    pub fn from_parts(micros: i64, picos: i64) -> Self {
        Self(i128::from(micros) * 1_000_000 + i128::from(picos))
    }

    /// Whether the amount is greater than one charge can cost, or less than its negative.
    pub const fn is_beyond_a_charge(self) -> bool {
        self.0.unsigned_abs() > COST_USD_MAX * PICOS_PER_DOLLAR.unsigned_abs()
    }

    /// `self - other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// The shortest exact form: `0.0125`, `3`, `-0.000000000001`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let dollars = magnitude / PICOS_PER_DOLLAR.unsigned_abs();
        let picos = magnitude % PICOS_PER_DOLLAR.unsigned_abs();
        // Every row of the ledger has such texts, so the digits are written without an allocation: from the
        // last one on, into a buffer with room for those of an `i128`.
        let (mut text, mut at) = ([0; 48], 48);
        let mut put = |byte: u8| {
            at -= 1;
            text[at] = byte;
        };
        let digit = |number: u128| b'0' + (number % 10) as u8;
        let mut rest = u64::try_from(picos).unwrap_or_default();
        let mut places = SCALE;
        while rest != 0 && rest.is_multiple_of(10) {
            rest /= 10;
            places -= 1;
        }
        if rest != 0 {
            for _ in 0..places {
                put(digit(rest.into()));
                rest /= 10;
            }
            put(b'.');
        }
        let mut dollars = dollars;
        loop {
            put(digit(dollars));
            dollars /= 10;
            if dollars == 0 {
                break;
            }
        }
        f.pad_integral(self.0 >= 0, "", std::str::from_utf8(&text[at..]).unwrap_or_default())
    }
}

/// What is wrong with a text that should be an amount of dollars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an exact amount of dollars: write a decimal number with at most 12 places, below 10^12"
)]
pub struct ParseUsdError {
    text: String,
}

impl FromStr for Usd {
    type Err = ParseUsdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let amount = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok();
        amount
            // An amount with more than twelve places would be rounded, so it is refused.
            .filter(|amount| amount.normalize().scale() <= SCALE)
            .and_then(Self::from_decimal)
            .ok_or_else(|| ParseUsdError { text: text.chars().take(64).collect() })
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        literal::raw(&self.to_string(), serializer)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        raw.get().trim_matches('"').parse().map_err(de::Error::custom)
    }
}

/// Serializes a decimal as a number literal in JSON.
///
/// `rust_decimal`'s own serialization is not used, because another crate of the dependency graph may
/// enable a feature that turns it into a float.
pub(crate) mod literal {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use serde_json::value::RawValue;

    pub(crate) fn serialize<S: Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        raw(&number.normalize().to_string(), serializer)
    }

    /// Writes a number as it is.
    pub(super) fn raw<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Decimal::from_str_exact(raw.get().trim_matches('"')).map_err(de::Error::custom)
    }

    /// The same for numbers by name.
    pub(crate) mod map {
        use std::collections::BTreeMap;

        use super::{Decimal, Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        struct Literal(#[serde(with = "super")] Decimal);

        pub(crate) fn serialize<S: Serializer>(
            numbers: &BTreeMap<String, Decimal>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            serializer.collect_map(numbers.iter().map(|(name, number)| (name, Literal(*number))))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<BTreeMap<String, Decimal>, D::Error> {
            let numbers = BTreeMap::<String, Literal>::deserialize(deserializer)?;
            Ok(numbers.into_iter().map(|(name, Literal(number))| (name, number)).collect())
        }
    }

    /// The same for a number that may be absent.
    pub(crate) mod option {
        use super::{Decimal, Deserializer, Serializer};

        #[expect(clippy::ref_option, reason = "the shape that serde asks for")]
        pub(crate) fn serialize<S: Serializer>(
            number: &Option<Decimal>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match number {
                Some(number) => super::serialize(number, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Decimal>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }
}
