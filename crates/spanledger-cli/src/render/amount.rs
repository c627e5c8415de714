//! Formats amounts, counts and shares for people.

use rust_decimal::{Decimal, RoundingStrategy};
use spanledger_event::Usd;

/// The decimal places of an amount in a table.
const PLACES: u32 = 6;
/// The significant digits of an amount that is smaller than the last of these places.
const SMALL_DIGITS: u32 = 2;

/// Formats dollars with six decimal places, rounded half to even. An amount below 0.000001 has two
/// significant digits instead, so that it is not shown as zero.
///
/// A lower bound (a part of the amount is unknown) is marked `≥`. A lower bound of zero is shown as
/// `unpriced`.
pub(crate) fn dollars(amount: Usd, is_lower_bound: bool) -> String {
    if is_lower_bound && amount == Usd::ZERO {
        return "unpriced".to_owned();
    }
    let text = amount.to_decimal().map_or_else(|| amount.to_string(), rounded);
    if is_lower_bound { format!("≥ {text}") } else { text }
}

fn rounded(amount: Decimal) -> String {
    if amount.is_zero() || amount.abs() >= Decimal::new(1, PLACES) {
        return format!("{:.6}", amount.round_dp(PLACES));
    }
    let small =
        amount.round_sf_with_strategy(SMALL_DIGITS, RoundingStrategy::MidpointNearestEven).unwrap_or(amount);
    small.normalize().to_string()
}

/// Formats `1234567` as `1,234,567`.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// A share in percent, rounded to one decimal place, computed with integers.
pub(crate) fn percent(part: i128, whole: i128) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    let permille = (part * 1_000 + whole / 2) / whole;
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_show_every_amount_that_is_not_zero() {
        for (picos, expected) in [
            (0, "0.000000"),
            (1_500_000, "0.000002"),
            (8_129_387_000_000, "8.129387"),
            (320_000, "0.00000032"),
            (123_456, "0.00000012"),
            (1, "0.000000000001"),
            (999_999, "0.000001"),
        ] {
            assert_eq!(dollars(Usd::from_picos(picos), false), expected, "{picos}");
        }
    }

    #[test]
    fn a_lower_bound_is_marked_and_an_unknown_amount_is_no_number() {
        assert_eq!(dollars(Usd::from_picos(2_500_000_000_000), true), "≥ 2.500000");
        assert_eq!(dollars(Usd::from_picos(320_000), true), "≥ 0.00000032");
        assert_eq!(dollars(Usd::ZERO, true), "unpriced");
    }

    #[test]
    fn counts_and_shares() {
        assert_eq!([-1_234_567, 999, 1_000].map(grouped), ["-1,234,567", "999", "1,000"]);
        assert_eq!([percent(1, 3), percent(0, 0), percent(2, 3)], ["33.3 %", "–", "66.7 %"]);
    }
}
