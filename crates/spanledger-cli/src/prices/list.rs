//! `spanledger prices list`.

mod csv;

use std::process::ExitCode;

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use spanledger_event::{Bucket, Timestamp};
use spanledger_price::{Discount, Meter, Model, Price, PriceBook, Provider, Rate, Tier};

use super::{Provenance, moment, providers, show::JsonRate};
use crate::{
    args::{ListArguments, ListFormat},
    prices,
    render::parts::{self, aligned, counted, day, grid, list, number, quantity, rate, width, wrapped},
    terminal,
};

const INPUT: Meter = Meter::Tokens(Bucket::Input);
const CACHED: Meter = Meter::Tokens(Bucket::CachedInput);
const OUTPUT: Meter = Meter::Tokens(Bucket::Output);

/// A model and its standard price in force.
struct Row<'b> {
    provider: &'b Provider,
    model: &'b Model,
    price: Option<&'b Price>,
    /// The discount, if at least one of the rates is a list price.
    discount: Option<&'b Discount>,
}

impl<'b> Row<'b> {
    fn usd(&self, meter: Meter) -> Option<Decimal> {
        self.price?.rates().get(meter)
    }

    /// The published rates that have no separate column.
    fn more(&self) -> Vec<&'b Rate> {
        let other = |rate: &&Rate| rate.is_published() && ![INPUT, CACHED, OUTPUT].contains(&rate.meter);
        self.price.map(|price| price.rates().iter().filter(other).collect()).unwrap_or_default()
    }

    fn is_published(&self, meter: Meter) -> bool {
        self.price
            .is_some_and(|price| price.rates().iter().any(|rate| rate.meter == meter && rate.is_published()))
    }
}

pub(super) fn run(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let book = prices::book(&arguments.book)?;
    let at = moment(arguments.at.as_deref())?;
    let providers = providers(&book, arguments.provider.as_deref())?;
    let all: Vec<Row<'_>> = providers.iter().flat_map(|provider| rows(provider, at)).collect();
    let count = all.len();
    let rows: Vec<Row<'_>> =
        all.into_iter().filter(|row| row.price.is_some() || row.model.is_free()).collect();
    let without = count - rows.len();
    terminal::data(&match arguments.format {
        ListFormat::Table => table(&book, &providers, &rows, at),
        ListFormat::Json => json(&book, &rows, at)?,
        ListFormat::Csv => csv::csv(&rows)?,
    })?;
    if without > 0 {
        terminal::say(format_args!(
            "{} no standard price at {}; `spanledger prices show MODEL` shows what it has",
            if without == 1 {
                "1 other model has".to_owned()
            } else {
                format!("{without} other models have")
            },
            day(at)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(provider: &Provider, at: Timestamp) -> impl Iterator<Item = Row<'_>> {
    provider.models().iter().map(move |model| {
        let price = model.price(Tier::Standard, at);
        let is_listed = price.is_some_and(|price| price.rates().iter().any(|rate| !rate.is_negotiated()));
        let discount = provider.discount(model, Tier::Standard, at).filter(|_| is_listed);
        Row { provider, model, price, discount }
    })
}

fn table(book: &PriceBook, providers: &[&Provider], rows: &[Row<'_>], at: Timestamp) -> String {
    let mut text = format!(
        "standard rates at {} in US dollars per million tokens\nprice book {}\n",
        day(at),
        book.version()
    );
    if rows.iter().any(|row| row.discount.is_some()) {
        text.push_str(&wrapped("", 0, &discounts(rows)));
    }
    for provider in providers {
        let rows: Vec<&Row<'_>> = rows.iter().filter(|row| row.provider.name() == provider.name()).collect();
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{}: {}\n", provider.name(), counted(rows.len(), "model")));
        let column = |meter| aligned(&rows.iter().map(|row| row.usd(meter)).collect::<Vec<_>>());
        let (input, cached, output) = (column(INPUT), column(CACHED), column(OUTPUT));
        let cells = rows.iter().enumerate().map(|(index, row)| {
            let cached = if row.usd(CACHED).is_some() && !row.is_published(CACHED) {
                "= input".to_owned()
            } else {
                cached[index].clone()
            };
            vec![
                row.model.name().to_owned(),
                input[index].clone(),
                cached,
                output[index].clone(),
                more(row),
                long_over(row),
                row.price.and_then(Price::from).map(day).unwrap_or_default(),
            ]
        });
        let titles = ["model", "input", "cached", "output", "more", "long over", "since"];
        text.push_str(&fitted(&titles, &cells.collect::<Vec<_>>(), width()));
    }
    text
}

/// The discounts that the rates of the table do not include, in words.
fn discounts(rows: &[Row<'_>]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for row in rows {
        let Some(discount) = row.discount else { continue };
        let words = format!("{} % off {}", discount.percent().normalize(), row.provider.name());
        match counts.iter_mut().find(|(own, _)| *own == words) {
            Some((_, count)) => *count += 1,
            None => counts.push((words, 1)),
        }
    }
    let counts = counts.into_iter().map(|(words, count)| format!("{words}, {}", counted(count, "model")));
    format!(
        "the rates do not include your discounts, which apply when a call is priced: {}",
        counts.collect::<Vec<_>>().join("; ")
    )
}

/// The columns that can be left out in a narrow terminal, in the order in which they are left out.
const OPTIONAL: [&str; 3] = ["since", "more", "long over"];

/// The table without empty columns. If it is too wide, optional columns are left out and named below it.
fn fitted(titles: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let filled = |column: &usize| rows.iter().any(|row| !row[*column].is_empty());
    let mut columns: Vec<usize> = (0..titles.len()).filter(filled).collect();
    let mut left_out: Vec<&str> = Vec::new();
    loop {
        let shown: Vec<&str> = columns.iter().map(|&column| titles[column]).collect();
        let is_text = |title: &str| ["model", "more", "since"].contains(&title);
        let right: Vec<usize> = (0..shown.len()).filter(|&column| !is_text(shown[column])).collect();
        let cells = rows.iter().map(|row| columns.iter().map(|&column| row[column].clone()).collect());
        let table = grid(&shown, &right, cells.collect(), false);
        // The width is measured at the border: in a terminal the bold titles contain escape sequences.
        let fits = table.lines().next().is_none_or(|border| border.chars().count() <= width);
        match OPTIONAL.into_iter().find(|title| shown.contains(title)).filter(|_| !fits) {
            Some(title) => {
                columns.retain(|&column| titles[column] != title);
                left_out.push(title);
            }
            None if left_out.is_empty() => return table,
            None => {
                let columns = list(left_out.into_iter().rev(), "and");
                return table + &format!("not shown at this width: {columns}\n");
            }
        }
    }
}

/// The prompt length beyond which a call has other rates, or is unpriced.
fn long_over(row: &Row<'_>) -> String {
    let over = row.price.filter(|price| !price.is_flat()).and(row.model.long_context_over());
    let has_long = row.price.is_some_and(|price| price.long().is_some());
    let over = over.map(|over| quantity(over.into()));
    over.map(|over| if has_long { over } else { format!("unpriced\n> {over}") }).unwrap_or_default()
}

fn more(row: &Row<'_>) -> String {
    if row.model.is_free() {
        return "free".to_owned();
    }
    let rates = row.more();
    let by_tokens = row.usd(INPUT).is_some() || row.usd(OUTPUT).is_some();
    match rates.as_slice() {
        [] => String::new(),
        others if by_tokens => format!("+{}", others.len()),
        [first, others @ ..] => {
            let first_rate =
                format!("{}/{}", rate(first.usd), first.meter.unit().replace("characters", "chars"));
            if others.is_empty() { first_rate } else { format!("{first_rate} +{}", others.len()) }
        }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    price_version: &'a str,
    at: String,
    models: Vec<JsonModel<'a>>,
}

#[derive(Serialize)]
struct JsonModel<'a> {
    provider: &'a str,
    model: &'a str,
    free: bool,
    input: Option<Box<RawValue>>,
    cached_input: Option<Box<RawValue>>,
    output: Option<Box<RawValue>>,
    rates: Vec<JsonRate<'a>>,
    long_context_over: Option<u64>,
    long_rates: Option<Vec<JsonRate<'a>>>,
    /// The discount that applies when a call is priced; the rates do not include it.
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<Provenance<'a>>,
    entry: Option<Provenance<'a>>,
}

impl<'b> JsonModel<'b> {
    fn new(row: &Row<'b>) -> Self {
        Self {
            provider: row.provider.name(),
            model: row.model.name(),
            free: row.model.is_free(),
            input: row.usd(INPUT).and_then(number),
            cached_input: row.usd(CACHED).and_then(number),
            output: row.usd(OUTPUT).and_then(number),
            rates: row.price.map(|price| JsonRate::all(price.rates())).unwrap_or_default(),
            long_context_over: row.model.long_context_over(),
            long_rates: row.price.and_then(Price::long).map(JsonRate::all),
            discount: row.discount.map(Provenance::discount),
            entry: row.price.map(Provenance::price),
        }
    }
}

fn json(book: &PriceBook, rows: &[Row<'_>], at: Timestamp) -> anyhow::Result<String> {
    let models = rows.iter().map(JsonModel::new).collect();
    let whole = Json { price_version: book.version(), at: at.to_string(), models };
    parts::json(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_fewer_columns_and_their_names() {
        let titles = ["model", "input", "more", "long over", "since"];
        let rows = [["acme-1", "2.00", "", "272,000", "2026-01-01"].map(str::to_owned).to_vec()];
        let shown = |width| {
            let text = fitted(&titles, &rows, width);
            assert!(
                text.lines().filter(|line| line.starts_with('│')).all(|row| row.chars().count() <= width)
            );
            titles.into_iter().filter(|title| text.contains(&format!(" {title} "))).collect::<Vec<_>>()
        };
        // A column without a value is never shown.
        assert_eq!(shown(100), ["model", "input", "long over", "since"]);
        assert_eq!(shown(30), ["model", "input", "long over"]);
        let note = fitted(&titles, &rows, 20);
        assert!(note.ends_with("not shown at this width: long over and since\n"), "{note}");
    }
}
