//! Reports and events for people and programs.

pub(crate) mod parts;

use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use spanledger_event::{CostEvent, EventState, Timestamp, Usd};
use spanledger_ledger::{MEASURES, Report, Totals};

use crate::args::{By, ReportFormat};

impl By {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Route => "route",
            Self::Customer => "customer",
            Self::Model => "model",
            Self::Day => "day",
        }
    }
}

/// What stands in the place of a name that is not known.
fn group_name(by: By, name: Option<&str>) -> String {
    match name {
        Some(name) => name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        None => format!("(no {})", by.name()),
    }
}

pub(crate) fn report(report: &Report, by: By, format: ReportFormat) -> anyhow::Result<String> {
    match format {
        ReportFormat::Table => Ok(table(report, by)),
        ReportFormat::Json => json(report, by),
        ReportFormat::Csv => csv(report, by),
    }
}

/// Dollars for people: six places, rounded half to even; `≥` where not everything is known.
pub(crate) fn dollars(amount: Usd, is_lower_bound: bool) -> String {
    let rounded = amount.to_decimal().map(|amount| amount.round_dp(6));
    let text = rounded.map_or_else(|| amount.to_string(), |amount| format!("{amount:.6}"));
    if is_lower_bound { format!("≥ {text}") } else { text }
}

/// `1234567` as `1,234,567`.
fn grouped(number: i64) -> String {
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

/// A share in percent, to one place, in integers.
fn percent(part: i128, whole: i128) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    let permille = (part * 1_000 + whole / 2) / whole;
    format!("{}.{} %", permille / 10, permille % 10)
}

fn table(report: &Report, by: By) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let titles = [
        by.name(),
        "requests",
        "failed",
        "retried",
        "unpriced",
        "input",
        "cached",
        "output",
        "spend USD",
        "share",
    ];
    table.set_header(titles.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let whole = report.total.billed.picos();
    for row in &report.rows {
        table.add_row(cells(group_name(by, row.name.as_deref()), &row.totals, whole));
    }
    let total = cells("total".to_owned(), &report.total, whole);
    table.add_row(total.map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    format!("{table}\n")
}

fn cells(name: String, totals: &Totals, whole: i128) -> [String; 10] {
    // A zero draws the eye where there is nothing to see.
    let count = |number: i64| if number == 0 { "–".to_owned() } else { grouped(number) };
    [
        name,
        grouped(totals.requests),
        count(totals.failed),
        count(totals.retried),
        count(totals.unpriced),
        grouped(totals.prompt_tokens),
        percent(totals.cached_tokens.into(), totals.prompt_tokens.into()),
        grouped(totals.completion_tokens + totals.reasoning_tokens),
        dollars(totals.billed, totals.unpriced > 0),
        percent(totals.billed.picos(), whole),
    ]
}

#[derive(Serialize)]
struct JsonReport<'a> {
    by: &'static str,
    rows: Vec<JsonRow<'a>>,
    total: JsonRow<'a>,
}

struct JsonRow<'a> {
    name: Option<&'a str>,
    totals: &'a Totals,
}

/// The name, then every measure.
impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + MEASURES.len()))?;
        map.serialize_entry("name", &self.name)?;
        for measure in MEASURES {
            map.serialize_entry(measure.title, &(measure.get)(self.totals))?;
        }
        map.end()
    }
}

fn json(report: &Report, by: By) -> anyhow::Result<String> {
    let rows =
        report.rows.iter().map(|row| JsonRow { name: row.name.as_deref(), totals: &row.totals }).collect();
    let whole = JsonReport { by: by.name(), rows, total: JsonRow { name: None, totals: &report.total } };
    Ok(format!("{}\n", serde_json::to_string_pretty(&whole)?))
}

fn csv(report: &Report, by: By) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let titles = MEASURES.iter().map(|measure| measure.title);
    writer.write_record(std::iter::once(by.name()).chain(titles))?;
    for row in &report.rows {
        let name = row.name.clone().unwrap_or_default();
        let sums = MEASURES.iter().map(|measure| (measure.get)(&row.totals).to_string());
        writer.write_record(std::iter::once(name).chain(sums))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A moment to the millisecond, always as wide.
fn millis(at: Timestamp) -> String {
    const MILLI: i64 = 1_000_000;
    let whole = Timestamp::from_nanos(at.nanos().div_euclid(1_000 * MILLI).saturating_mul(1_000 * MILLI));
    let text = whole.to_string();
    let seconds = text.strip_suffix('Z').unwrap_or(&text);
    format!("{seconds}.{:03}Z", at.nanos().rem_euclid(1_000 * MILLI) / MILLI)
}

/// The model; where another one answered, both.
fn models(event: &CostEvent) -> String {
    let asked = event.model.as_deref().filter(|name| !name.is_empty());
    let answered = event.response_model.as_deref().filter(|name| !name.is_empty());
    match (asked, answered) {
        (Some(asked), Some(answered)) if !is_dated(answered, asked) => {
            format!("{}→{}", group_text(asked), group_text(answered))
        }
        (asked, answered) => group_text(asked.or(answered).unwrap_or("(no model)")),
    }
}

/// Whether a name is the other one, or the other one with a date or a version behind it.
fn is_dated(name: &str, base: &str) -> bool {
    let digits = |rest: &str| {
        let rest = rest.strip_prefix(['-', '@']);
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
    };
    name == base || name.strip_prefix(base).is_some_and(digits)
}

/// One event on one line.
pub(crate) fn line(event: &CostEvent) -> String {
    let or = |text: Option<&str>, fallback: &str| group_text(text.unwrap_or(fallback));
    let known = event.retry_cost_usd.filter(|retry| *retry > Usd::ZERO);
    let cost = match (event.state, event.billed_usd.or(event.cost_usd).or(known)) {
        (EventState::Void, _) => "void".to_owned(),
        (_, Some(amount)) => dollars(amount, event.billed_usd.is_none()),
        (_, None) => format!("unpriced ({})", or(event.cost_reason.as_deref(), "no reason")),
    };
    let mut line = format!(
        "{}  {:<14} {:<22} {:<12} {:<18} {:>8} in {:>7} out  {cost}",
        millis(event.timestamp),
        or(event.feature.as_deref(), "(no feature)"),
        or(event.route.as_deref(), "(no route)"),
        or(event.customer_id.as_deref(), "(no customer)"),
        models(event),
        grouped(event.prompt_tokens.unwrap_or_default()),
        grouped(event.completion_tokens.unwrap_or_default() + event.reasoning_tokens.unwrap_or_default()),
    );
    if let Some(error) = &event.error_code {
        line.push_str(&format!("  failed: {}", group_text(error)));
    }
    if event.attempts > 1 {
        line.push_str(&format!("  {} attempts", event.attempts));
    }
    line
}

fn group_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use spanledger_ledger::ReportRow;

    use super::*;

    fn sample() -> Report {
        let row = |name: Option<&str>, billed: i128, unpriced| ReportRow {
            name: name.map(str::to_owned),
            totals: Totals {
                requests: 1_234,
                attempts: 1_300,
                retried: 2,
                unpriced,
                prompt_tokens: 1_000_000,
                cached_tokens: 250_000,
                completion_tokens: 20_000,
                reasoning_tokens: 5_000,
                billed: Usd::from_picos(billed),
                ..Totals::default()
            },
        };
        let rows = vec![row(Some("search, \"fast\""), 12_500_000_000_001, 0), row(None, 1_000_000, 3)];
        let total = Totals {
            requests: 2_468,
            billed: Usd::from_picos(12_500_001_000_001),
            unpriced: 3,
            ..Totals::default()
        };
        Report { rows, total }
    }

    #[test]
    fn a_table_is_for_people() {
        expect![[r#"
            ┌────────────────┬──────────┬────────┬─────────┬──────────┬───────────┬────────┬────────┬─────────────┬─────────┐
            │ feature        ┆ requests ┆ failed ┆ retried ┆ unpriced ┆     input ┆ cached ┆ output ┆   spend USD ┆   share │
            ╞════════════════╪══════════╪════════╪═════════╪══════════╪═══════════╪════════╪════════╪═════════════╪═════════╡
            │ search, "fast" ┆    1,234 ┆      – ┆       2 ┆        – ┆ 1,000,000 ┆ 25.0 % ┆ 25,000 ┆   12.500000 ┆ 100.0 % │
            │ (no feature)   ┆    1,234 ┆      – ┆       2 ┆        3 ┆ 1,000,000 ┆ 25.0 % ┆ 25,000 ┆  ≥ 0.000001 ┆   0.0 % │
            │ total          ┆    2,468 ┆      – ┆       – ┆        3 ┆         0 ┆      – ┆      0 ┆ ≥ 12.500001 ┆ 100.0 % │
            └────────────────┴──────────┴────────┴─────────┴──────────┴───────────┴────────┴────────┴─────────────┴─────────┘
        "#]].assert_eq(&table(&sample(), By::Feature));
    }

    #[test]
    fn csv_and_json_are_exact() {
        expect![[r#"
            feature,requests,attempts,failed,retried,unpriced,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,billed_usd,retry_cost_usd
            "search, ""fast""",1234,1300,0,2,0,1000000,250000,20000,5000,12.500000000001,0
            ,1234,1300,0,2,3,1000000,250000,20000,5000,0.000001,0
        "#]].assert_eq(&csv(&sample(), By::Feature).unwrap());
        let json = json(&sample(), By::Feature).unwrap();
        assert!(json.contains("\"billed_usd\": 12.500000000001"), "{json}");
        assert!(json.contains("\"name\": null"), "{json}");
    }

    #[test]
    fn an_event_is_a_line_of_even_columns() {
        let text = |at: &str, answered: Option<&str>| {
            let event = CostEvent {
                timestamp: Timestamp::parse(at).unwrap(),
                model: Some("gpt-5.5".to_owned()),
                response_model: answered.map(str::to_owned),
                ..CostEvent::default()
            };
            line(&event)
        };
        let whole = text("2026-11-01T10:00:00Z", None);
        assert!(whole.starts_with("2026-11-01T10:00:00.000Z  (no feature)"), "{whole}");
        let dated = text("2026-11-01T10:00:00.1239Z", Some("gpt-5.5-2026-04-23"));
        assert!(dated.starts_with("2026-11-01T10:00:00.123Z  (no feature)"), "{dated}");
        assert!(dated.contains(" gpt-5.5  "), "{dated}");
        assert!(text("2026-11-01T10:00:00Z", Some("gpt-5-mini")).contains(" gpt-5.5→gpt-5-mini "));
    }

    #[test]
    fn amounts_and_shares() {
        assert_eq!(dollars(Usd::from_picos(1_500_000), false), "0.000002");
        assert_eq!(dollars(Usd::from_picos(2_500_000_000_000), true), "≥ 2.500000");
        assert_eq!(
            (grouped(-1_234_567), grouped(999), grouped(1_000)),
            ("-1,234,567".into(), "999".into(), "1,000".into())
        );
        assert_eq!(
            (percent(1, 3), percent(0, 0), percent(2, 3)),
            ("33.3 %".into(), "–".into(), "66.7 %".into())
        );
    }
}
