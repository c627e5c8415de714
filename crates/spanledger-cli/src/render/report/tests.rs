use expect_test::expect;
use spanledger_ledger::{GroupBy, ReportRow};

use super::*;

fn row(name: Option<&str>, billed: i128, unpriced: i64) -> ReportRow {
    ReportRow {
        name: name.map(str::to_owned),
        totals: Totals {
            requests: 1_234,
            attempts: 1_300,
            retried: 2,
            unpriced,
            prompt_tokens: 1_000_000,
            cache_known_prompt_tokens: 1_000_000,
            cached_tokens: 250_000,
            completion_tokens: 20_000,
            reasoning_tokens: 5_000,
            billed: Usd::from_picos(billed),
            ..Totals::default()
        },
    }
}

fn sample() -> Report {
    let rows = vec![row(Some("search, \"fast\""), 12_500_000_000_001, 0), row(None, 1_000_000, 3)];
    let total = Totals {
        requests: 2_468,
        billed: Usd::from_picos(12_500_001_000_001),
        unpriced: 3,
        ..Totals::default()
    };
    Report { rows, total }
}

fn show(report_: &Report, format: ReportFormat, width: Option<usize>) -> String {
    let query = Query {
        since: Timestamp::parse("2026-11-01T00:00:00Z"),
        environment: Some("production".to_owned()),
        ..Query::by(GroupBy::Feature)
    };
    let failed = vec![Reason { name: "server_error".to_owned(), detail: None, requests: 3 }];
    let reasons = Reasons { failed, ..Reasons::default() };
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let view = View {
        ledger: Path::new("spanledger.db"),
        by: By::Feature,
        query: &query,
        period: Some((at("2026-11-01T10:00:00.5Z"), at("2026-11-21T10:00:00Z"))),
        report: report_,
        reasons: &reasons,
    };
    report(&view, format, width).unwrap()
}

#[test]
fn a_table_has_a_heading_and_the_reasons_of_failures() {
    expect![[r#"
        Spend by feature in production
        period  from 2026-11-01: 2026-11-01 10:00:00 to 2026-11-21 10:00:00 UTC
        ledger  spanledger.db
        ┌────────────────┬──────────┬────────┬─────────┬──────────┬───────────┬────────┬────────┬─────────────┬─────────┐
        │ feature        ┆ requests ┆ failed ┆ retried ┆ unpriced ┆     input ┆ cached ┆ output ┆   spend USD ┆   share │
        ╞════════════════╪══════════╪════════╪═════════╪══════════╪═══════════╪════════╪════════╪═════════════╪═════════╡
        │ search, "fast" ┆    1,234 ┆      – ┆       2 ┆        – ┆ 1,000,000 ┆ 25.0 % ┆ 25,000 ┆   12.500000 ┆ 100.0 % │
        │ (no feature)   ┆    1,234 ┆      – ┆       2 ┆        3 ┆ 1,000,000 ┆ 25.0 % ┆ 25,000 ┆  ≥ 0.000001 ┆   0.0 % │
        │ total          ┆    2,468 ┆      – ┆       – ┆        3 ┆         0 ┆      – ┆      0 ┆ ≥ 12.500001 ┆ 100.0 % │
        └────────────────┴──────────┴────────┴─────────┴──────────┴───────────┴────────┴────────┴─────────────┴─────────┘

        Failed      3 requests, by error
                       3 × server_error
    "#]].assert_eq(&show(&sample(), ReportFormat::Table, None));
}

#[test]
fn a_narrow_terminal_gets_fewer_columns() {
    expect![[r#"
        Spend by feature in production
        period  from 2026-11-01: 2026-11-01 10:00:00 to 2026-11-21 10:00:00 UTC
        ledger  spanledger.db
        ┌────────────────┬──────────┬───────────┬────────┬─────────────┬─────────┐
        │ feature        ┆ requests ┆     input ┆ output ┆   spend USD ┆   share │
        ╞════════════════╪══════════╪═══════════╪════════╪═════════════╪═════════╡
        │ search, "fast" ┆    1,234 ┆ 1,000,000 ┆ 25,000 ┆   12.500000 ┆ 100.0 % │
        │ (no feature)   ┆    1,234 ┆ 1,000,000 ┆ 25,000 ┆  ≥ 0.000001 ┆   0.0 % │
        │ total          ┆    2,468 ┆         0 ┆      0 ┆ ≥ 12.500001 ┆ 100.0 % │
        └────────────────┴──────────┴───────────┴────────┴─────────────┴─────────┘
        Left out for this width: cached, retried, failed, unpriced (--format csv has
        them).

        Failed      3 requests, by error
                       3 × server_error
    "#]]
    .assert_eq(&show(&sample(), ReportFormat::Table, Some(80)));
}

/// Scenario: half of a group's input comes from an instrumentation that leaves out cached tokens.
#[test]
fn unstated_cached_tokens_are_not_zero_and_make_an_upper_bound() {
    let mut some = row(Some("search"), 2_000_000_000_000, 0);
    (some.totals.cost_upper_bound, some.totals.cache_known_prompt_tokens) = (600, 500_000);
    let mut none = row(Some("batch"), 1_000_000_000_000, 0);
    (none.totals.cost_upper_bound, none.totals.cache_known_prompt_tokens) = (1_234, 0);
    none.totals.cached_tokens = 0;
    let total = some.totals.plus(&none.totals);
    let report = Report { rows: vec![some, none], total };
    expect![[r"
        Spend by feature in production
        period  from 2026-11-01: 2026-11-01 10:00:00 to 2026-11-21 10:00:00 UTC
        ledger  spanledger.db
        ┌─────────┬──────────┬────────┬─────────┬──────────┬───────────┬────────┬────────┬────────────┬─────────┐
        │ feature ┆ requests ┆ failed ┆ retried ┆ unpriced ┆     input ┆ cached ┆ output ┆  spend USD ┆   share │
        ╞═════════╪══════════╪════════╪═════════╪══════════╪═══════════╪════════╪════════╪════════════╪═════════╡
        │ search  ┆    1,234 ┆      – ┆       2 ┆        – ┆ 1,000,000 ┆ 50.0 % ┆ 25,000 ┆ ≤ 2.000000 ┆  66.7 % │
        │ batch   ┆    1,234 ┆      – ┆       2 ┆        – ┆ 1,000,000 ┆      – ┆ 25,000 ┆ ≤ 1.000000 ┆  33.3 % │
        │ total   ┆    2,468 ┆      – ┆       4 ┆        – ┆ 2,000,000 ┆ 50.0 % ┆ 50,000 ┆ ≤ 3.000000 ┆ 100.0 % │
        └─────────┴──────────┴────────┴─────────┴──────────┴───────────┴────────┴────────┴────────────┴─────────┘

        Failed      3 requests, by error
                       3 × server_error
        Upper bound 1,834 requests do not state the cached tokens, which are cheaper than other input: the
                    real spend may be lower (≤)
    "]].assert_eq(&show(&report, ReportFormat::Table, None));
    let json: serde_json::Value = serde_json::from_str(&show(&report, ReportFormat::Json, None)).unwrap();
    assert_eq!(
        (&json["total"]["cost_upper_bound"], &json["total"]["cost_uncertain"]),
        (&1_834.into(), &0.into())
    );
}

#[test]
fn a_group_without_any_price_has_no_number() {
    let report = Report { rows: vec![row(Some("new"), 0, 1_234)], total: row(None, 0, 1_234).totals };
    let text = show(&report, ReportFormat::Table, None);
    assert_eq!(text.matches(" unpriced ┆").count(), 3, "the title and two cells: {text}");
}

#[test]
fn csv_is_exact_and_no_cell_is_a_formula() {
    let mut report = sample();
    report.rows.push(row(Some("=HYPERLINK(\"http://x\")"), 0, 0));
    expect![[r#"
        feature,requests,attempts,failed,retried,unpriced,cost_upper_bound,cost_uncertain,prompt_tokens,cache_known_prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,billed_usd,retry_cost_usd
        "search, ""fast""",1234,1300,0,2,0,0,0,1000000,1000000,250000,20000,5000,12.500000000001,0
        ,1234,1300,0,2,3,0,0,1000000,1000000,250000,20000,5000,0.000001,0
        "'=HYPERLINK(""http://x"")",1234,1300,0,2,0,0,0,1000000,1000000,250000,20000,5000,0,0
    "#]].assert_eq(&show(&report, ReportFormat::Csv, Some(80)));
}

#[test]
fn json_has_exact_numbers_the_period_and_the_reasons() {
    let mut report = sample();
    report.rows.push(row(Some("\u{9b}2J\u{202e}"), 0, 0));
    let json = show(&report, ReportFormat::Json, Some(80));
    assert!(json.contains("\"billed_usd\": 12.500000000001"), "{json}");
    assert!(json.is_ascii(), "control characters are escaped: {json}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["by"], &value["ledger"]), (&"feature".into(), &"spanledger.db".into()));
    assert_eq!(value["since"], "2026-11-01T00:00:00Z");
    assert_eq!(value["until"], serde_json::Value::Null);
    assert_eq!(value["last_event"], "2026-11-21T10:00:00Z");
    assert_eq!(value["rows"][1]["name"], serde_json::Value::Null);
    assert_eq!(value["rows"][2]["name"], "\u{9b}2J\u{202e}");
    assert_eq!(value["reasons"]["failed"][0]["reason"], "server_error");
    assert_eq!(value["reasons"]["retried"]["requests"], 0);
}
