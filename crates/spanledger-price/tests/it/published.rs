//! Compares the rates of the book with the published table.

use rust_decimal::Decimal;
use spanledger_event::Bucket;
use spanledger_price::{Meter, PriceBook, Rates, Tier};

use crate::support::day;

/// The rates as `input / cached / cache write / output`, with `-` for a rate that is not published.
fn written(rates: &Rates) -> String {
    let rate = |bucket| {
        let published = rates.iter().find(|rate| rate.meter == Meter::Tokens(bucket) && rate.is_published());
        published.map_or("-".to_owned(), |rate| rate.usd.to_string())
    };
    [Bucket::Input, Bucket::CachedInput, Bucket::CacheWrite, Bucket::Output].map(rate).join(" / ")
}

fn check(model: &str, tier: Tier, on: &str, short: &str, long: &str) {
    let listed = PriceBook::builtin().provider("openai").unwrap().model(model).unwrap();
    let price = listed.price(tier, day(on)).unwrap_or_else(|| panic!("{model} {tier} {on}"));
    assert_eq!(written(price.rates()), short, "{model} {tier} {on}");
    assert_eq!(price.long().map_or("none".to_owned(), written), long, "{model} {tier} {on}, long");
}

#[test]
fn standard_rates_are_as_published() {
    let now = "2026-11-20";
    for (model, short, long) in [
        ("gpt-6.1-sol", "2 / 0.1 / 2.5 / 10", "4 / 0.2 / 5 / 15"),
        ("gpt-6.1-terra", "1 / 0.05 / 1.25 / 5", "2 / 0.1 / 2.5 / 7.5"),
        ("gpt-6-sol", "2 / 0.2 / 2.5 / 10", "4 / 0.4 / 5 / 15"),
        ("gpt-6-luna", "0.1 / 0.01 / 0.125 / 0.5", "0.2 / 0.02 / 0.25 / 0.75"),
        ("gpt-6-astra", "10 / 1 / 12.5 / 50", "20 / 2 / 25 / 75"),
        ("gpt-5.6-sol", "4 / 0.4 / 5 / 20", "8 / 0.8 / 10 / 30"),
        ("gpt-5.6-terra", "2 / 0.2 / 2.5 / 12", "4 / 0.4 / 5 / 18"),
        ("gpt-5.6-luna", "0.2 / 0.02 / 0.25 / 1.2", "0.4 / 0.04 / 0.5 / 1.8"),
        ("gpt-5.5", "5 / 0.5 / - / 30", "10 / 1 / - / 45"),
        ("gpt-5.5-pro", "30 / - / - / 180", "60 / - / - / 270"),
        ("gpt-5.4", "2.5 / 0.25 / - / 15", "5 / 0.5 / - / 22.5"),
        ("gpt-5.4-pro", "30 / - / - / 180", "60 / - / - / 270"),
        ("gpt-5.4-mini", "0.75 / 0.075 / - / 4.5", "none"),
        ("gpt-5.4-nano", "0.2 / 0.02 / - / 1.25", "none"),
        ("gpt-5.2", "1.75 / 0.175 / - / 14", "none"),
        ("gpt-5.2-pro", "21 / - / - / 168", "none"),
        ("gpt-5.1", "1.25 / 0.125 / - / 10", "none"),
        ("gpt-5", "1.25 / 0.125 / - / 10", "none"),
        ("gpt-5-mini", "0.25 / 0.025 / - / 2", "none"),
        ("gpt-5-nano", "0.05 / 0.005 / - / 0.4", "none"),
        ("gpt-5-pro", "15 / - / - / 120", "none"),
        ("gpt-4.1", "2 / 0.5 / - / 8", "none"),
        ("gpt-4.1-mini", "0.4 / 0.1 / - / 1.6", "none"),
        ("gpt-4.1-nano", "0.1 / 0.025 / - / 0.4", "none"),
        ("gpt-4o", "2.5 / 1.25 / - / 10", "none"),
        ("gpt-4o-mini", "0.15 / 0.075 / - / 0.6", "none"),
        ("o3", "2 / 0.5 / - / 8", "none"),
        ("o4-mini", "1.1 / 0.275 / - / 4.4", "none"),
        ("o3-mini", "1.1 / 0.55 / - / 4.4", "none"),
        ("o1", "15 / 7.5 / - / 60", "none"),
        ("text-embedding-3-small", "0.02 / - / - / -", "none"),
        ("text-embedding-3-large", "0.13 / - / - / -", "none"),
        ("text-embedding-ada-002", "0.1 / - / - / -", "none"),
    ] {
        check(model, Tier::Standard, now, short, long);
    }
}

#[test]
fn rates_of_other_tiers_are_as_published() {
    use Tier::{Batch, Flex, Priority, Ultrafast};
    for (model, tier, short, long) in [
        ("gpt-5.5", Batch, "2.5 / 0.25 / - / 15", "5 / 0.5 / - / 22.5"),
        ("gpt-5.4", Flex, "1.25 / 0.13 / - / 7.5", "2.5 / 0.25 / - / 11.25"),
        ("gpt-5.4-mini", Batch, "0.375 / 0.0375 / - / 2.25", "none"),
        ("gpt-5.5-pro", Flex, "15 / - / - / 90", "none"),
        ("gpt-5.4-pro", Batch, "15 / - / - / 90", "30 / - / - / 135"),
        ("gpt-5.5", Priority, "12.5 / 1.25 / - / 75", "none"),
        ("gpt-5.4", Priority, "5 / 0.5 / - / 30", "none"),
        ("gpt-5.4-mini", Priority, "1.5 / 0.15 / - / 9", "none"),
        ("gpt-4.1", Priority, "3.5 / 0.875 / - / 14", "none"),
        ("gpt-4o", Priority, "4.25 / 2.125 / - / 17", "none"),
        ("gpt-5-mini", Priority, "0.45 / 0.045 / - / 3.6", "none"),
        ("gpt-6.1-sol", Ultrafast, "12 / 0.6 / 15 / 60", "24 / 1.2 / 30 / 90"),
        ("gpt-6-astra", Ultrafast, "60 / 6 / 75 / 300", "120 / 12 / 150 / 450"),
        ("text-embedding-3-large", Batch, "0.065 / - / - / -", "none"),
    ] {
        check(model, tier, "2026-11-20", short, long);
    }
}

#[test]
fn earlier_prices_stay_as_they_were_published() {
    for (model, on, short, long) in [
        ("gpt-5.6-sol", "2026-08-20", "5 / 0.5 / 6.25 / 30", "10 / 1 / 12.5 / 45"),
        ("gpt-5.6-terra", "2026-07-29", "2.5 / 0.25 / 3.125 / 15", "5 / 0.5 / 6.25 / 22.5"),
        ("gpt-5.6-luna", "2026-07-29", "1 / 0.1 / 1.25 / 6", "2 / 0.2 / 2.5 / 9"),
        ("o3", "2025-06-09", "10 / 2.5 / - / 40", "none"),
    ] {
        check(model, Tier::Standard, on, short, long);
    }
    check("gpt-5.6-sol", Tier::Flex, "2026-08-20", "2.5 / 0.25 / 3.125 / 15", "5 / 0.5 / 6.25 / 22.5");
}

/// No rate is zero, cached input does not cost more than input, and output does not cost less.
#[test]
fn rates_are_plausible() {
    for provider in PriceBook::builtin().providers() {
        for model in provider.models() {
            for price in model.prices() {
                for rates in std::iter::once(price.rates()).chain(price.long()) {
                    let get = |bucket| rates.get(Meter::Tokens(bucket));
                    let name = format!("{} {} {}", provider.name(), model.name(), price.tier());
                    assert!(rates.iter().all(|rate| rate.usd > Decimal::ZERO), "{name}");
                    let Some(input) = get(Bucket::Input) else { continue };
                    assert!(get(Bucket::CachedInput).is_none_or(|cached| cached <= input), "{name}");
                    assert!(get(Bucket::Output).is_none_or(|output| output >= input), "{name}");
                }
            }
        }
    }
}
