//! `price`: what one call costs, or many.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::support::{run, run_with_input, spanledger, stderr, stdout};

const VECTORS: &str = include_str!("../../crates/spanledger-price/tests/data/vectors.jsonl");
const JUDGED_WRONG: &str = include_str!("../../crates/spanledger-price/tests/data/judged_wrong.toml");

fn answers(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A decimal number as whole picodollars.
fn picos(text: &str) -> i128 {
    text.parse::<spanledger_event::Usd>().unwrap().picos()
}

/// An answer of a batch, its amounts digit by digit.
#[derive(serde::Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    cost_usd: Option<Amount<'a>>,
    #[serde(borrow)]
    lines: Vec<Line<'a>>,
}

#[derive(serde::Deserialize)]
struct Line<'a> {
    kind: &'a str,
    unit: String,
    #[serde(borrow)]
    quantity: Amount<'a>,
    #[serde(borrow)]
    rate: Amount<'a>,
    #[serde(borrow)]
    usd: Amount<'a>,
}

type Amount<'a> = &'a serde_json::value::RawValue;

/// Whether an amount is a number literal of JSON, not a string.
fn is_number(amount: Amount<'_>) -> bool {
    serde_json::from_str::<serde_json::Number>(amount.get()).is_ok()
}

/// Scenario: every vector of the price engine is priced by the binary.
/// Guarantees: the answers are in order, each has the expected cost or a reason, and adds up.
#[test]
fn the_vectors_agree_through_the_binary() {
    let exceptions: BTreeSet<String> = JUDGED_WRONG.parse::<toml::Table>().unwrap().keys().cloned().collect();
    let output = run_with_input(&["price", "--batch", "-"], VECTORS);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let answers = answers(&output);
    assert_eq!(answers.len(), VECTORS.lines().count());
    let mut priced = 0;
    let texts = stdout(&output);
    for ((line, answer), text) in VECTORS.lines().zip(&answers).zip(texts.lines()) {
        let vector: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["id"], vector["id"]);
        let id = vector["id"].as_str().unwrap();
        assert!(answer["price_version"].as_str().unwrap().contains('+'), "{answer}");
        if exceptions.contains(id) {
            continue;
        }
        let expected = vector["expected_cost_usd"].as_str();
        match expected {
            Some(expected) => {
                let Answer { cost_usd: Some(cost), lines } = serde_json::from_str(text).unwrap() else {
                    panic!("{answer}")
                };
                assert!(is_number(cost), "{answer}");
                let (cost, expected) = (picos(cost.get()), picos(expected));
                assert!((cost - expected).abs() <= 1, "{id}: {cost}, not {expected}");
                assert_eq!((&answer["cost_state"], &answer["cost_reason"]), (&"priced".into(), &Value::Null));
                let sum: i128 = lines.iter().map(|line| picos(line.usd.get())).sum();
                assert_eq!(sum, cost, "{answer}");
                for line in lines {
                    assert!(!line.kind.is_empty() && !line.unit.is_empty(), "{answer}");
                    assert!(is_number(line.quantity) && is_number(line.rate), "{answer}");
                }
                priced += 1;
            }
            None => {
                assert_eq!((&answer["cost_usd"], &answer["cost_state"]), (&Value::Null, &"unpriced".into()));
                assert!(answer["cost_reason"].is_string() && answer["cost_detail"].is_string(), "{answer}");
            }
        }
    }
    assert!(priced > 140, "{priced}");
}

/// Scenario: a provider or a gateway answered with zeros where it knows no counts.
/// Guarantees: `price` says what `serve` says, in both of its forms.
#[test]
fn an_all_zero_usage_is_unpriced() {
    const ZEROS: &str = r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}"#;
    let one = run_with_input(&["price", "--model", "gpt-5.5", "--usage", "-", "--format", "json"], ZEROS);
    assert_eq!(one.status.code(), Some(1));
    let line = format!(r#"{{"provider": "openai", "model": "gpt-5.5", "usage": {ZEROS}}}"#);
    let batch = run_with_input(&["price", "--batch", "-"], &line);
    for answer in [serde_json::from_str(&stdout(&one)).unwrap(), answers(&batch).remove(0)] {
        assert_eq!(
            (&answer["cost_usd"], &answer["cost_reason"]),
            (&Value::Null, &"no_usage".into()),
            "{answer}"
        );
    }
}

/// Scenario: some lines of a batch do not describe a call.
/// Guarantees: each line that is not blank has its answer, and the end says how many were wrong.
#[test]
fn a_bad_line_does_not_stop_a_batch() {
    let lines = [
        r#"{"id": 1, "provider": "openai", "model": "gpt-5.5", "priced_at": "2026-11-15", "usage": {"input_tokens": 1000, "output_tokens": 0}}"#,
        "",
        "nonsense",
        r#"{"id": "no-provider", "model": "gpt-5.5", "usage": null}"#,
        r#"{"id": "null", "provider": "openai", "model": "gpt-5.5", "usage": null, "service_tier": null}"#,
        r#"{"id": "text", "provider": "openai", "model": "gpt-5.5", "usage": "many"}"#,
        r#"{"id": "when", "provider": "openai", "model": "gpt-5.5", "priced_at": "7d", "usage": {}}"#,
        r#"["openai", "gpt-5.5"]"#,
        r#"{"id": "worse", "provider": "openai", "model": "gpt-5.5", "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 0}}"#,
        r#"{"id": "tier", "provider": "openai", "model": "gpt-5.5", "priced_at": "2026-11-15T10:00:00+02:00", "usage": {"input_tokens": 1000, "output_tokens": 0, "service_tier": "batch"}}"#,
        "   \t ",
        r#"{"id": "last", "provider": "openai", "model": "nobody", "api": "telepathy", "usage": {"input_tokens": 1, "output_tokens": 1}}"#,
    ];
    // Line ends of Windows, a byte order mark at the start, no line end at the end.
    let input = format!("\u{feff}{}", lines.join("\r\n"));
    let output = run_with_input(&["price", "--batch", "-", "--at", "2026-11-15"], &input);
    assert_eq!(output.status.code(), Some(1));
    let talk = stderr(&output);
    assert!(talk.contains("5 lines were not understood") && talk.contains("2 priced"), "{talk}");
    let answers = answers(&output);
    let of = |index: usize, key: &str| answers[index][key].clone();
    let ids: Vec<Value> = answers.iter().map(|answer| answer["id"].clone()).collect();
    let expected =
        serde_json::json!([1, null, "no-provider", "null", "text", "when", null, "worse", "tier", "last"]);
    assert_eq!(Value::Array(ids), expected);
    assert_eq!(of(0, "cost_usd"), 0.005);
    assert!(
        of(1, "cost_detail").as_str().unwrap().starts_with("line 3: the line is not JSON"),
        "{answers:#?}"
    );
    assert!(of(2, "cost_detail").as_str().unwrap().starts_with("line 4: `provider` is missing"));
    assert_eq!(of(3, "cost_reason"), "no_usage");
    assert!(of(4, "cost_detail").as_str().unwrap().starts_with("line 6: `usage` is \"many\""));
    assert!(of(5, "cost_detail").as_str().unwrap().contains("`priced_at` is 7d"));
    assert!(of(6, "cost_detail").as_str().unwrap().contains("not a JSON object"));
    assert_eq!(of(7, "cost_reason"), "contradictory_usage");
    assert_eq!(of(8, "cost_usd"), 0.0025, "the tier stands in the usage");
    assert_eq!(of(9, "cost_reason"), "unknown_model");
}

/// Guarantees: a JSON document is refused once, with the command that makes lines of it.
#[test]
fn a_document_is_not_a_batch() {
    for document in
        ["{\n  \"vectors\": [\n", "{ \"vectors\": [{\"id\": 1}]}", "[\n{\"id\": 1}]", "[{\"id\": 1}]"]
    {
        let output = run_with_input(&["price", "--batch", "-"], document);
        assert_eq!(output.status.code(), Some(1), "{document}");
        assert!(output.stdout.is_empty(), "{document}");
        let talk = stderr(&output);
        assert!(talk.contains("standard input:1") && talk.contains("jq -c"), "{talk}");
    }
}

/// Scenario: a program that writes a line, waits for the answer, and writes the next.
/// Guarantees: the answer comes before the next line is needed.
#[test]
fn each_line_is_answered_before_the_next_is_read() {
    let mut child = spanledger()
        .args(["price", "--batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in VECTORS.lines().take(3) {
        writeln!(stdin, "{line}").unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], serde_json::from_str::<Value>(line).unwrap()["id"]);
    }
    drop(stdin);
    assert!(answers.next().is_none() && child.wait().unwrap().success());
}

/// Guarantees: a closed pipe is not an error.
#[test]
fn a_reader_that_goes_away_ends_the_batch_quietly() {
    let mut child = spanledger()
        .args(["price", "--batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..20 {
        // The program may have ended.
        drop(stdin.write_all(VECTORS.as_bytes()));
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
}

pub(crate) const USAGE: &str = r#"{"input_tokens": 10000, "input_tokens_details": {"cached_tokens": 8000}, "output_tokens": 1200,
    "output_tokens_details": {"reasoning_tokens": 1000}, "odd": {"things": 3}}"#;

/// Guarantees: the answer for one call shows its lines, the entry, its sources, and what was not used.
#[test]
fn one_call_is_explained() {
    let ask = |more: &[&str]| {
        let mut all = vec!["price", "--model", "gpt-5.5-2026-04-23", "--usage", "-", "--at", "2026-11-15"];
        all.extend(more);
        run_with_input(&all, USAGE)
    };
    let output = ask(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let row = |kind: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(&format!("│ {kind} "))).unwrap();
        line.split(['│', '┆']).map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
    };
    assert_eq!(row("cached_input"), ["cached_input", "8,000", "0.50", "1M tokens", "0.004"]);
    assert_eq!(row("total"), ["total", "0.050"]);
    for words in [
        "billed as gpt-5.5",
        "from 2026-04-23",
        "openai_pricing_2026_09: copy of https://",
        "read on 2026-11-20",
        "odd.things=3",
        "price book    2026-",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");

    let json: Value = serde_json::from_str(&stdout(&ask(&["--format", "json", "--region", "eu"]))).unwrap();
    assert_eq!(json["cost_usd"].to_string(), "0.055");
    assert_eq!(json["lines"][0]["unit"], "1M tokens, eu ×1.1");
    assert_eq!(json["usage"]["tokens"]["reasoning"], 1000);
    assert_eq!(json["not_understood"][0], "odd.things=3");
    assert_eq!(json["entry"]["sources"][0]["id"], "openai_pricing_2026_09");
    assert_eq!(json["priced_at"], "2026-11-15T00:00:00Z");

    let batch: Value =
        serde_json::from_str(&stdout(&ask(&["--format", "json", "--endpoint", "batch"]))).unwrap();
    assert_eq!((batch["tier"].as_str(), batch["cost_usd"].to_string()), (Some("batch"), "0.025".to_owned()));

    let unpriced = ask(&["--service-tier", "ultrafast"]);
    assert_eq!(unpriced.status.code(), Some(1));
    assert!(stdout(&unpriced).contains("no_rate_for_tier"), "{}", stdout(&unpriced));

    let unknown = run_with_input(&["price", "--model", "gtp-5.5", "--usage", "-"], USAGE);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stdout(&unknown).contains("unknown_model") && stderr(&unknown).contains("did you mean gpt-5.5"));
}

/// Guarantees: the mistake is reported once, with its place.
#[test]
fn input_that_is_not_a_usage_is_an_error() {
    let fails = |input: &str, words: &[&str]| {
        let output = run_with_input(&["price", "--model", "gpt-5.5", "--usage", "-"], input);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(output.stdout.is_empty() && text.lines().count() == 1, "{text}");
        for word in words {
            assert_eq!(text.matches(word).count(), 1, "{word}: {text}");
        }
    };
    fails("nonsense", &["error: standard input: ", "not JSON", "line 1"]);
    fails("{}", &["error: standard input: ", "neither"]);
    fails("[1]", &["error: standard input: ", "not a JSON object"]);
    let missing = run(&["price", "--model", "gpt-5.5", "--usage", "/no/such/file"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("/no/such/file cannot be read: No such file"), "{}", stderr(&missing));
    assert_eq!(run(&["price", "--usage", "-"]).status.code(), Some(2));
    assert_eq!(run(&["price", "--batch", "-", "--model", "x"]).status.code(), Some(2));
}

/// Scenario: only the usage names the tier and the region.
/// Guarantees: they decide the price of one call, unless an option names others; and the price of a line of a
/// batch, where the ordinary word of the line does not hide them.
#[test]
fn tier_and_region_in_the_usage_decide_the_price() {
    let usage =
        r#"{"input_tokens": 1000, "output_tokens": 0, "service_tier": "batch", "inference_geo": "us"}"#;
    let arguments = [
        "price",
        "--usage",
        "-",
        "--provider",
        "anthropic",
        "--model",
        "claude-opus-4-6",
        "--format",
        "json",
    ];
    let single = |more: &[&str]| {
        let output = run_with_input(&[&arguments[..], more].concat(), usage);
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        answer["cost_usd"].to_string()
    };
    assert_eq!(single(&[]), "0.00275", "1,000 × 2.5 per million × 1.1");
    assert_eq!(single(&["--service-tier", "standard", "--region", "global"]), "0.005");

    let line = |more: &str| {
        format!(r#"{{"provider": "anthropic", "model": "claude-opus-4-6", {more} "usage": {usage}}}"#)
    };
    let lines = [line(""), line(r#""service_tier": "standard", "region": "global","#)].join("\n");
    let costs: Vec<Value> = answers(&run_with_input(&["price", "--batch", "-"], &lines))
        .iter()
        .map(|a| a["cost_usd"].clone())
        .collect();
    assert_eq!(costs, [0.00275, 0.00275]);
}
