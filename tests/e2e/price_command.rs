//! The command `price`, for one call and for batches.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    process::{Output, Stdio},
};

use serde_json::Value;
use spanledger_event::{CostLine, Usd};

use crate::support::{run, run_with_input, spanledger, stderr, stdout};

const VECTORS: &str = include_str!("../../crates/spanledger-price/tests/data/vectors.jsonl");
const JUDGED_WRONG: &str = include_str!("../../crates/spanledger-price/tests/data/judged_wrong.toml");

fn answers(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The amounts of an answer, exactly as they are written.
#[derive(serde::Deserialize)]
struct Amounts {
    cost_usd: Usd,
    lines: Vec<CostLine>,
}

/// One vector for each combination of provider, API, tier and region, and each vector that has no
/// price. The price crate's own tests price all vectors. These tests check that the program reads
/// every field of a line and writes the whole answer.
fn sample() -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let is_new = |line: &&str| {
        let vector: Value = serde_json::from_str(line).unwrap();
        let fields = ["provider", "api", "service_tier", "region"].map(|field| vector[field].to_string());
        vector["expected_cost_usd"].is_null() || seen.insert(fields)
    };
    VECTORS.lines().filter(is_new).collect()
}

/// Guarantees: the answers are in the order of the lines, each has the expected cost or a reason, and
/// the lines of a cost add up to it.
#[test]
fn vectors_have_their_cost_through_the_program() {
    let wrong: BTreeSet<String> = JUDGED_WRONG.parse::<toml::Table>().unwrap().keys().cloned().collect();
    let sample = sample();
    let output = run_with_input(&["price", "--batch", "-"], &sample.join("\n"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let text = stdout(&output);
    assert_eq!(text.lines().count(), sample.len());
    for (line, answer_text) in sample.into_iter().zip(text.lines()) {
        let vector: Value = serde_json::from_str(line).unwrap();
        let answer: Value = serde_json::from_str(answer_text).unwrap();
        assert_eq!(answer["id"], vector["id"]);
        assert!(answer["price_version"].is_string(), "{answer}");
        if wrong.contains(vector["id"].as_str().unwrap()) {
            continue;
        }
        let Some(expected) = vector["expected_cost_usd"].as_str() else {
            assert_eq!((&answer["cost_usd"], &answer["cost_state"]), (&Value::Null, &"unpriced".into()));
            assert!(answer["cost_reason"].is_string() && answer["cost_detail"].is_string(), "{answer}");
            continue;
        };
        assert_eq!((&answer["cost_state"], &answer["cost_reason"]), (&"priced".into(), &Value::Null));
        assert!(answer["cost_usd"].is_number(), "{answer}");
        for line in answer["lines"].as_array().unwrap() {
            assert!(["quantity", "rate", "usd"].iter().all(|key| line[*key].is_number()), "{answer}");
        }
        let amounts: Amounts = serde_json::from_str(answer_text).unwrap();
        // The sources of the vectors rounded some costs to the picodollar in another way.
        let difference = amounts.cost_usd.picos() - expected.parse::<Usd>().unwrap().picos();
        assert!(difference.abs() <= 1, "not {expected}: {answer}");
        assert_eq!(amounts.lines.iter().map(|line| line.usd).sum::<Usd>(), amounts.cost_usd, "{answer}");
    }
}

/// Scenario: a provider or a gateway reports zeros because it does not know the counts.
/// Guarantees: `price` gives the same reason as `serve`, for one call and in a batch.
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

/// Scenario: some lines of a batch are not calls.
/// Guarantees: each line that is not blank gets an answer, and the summary counts the lines that were not
/// understood.
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
    // The input has a byte order mark, line ends of Windows, and no line end after the last line.
    let input = format!("\u{feff}{}", lines.join("\r\n"));
    let output = run_with_input(&["price", "--batch", "-", "--at", "2026-11-15"], &input);
    assert_eq!(output.status.code(), Some(1));
    let messages = stderr(&output);
    assert!(messages.contains("5 lines were not valid") && messages.contains("2 priced"), "{messages}");
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
    assert_eq!(of(8, "cost_usd"), 0.0025, "the tier is in the usage");
    assert_eq!(of(9, "cost_reason"), "unknown_model");
}

/// Guarantees: a JSON document is refused with one error, which says how to convert it to lines.
#[test]
fn a_json_document_is_refused_as_a_batch() {
    for document in
        ["{\n  \"vectors\": [\n", "{ \"vectors\": [{\"id\": 1}]}", "[\n{\"id\": 1}]", "[{\"id\": 1}]"]
    {
        let output = run_with_input(&["price", "--batch", "-"], document);
        assert_eq!(output.status.code(), Some(1), "{document}");
        assert!(output.stdout.is_empty(), "{document}");
        let messages = stderr(&output);
        assert!(messages.contains("standard input:1") && messages.contains("jq -c"), "{messages}");
    }
}

/// Scenario: another program writes a line, waits for the answer, and then writes the next line.
#[test]
fn each_line_is_answered_before_the_next_one_is_written() {
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

/// When the reader goes away, as `head` does, the program ends without an error.
#[test]
fn a_closed_standard_output_ends_a_batch_without_an_error() {
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
        // Writing fails if the program has ended already.
        drop(stdin.write_all(VECTORS.as_bytes()));
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
}

pub(crate) const USAGE: &str = r#"{"input_tokens": 10000, "input_tokens_details": {"cached_tokens": 8000}, "output_tokens": 1200,
    "output_tokens_details": {"reasoning_tokens": 1000}, "odd": {"things": 3}}"#;

/// `price` explains one call line by line.
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

/// Guarantees: input that is not a usage gets one error, which names the place of the mistake.
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

/// Scenario: only the usage states the tier and the region.
/// Guarantees: they decide the price of one call, unless the options name others. In a batch, `standard` and
/// `global` on a line do not override them.
#[test]
fn the_tier_and_the_region_of_the_usage_are_billed() {
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
