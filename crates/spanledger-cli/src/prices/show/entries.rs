//! Shows the dated entries of a model as tables with a row for each meter and a column for each tier.

use spanledger_event::Timestamp;
use spanledger_price::{Meter, Model, Price, Rates};

use crate::render::parts::{field, grid, period, quantity, rate};

/// The prices of one or more tiers with the same period, hours and sources.
pub(super) struct Entry<'b> {
    prices: Vec<&'b Price>,
}

/// The entries of a model, the oldest first.
pub(super) fn of(model: &Model, at: Option<Timestamp>) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for price in model.prices().iter().filter(|price| at.is_none_or(|at| price.holds_at(at))) {
        match entries.iter_mut().find(|entry| entry.is_like(price)) {
            Some(entry) => entry.prices.push(price),
            None => entries.push(Entry { prices: vec![price] }),
        }
    }
    entries.sort_by_key(|entry| {
        let first = entry.prices[0];
        (first.from(), first.until(), first.hours())
    });
    entries
}

impl Entry<'_> {
    fn is_like(&self, price: &Price) -> bool {
        let own = self.prices[0];
        (own.from(), own.until(), own.hours(), own.is_flat(), own.checked())
            == (price.from(), price.until(), price.hours(), price.is_flat(), price.checked())
            && own.sources() == price.sources()
    }

    /// The negotiated rates, in words.
    fn own(&self) -> String {
        let published = || {
            self.prices.iter().flat_map(|price| {
                let sides = [Some(price.rates()), price.long()].into_iter().flatten();
                let rates = sides.flat_map(|rates| rates.iter()).filter(|rate| rate.is_published());
                rates.map(|rate| (price.tier(), rate))
            })
        };
        if published().all(|(_, rate)| rate.is_negotiated()) {
            return ", your own rates".to_owned();
        }
        let mut names: Vec<String> = Vec::new();
        for (tier, rate) in published().filter(|(_, rate)| rate.is_negotiated()) {
            let name = format!("{tier} {}", rate.meter.name());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() { String::new() } else { format!(", your own rates: {}", names.join(", ")) }
    }

    pub(super) fn table(&self, model: &Model) -> String {
        let first = self.prices[0];
        let hours = first.hours().map(|hours| format!(", {hours} UTC")).unwrap_or_default();
        let flat = if first.is_flat() { ", for prompts of any length" } else { "" };
        let mut text = format!("{}{hours}{flat}{}\n", period(first.from(), first.until()), self.own());
        let short: Vec<(&Price, &Rates)> = self.prices.iter().map(|price| (*price, price.rates())).collect();
        text.push_str(&rates(&short));
        let long: Vec<(&Price, &Rates)> =
            self.prices.iter().filter_map(|price| Some((*price, price.long()?))).collect();
        if let Some(over) = model.long_context_over().filter(|_| !long.is_empty()) {
            text.push_str(&format!("with a prompt over {} tokens\n", quantity(over.into())));
            text.push_str(&rates(&long));
        }
        for (index, source) in first.sources().iter().enumerate() {
            let label = if index == 0 { "sources" } else { "" };
            text.push_str(&field(label, &format!("{}: {}", source.id, source.text)));
        }
        text + &field("read on", first.checked())
    }
}

fn rates(columns: &[(&Price, &Rates)]) -> String {
    let mut rows: Vec<(Meter, Option<&str>)> = Vec::new();
    for meter in Meter::ALL {
        for (_, rates) in columns {
            for rate in rates.iter().filter(|rate| rate.meter == meter) {
                let row = (meter, rate.variant.as_deref());
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
        }
    }
    let cells = rows.iter().map(|&(meter, variant)| {
        let name = variant.map_or_else(|| meter.name().to_owned(), |kind| format!("{} {kind}", meter.name()));
        let amounts = columns.iter().map(|(_, rates)| amount(rates, meter, variant));
        [name].into_iter().chain(amounts).chain([meter.unit().to_owned()]).collect()
    });
    let titles: Vec<&str> = ["USD"]
        .into_iter()
        .chain(columns.iter().map(|(price, _)| price.tier().as_str()))
        .chain(["per"])
        .collect();
    let numbers: Vec<usize> = (1..=columns.len()).collect();
    grid(&titles, &numbers, cells.collect(), false)
}

fn amount(rates: &Rates, meter: Meter, variant: Option<&str>) -> String {
    let own = rates.iter().find(|rate| rate.meter == meter && rate.variant.as_deref() == variant);
    match own {
        Some(own) if own.is_published() => rate(own.usd),
        Some(own) => format!("({})", rate(own.usd)),
        None => "–".to_owned(),
    }
}
