//! From the digits of a file to a rate, exactly.

use rust_decimal::Decimal;

/// How a list's unit becomes the book's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Times ten to the power.
    Ten(i32),
    /// Per second, and the book has it per 60 seconds.
    PerSecond,
    /// Per hour, and the book has it per 60 seconds.
    PerHour,
}

impl Scale {
    /// The same unit.
    pub(super) const SAME: Self = Self::Ten(0);
    /// Each, and the book has it per thousand.
    pub(super) const THOUSAND: Self = Self::Ten(3);
    /// Each, and the book has it per million.
    pub(super) const MILLION: Self = Self::Ten(6);
}

/// Most places of a rate in the book.
const PLACES_MAX: i32 = 9;
/// Highest rate in the book.
const DOLLARS_MAX: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
/// Longer numbers have no place in a price list; what is shorter fits the integers here.
const DIGITS_MAX: usize = 28;

/// The rate that a JSON number, or a string with one, says. `Err` is the reason why it is no rate.
pub(super) fn rate(json: &str, scale: Scale) -> Result<Decimal, String> {
    let text = json.trim().trim_matches('"');
    let (negative, mut digits, mut exponent) =
        parts(text).ok_or_else(|| format!("{} is no number", shorten(json)))?;
    if negative && digits != 0 {
        return Err(format!("{text} is below zero"));
    }
    match scale {
        Scale::Ten(power) => exponent += power,
        Scale::PerSecond => digits *= 60,
        Scale::PerHour => {
            // Digits enough to divide without a rest, if there is a way at all.
            digits *= 1_000_000;
            exponent -= 6;
            if digits % 60 != 0 {
                return Err(too_fine(text));
            }
            digits /= 60;
        }
    }
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        exponent += 1;
    }
    if digits == 0 {
        return Ok(Decimal::ZERO);
    }
    if exponent < -PLACES_MAX {
        return Err(too_fine(text));
    }
    let too_large = || format!("{text} is above 1,000,000 dollars per unit");
    let value = match u32::try_from(exponent) {
        Ok(zeros) => {
            let whole = 10_i128.checked_pow(zeros).and_then(|power| digits.checked_mul(power));
            Decimal::try_from_i128_with_scale(whole.ok_or_else(too_large)?, 0)
        }
        Err(_) => Decimal::try_from_i128_with_scale(digits, exponent.unsigned_abs()),
    };
    value.ok().filter(|value| *value <= DOLLARS_MAX).ok_or_else(too_large)
}

fn too_fine(text: &str) -> String {
    format!("{text} has more than {PLACES_MAX} places in the book's unit")
}

fn shorten(json: &str) -> String {
    json.chars().take(40).collect()
}

/// The sign, the digits as a whole number, and the power of ten.
fn parts(text: &str) -> Option<(bool, i128, i32)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let places = i32::try_from(fraction.len()).ok()?;
    Some((negative, digits.parse().ok()?, i32::from(exponent) - places))
}

#[cfg(test)]
mod tests {
    use super::{Scale, rate};

    fn check(json: &str, scale: Scale, expected: &str) {
        let found = rate(json, scale).map_or_else(|reason| reason, |value| value.to_string());
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn digits_move_and_none_is_lost() {
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
    fn what_is_no_rate_has_a_reason() {
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
            check(json, Scale::SAME, &format!("{json} is no number"));
        }
    }
}
