use super::Meter;
use rust_decimal::Decimal;
use spanledger_event::{Bucket, Usd};

const INPUT: Meter = Meter::Tokens(Bucket::Input);

fn cost(meter: Meter, quantity: &str, rate: &str) -> Option<Usd> {
    meter.cost(quantity.parse().unwrap(), rate.parse().unwrap())
}

fn usd(text: &str) -> Option<Usd> {
    text.parse().ok()
}

/// Every bucket is a meter with the bucket's name, and every name finds its meter.
#[test]
fn every_meter_is_found_by_its_unique_name() {
    let buckets: Vec<_> = Bucket::ALL.into_iter().map(Meter::Tokens).collect();
    assert_eq!(Meter::ALL[..buckets.len()], buckets);
    for meter in Meter::ALL {
        assert_eq!(Meter::from_name(meter.name()), Some(meter));
    }
    assert_eq!(Meter::from_name("inptu"), None);
}

#[test]
fn a_cost_is_the_quantity_in_units_times_the_rate() {
    assert_eq!(cost(INPUT, "1", "0.05"), usd("0.00000005"));
    assert_eq!(cost(Meter::WebSearch, "3", "10"), usd("0.03"));
    assert_eq!(cost(Meter::Images, "2", "0.04"), usd("0.08"));
    assert_eq!(cost(Meter::Characters, "1000", "15"), usd("0.015"));
    // These are the unit vectors unit-01 and unit-03: an amount with infinitely many digits is rounded once.
    assert_eq!(cost(Meter::AudioSeconds, "90", "0.006"), usd("0.009"));
    assert_eq!(cost(Meter::AudioSeconds, "61", "0.05"), usd("0.050833333333"));
}

/// An amount with more places than a picodollar is rounded half to even.
#[test]
fn rounding_is_once_and_half_to_even() {
    for (tokens, rate, picos) in
        [("1", "0.0000005", 0), ("3", "0.0000005", 2), ("1", "0.000000501", 1), ("5", "0.0000005", 2)]
    {
        assert_eq!(cost(INPUT, tokens, rate), Some(Usd::from_picos(picos)), "{tokens} × {rate}");
    }
}

/// The computations with integers and with decimals give the same result.
#[test]
fn integers_and_decimals_agree() {
    for tokens in [1_u64, 7, 999_999, 272_001, 123_456_789_012] {
        for rate in ["0.005", "0.138", "30", "2.475"] {
            let rate: Decimal = rate.parse().unwrap();
            let mut long = rate;
            long.rescale(9);
            assert_eq!(INPUT.cost(tokens.into(), rate), INPUT.cost(tokens.into(), long), "{tokens} × {rate}");
        }
    }
}

#[test]
fn an_amount_that_does_not_fit_the_column_is_none() {
    assert_eq!(cost(INPUT, "999999999999", "1000000"), usd("999999999999"));
    assert_eq!(cost(INPUT, "1000000000000", "1000000"), None);
    assert_eq!(cost(INPUT, "18446744073709551615", "1000000"), None);
    assert_eq!(cost(INPUT, "18446744073709551615", "1000000.000000001"), None);
}
