//! Formats amounts, counts and shares for people.

use rust_decimal::{Decimal, RoundingStrategy};
use spanledger_event::Usd;

/// The decimal places of an amount in a table.
const PLACES: u32 = 6;
/// The significant digits of an amount that is smaller than the last of these places.
const SMALL_DIGITS: u32 = 2;

/// How a sum relates to the real amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It is the real amount.
    Exact,
    /// The real amount may be higher: a part of it is unknown.
    AtLeast,
    /// The real amount may be lower: cached tokens were charged as ordinary input.
    AtMost,
    /// The real amount may be higher or lower.
    Neither,
}

impl Bound {
    pub(crate) fn new(may_be_higher: bool, may_be_lower: bool) -> Self {
        match (may_be_higher, may_be_lower) {
            (false, false) => Self::Exact,
            (true, false) => Self::AtLeast,
            (false, true) => Self::AtMost,
            (true, true) => Self::Neither,
        }
    }

    /// The mark before an amount, with a space.
    const fn mark(self) -> &'static str {
        match self {
            Self::Exact => "",
            Self::AtLeast => "≥ ",
            Self::AtMost => "≤ ",
            Self::Neither => "≈ ",
        }
    }
}

/// Formats dollars with six decimal places, rounded half to even. An amount below 0.000001 has two
/// significant digits instead, so that it is not shown as zero.
///
/// An amount that is not exact is marked `≥`, `≤` or `≈`. If it is zero and may be higher, nothing of it is known:
/// it is shown as `unpriced`.
pub(crate) fn dollars(amount: Usd, bound: Bound) -> String {
    if matches!(bound, Bound::AtLeast | Bound::Neither) && amount == Usd::ZERO {
        return "unpriced".to_owned();
    }
    let text = amount.to_decimal().map_or_else(|| amount.to_string(), rounded);
    format!("{}{text}", bound.mark())
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
            assert_eq!(dollars(Usd::from_picos(picos), Bound::Exact), expected, "{picos}");
        }
    }

    #[test]
    fn a_bound_is_marked_and_an_unknown_amount_is_no_number() {
        let amount = Usd::from_picos(2_500_000_000_000);
        for (higher, lower, expected) in [
            (false, false, ["2.500000", "0.000000"]),
            (true, false, ["≥ 2.500000", "unpriced"]),
            (false, true, ["≤ 2.500000", "≤ 0.000000"]),
            (true, true, ["≈ 2.500000", "unpriced"]),
        ] {
            let bound = Bound::new(higher, lower);
            assert_eq!([dollars(amount, bound), dollars(Usd::ZERO, bound)], expected);
        }
        assert_eq!(dollars(Usd::from_picos(320_000), Bound::AtLeast), "≥ 0.00000032");
    }

    #[test]
    fn counts_and_shares() {
        assert_eq!([-1_234_567, 999, 1_000].map(grouped), ["-1,234,567", "999", "1,000"]);
        assert_eq!([percent(1, 3), percent(0, 0), percent(2, 3)], ["33.3 %", "–", "66.7 %"]);
    }
}
