use proptest::prelude::*;

use super::*;

#[test]
fn an_amount_is_shown_in_its_shortest_exact_form() {
    for (picos, text) in [
        (0, "0"),
        (1, "0.000000000001"),
        (-1, "-0.000000000001"),
        (12_500_000_000, "0.0125"),
        (3_000_000_000_000, "3"),
        (-1_500_000_000_000, "-1.5"),
    ] {
        assert_eq!(Usd::from_picos(picos).to_string(), text);
    }
}

#[test]
fn an_amount_is_rounded_half_to_even_at_the_twelfth_place() {
    for (text, picos) in [
        ("0.0000000000005", 0),
        ("0.0000000000015", 2),
        ("0.0000000000025", 2),
        ("0.00000000000250001", 3),
        ("-0.0000000000015", -2),
    ] {
        assert_eq!(Usd::from_decimal(text.parse().unwrap()), Some(Usd::from_picos(picos)), "{text}");
    }
}

#[test]
fn an_amount_that_the_column_type_cannot_hold_is_refused() {
    assert_eq!(Usd::from_decimal("1000000000000".parse().unwrap()), None);
    assert!(Usd::from_decimal("999999999999.999999999999".parse().unwrap()).is_some());
    for text in ["", "x", "1e400", "0.0000000000001", "1000000000000", "NaN"] {
        assert!(text.parse::<Usd>().is_err(), "{text}");
    }
}

#[test]
fn json_is_a_number_literal() {
    let amount: Usd = "123456789012.123456789012".parse().unwrap();
    assert_eq!(serde_json::to_string(&amount).unwrap(), "123456789012.123456789012");
    for json in ["0.1", "\"0.1\"", "1e-1"] {
        assert_eq!(serde_json::from_str::<Usd>(json).unwrap(), "0.1".parse().unwrap(), "{json}");
    }
}

#[test]
fn an_amount_that_a_form_cannot_hold_is_refused_and_never_truncated() {
    let parts = |micros: i128, picos: i128| Usd::from_picos(micros * 1_000_000 + picos).to_parts();
    assert_eq!(parts(i64::MAX.into(), 999_999), Some((i64::MAX, 999_999)));
    assert_eq!(parts(i64::MIN.into(), 0), Some((i64::MIN, 0)));
    assert_eq!(parts(i128::from(i64::MAX) + 1, 0), None);
    assert_eq!(parts(i64::MIN.into(), -1), None);

    let greatest = (1_i128 << 96) - 1;
    assert_eq!(
        Usd::from_picos(greatest).to_decimal().map(|d| d.to_string()),
        Some(Usd::from_picos(greatest).to_string())
    );
    assert_eq!(Usd::from_picos(greatest + 1).to_decimal(), None);
    assert_eq!(Usd::from_picos(i128::MIN).to_decimal(), None);
    assert_eq!(Usd::from_picos(i128::MIN).to_string(), "-170141183460469231731687303.715884105728");
}

proptest! {
    #[test]
    fn parts_and_text_lose_nothing(picos in -10_i128.pow(24)..10_i128.pow(24)) {
        let amount = Usd::from_picos(picos);
        let (micros, rest) = amount.to_parts().unwrap();
        prop_assert!((0..1_000_000).contains(&rest));
        prop_assert_eq!(Usd::from_parts(micros, rest), amount);
        prop_assert_eq!(amount.to_string().parse::<Usd>().ok(), (picos.abs() < 10_i128.pow(24)).then_some(amount));
    }

    #[test]
    fn sums_of_parts_are_sums_of_amounts(picos in proptest::collection::vec(-10_i128.pow(20)..10_i128.pow(20), 0..50)) {
        let amounts: Vec<Usd> = picos.iter().copied().map(Usd::from_picos).collect();
        let (micros, rest) = amounts.iter().filter_map(|a| a.to_parts()).fold((0, 0), |(m, p), (a, b)| (m + a, p + b));
        prop_assert_eq!(Usd::from_parts(micros, rest), amounts.iter().copied().sum());
    }
}
