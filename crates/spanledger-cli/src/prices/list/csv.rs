//! Writes the list as CSV: a row for each rate.

use spanledger_event::Timestamp;
use spanledger_price::{Price, Rate};

use super::Row;
use crate::render::{parts::day, text::csv_cell};

const TITLES: [&str; 14] = [
    "provider",
    "model",
    "prompt",
    "meter",
    "variant",
    "unit",
    "usd",
    "published",
    "negotiated",
    "discount_percent",
    "long_context_over",
    "from",
    "until",
    "checked",
];

pub(super) fn csv(rows: &[Row<'_>]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(TITLES)?;
    for row in rows {
        if row.model.is_free() {
            writer.write_record(record(row, "any", None))?;
        }
        let Some(price) = row.price else { continue };
        let over = row.model.long_context_over().filter(|_| !price.is_flat());
        let short = if over.is_some() { "short" } else { "any" };
        for rate in price.rates().iter() {
            writer.write_record(record(row, short, Some(rate)))?;
        }
        for rate in price.long().into_iter().flat_map(|long| long.iter()) {
            writer.write_record(record(row, "long", Some(rate)))?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A row of the CSV. A free model has no rates; its only row has the rate 0 per call.
fn record(row: &Row<'_>, prompt: &str, rate: Option<&Rate>) -> [String; 14] {
    let of = |at: fn(&Price) -> Option<Timestamp>| row.price.and_then(at).map(day).unwrap_or_default();
    let discount = row.discount.filter(|_| rate.is_some_and(|rate| !rate.is_negotiated()));
    [
        csv_cell(row.provider.name()),
        csv_cell(row.model.name()),
        prompt.to_owned(),
        rate.map_or("free", |rate| rate.meter.name()).to_owned(),
        csv_cell(rate.and_then(|rate| rate.variant.as_deref()).unwrap_or_default()),
        rate.map_or("call", |rate| rate.meter.unit()).to_owned(),
        rate.map_or_else(|| "0".to_owned(), |rate| rate.usd.normalize().to_string()),
        rate.is_none_or(|rate| rate.is_published()).to_string(),
        rate.is_some_and(|rate| rate.is_negotiated()).to_string(),
        discount.map(|discount| discount.percent().normalize().to_string()).unwrap_or_default(),
        row.model.long_context_over().map(|over| over.to_string()).unwrap_or_default(),
        of(Price::from),
        of(Price::until),
        row.price.map(Price::checked).unwrap_or_default().to_owned(),
    ]
}
