//! Reads exact rates from the digits of a file.

use rust_decimal::Decimal;

/// How a rate is converted from the list's unit to the book's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// The rate is multiplied by ten to this power.
    Ten(i32),
    /// The list states a rate per second, the book per 60 seconds.
    PerSecond,
    /// The list states a rate per hour, the book per 60 seconds.
    PerHour,
}

impl Scale {
    /// The same unit.
    pub(super) const SAME: Self = Self::Ten(0);
    /// The list states a rate per one, the book per thousand.
    pub(super) const THOUSAND: Self = Self::Ten(3);
    /// The list states a rate per one, the book per million.
    pub(super) const MILLION: Self = Self::Ten(6);
}

/// The greatest number of decimal places of a rate in the book.
const PLACES_MAX: u32 = 9;
/// The highest rate that the book accepts, in dollars.
const DOLLARS_MAX: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Reads a rate from a JSON number or from a string with a number. `Err` is the reason why it is not a rate.
pub(super) fn rate(json: &str, scale: Scale) -> Result<Decimal, String> {
    let text = json.trim().trim_matches('"');
    let not_a_number = || format!("{} is not a number", json.chars().take(40).collect::<String>());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let is_json = mantissa.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    let mantissa = Decimal::from_str_exact(mantissa).ok().filter(|_| is_json).ok_or_else(not_a_number)?;
    let exponent = exponent.parse::<i16>().map_err(|_| not_a_number())?;
    if mantissa.is_zero() {
        return Ok(Decimal::ZERO);
    }
    if mantissa.is_sign_negative() {
        return Err(format!("{text} is below zero"));
    }
    let too_large = || format!("{text} is above 1,000,000 dollars per unit");
    let too_fine = || format!("{text} has more than {PLACES_MAX} places in the book's unit");
    let (mantissa, power) = match scale {
        Scale::Ten(power) => (mantissa, power),
        Scale::PerSecond => (mantissa.checked_mul(Decimal::from(60)).ok_or_else(too_large)?, 0),
        Scale::PerHour => {
            let sixtieth = mantissa.checked_div(Decimal::from(60)).ok_or_else(too_fine)?;
            if sixtieth.checked_mul(Decimal::from(60)) != Some(mantissa) {
                return Err(too_fine());
            }
            (sixtieth, 0)
        }
    };
    let power = i32::from(exponent) + power;
    let value = times_power_of_ten(mantissa.normalize(), power);
    let value = value.ok_or_else(|| if power > 0 { too_large() } else { too_fine() })?;
    match value.normalize() {
        value if value > DOLLARS_MAX => Err(too_large()),
        value if value.scale() > PLACES_MAX => Err(too_fine()),
        value => Ok(value),
    }
}

/// The exact product; `None` if it does not fit a decimal.
fn times_power_of_ten(mut value: Decimal, power: i32) -> Option<Decimal> {
    if let Ok(power) = u32::try_from(power) {
        return value.checked_mul(Decimal::from(10_i64.checked_pow(power)?));
    }
    value.set_scale(value.scale().checked_add(power.unsigned_abs())?).ok()?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{Scale, rate};

    fn check(json: &str, scale: Scale, expected: &str) {
        let found = rate(json, scale).map_or_else(|reason| reason, |value| value.to_string());
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn a_rate_keeps_every_digit() {
        check("2.5e-06", Scale::MILLION, "2.5");
        check("2.5E-6", Scale::MILLION, "2.5");
        check("0.0000025", Scale::MILLION, "2.5");
        check("1e-7", Scale::MILLION, "0.1");
        check("3.625e-09", Scale::MILLION, "0.003625");
        check("0", Scale::MILLION, "0");
        check("0.0", Scale::MILLION, "0");
        check("-0.0", Scale::MILLION, "0");
        check("0.035", Scale::THOUSAND, "35");
        check("30", Scale::SAME, "30");
        check("\"0.10\"", Scale::SAME, "0.1");
        check("1.5e3", Scale::SAME, "1500");
        check("0.0001", Scale::PerSecond, "0.006");
        check("0.36", Scale::PerHour, "0.006");
        check("0.111", Scale::PerHour, "0.00185");
    }

    #[test]
    fn a_number_that_is_not_a_rate_has_a_reason() {
        check(
            "2.9999999999999997e-05",
            Scale::MILLION,
            "2.9999999999999997e-05 has more than 9 places in the book's unit",
        );
        check("0.1", Scale::PerHour, "0.1 has more than 9 places in the book's unit");
        check("-1", Scale::SAME, "-1 is below zero");
        check("2", Scale::MILLION, "2 is above 1,000,000 dollars per unit");
        check("1e300", Scale::MILLION, "1e300 is above 1,000,000 dollars per unit");
        for json in
            ["true", "\"free\"", "\"\"", "{}", ".5", "1e", "1e99999", "1 2", "99999999999999999999999999999"]
        {
            check(json, Scale::SAME, &format!("{json} is not a number"));
        }
    }
}
