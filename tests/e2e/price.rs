//! `price` and `prices`: what a person asks of the price book.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::support::{run, spanledger, stderr, stdout};

const VECTORS: &str = include_str!("../../crates/spanledger-price/tests/data/vectors.jsonl");
const JUDGED_WRONG: &str = include_str!("../../crates/spanledger-price/tests/data/judged_wrong.toml");

/// Runs it with something on standard input.
fn piped(arguments: &[&str], input: &str) -> Output {
    let mut child = spanledger()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // The pipes are small: who writes must not wait for who reads.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn answers(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A decimal number as whole picodollars.
fn picos(text: &str) -> i128 {
    text.parse::<spanledger_event::Usd>().unwrap().picos()
}

/// Scenario: every vector of the price engine through the binary.
/// Guarantees: the answers are in order, each has the expected cost or a reason, and adds up.
#[test]
fn the_vectors_agree_through_the_binary() {
    let exceptions: BTreeSet<String> = JUDGED_WRONG.parse::<toml::Table>().unwrap().keys().cloned().collect();
    let output = piped(&["price", "--batch", "-"], VECTORS);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let answers = answers(&output);
    assert_eq!(answers.len(), VECTORS.lines().count());
    let mut priced = 0;
    for (line, answer) in VECTORS.lines().zip(&answers) {
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
                let cost = answer["cost_usd"].as_str().unwrap_or_else(|| panic!("{answer}"));
                assert!((picos(cost) - picos(expected)).abs() <= 1, "{id}: {cost}, not {expected}");
                assert_eq!((&answer["cost_state"], &answer["cost_reason"]), (&"priced".into(), &Value::Null));
                let lines = answer["lines"].as_array().unwrap();
                let sum: i128 = lines.iter().map(|line| picos(line["usd"].as_str().unwrap())).sum();
                assert_eq!(sum, picos(cost), "{answer}");
                for line in lines {
                    for key in ["kind", "quantity", "unit", "rate", "usd"] {
                        assert!(line[key].is_string(), "{key}: {answer}");
                    }
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

/// Scenario: lines that are no calls, among lines that are.
/// Guarantees: each line that is not blank has its answer, and the end says that some were wrong.
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
    // Line ends of Windows, a mark at the start, none at the end.
    let input = format!("\u{feff}{}", lines.join("\r\n"));
    let output = piped(&["price", "--batch", "-", "--at", "2026-11-15"], &input);
    assert_eq!(output.status.code(), Some(1));
    let talk = stderr(&output);
    assert!(talk.contains("5 lines were not understood") && talk.contains("2 priced"), "{talk}");
    let answers = answers(&output);
    let of = |index: usize, key: &str| answers[index][key].clone();
    let ids: Vec<Value> = answers.iter().map(|answer| answer["id"].clone()).collect();
    let expected =
        serde_json::json!([1, null, "no-provider", "null", "text", "when", null, "worse", "tier", "last"]);
    assert_eq!(Value::Array(ids), expected);
    assert_eq!(of(0, "cost_usd"), "0.005");
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
    assert_eq!(of(8, "cost_usd"), "0.0025", "the tier stands in the usage");
    assert_eq!(of(9, "cost_reason"), "unknown_model");
}

/// A whole document is refused once, with the way to make lines of it.
#[test]
fn a_document_is_not_a_batch() {
    for document in
        ["{\n  \"vectors\": [\n", "{ \"vectors\": [{\"id\": 1}]}", "[\n{\"id\": 1}]", "[{\"id\": 1}]"]
    {
        let output = piped(&["price", "--batch", "-"], document);
        assert_eq!(output.status.code(), Some(1), "{document}");
        assert!(output.stdout.is_empty(), "{document}");
        let talk = stderr(&output);
        assert!(talk.contains("standard input:1") && talk.contains("jq -c"), "{talk}");
    }
}

/// Scenario: a program that writes a line, waits for the answer, and writes the next.
/// Guarantees: it never waits in vain.
#[test]
fn a_line_is_answered_when_it_comes() {
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

/// A reader that goes away ends it quietly.
#[test]
fn nobody_has_to_read_to_the_end() {
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
        // It may have gone away as well.
        drop(stdin.write_all(VECTORS.as_bytes()));
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
}

const USAGE: &str = r#"{"input_tokens": 10000, "input_tokens_details": {"cached_tokens": 8000}, "output_tokens": 1200,
    "output_tokens_details": {"reasoning_tokens": 1000}, "odd": {"things": 3}}"#;

/// One call, to be followed line by line.
#[test]
fn one_call_is_explained() {
    let ask = |more: &[&str]| {
        let mut all = vec!["price", "--model", "gpt-5.5-2026-04-23", "--usage", "-", "--at", "2026-11-15"];
        all.extend(more);
        piped(&all, USAGE)
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

    let unknown = piped(&["price", "--model", "gtp-5.5", "--usage", "-"], USAGE);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stdout(&unknown).contains("unknown_model") && stderr(&unknown).contains("did you mean gpt-5.5"));
}

/// What is no usage is said once, with its place.
#[test]
fn what_is_no_usage_is_an_error() {
    let fails = |input: &str, words: &[&str]| {
        let output = piped(&["price", "--model", "gpt-5.5", "--usage", "-"], input);
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

const OURS: &str = r#"[provider]
name = "openai"
[source]
contract = "enterprise agreement of 2026, appendix B"
[[discount]]
percent = "10"
from = 2026-01-01
sources = ["contract"]
checked = 2026-01-05
[deployments]
chat-production = "gpt-5.5"
"#;

/// One's own prices hold wherever a price is asked for, and name their source.
#[test]
fn prices_of_ones_own_are_laid_over_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, OURS).unwrap();

    let check = run(&["prices", "check", path]);
    assert!(check.status.success() && stdout(&check).starts_with("ok  "), "{}", stdout(&check));
    let output = piped(
        &["price", "--model", "chat-production", "--usage", "-", "--at", "2026-11-15", "--prices", path],
        USAGE,
    );
    let text = stdout(&output);
    for words in ["billed as gpt-5.5", "0.0450", "10 % off", "enterprise agreement of 2026, appendix B"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let show = stdout(&run(&["prices", "show", "chat-production", "--prices", path]));
    assert!(show.contains("deployments   chat-production") && show.contains("10 % off"), "{show}");

    std::fs::write(&file, OURS.replace("\"10\"", "10").replace("= \"gpt-5.5\"", "= \"gpt-55\"")).unwrap();
    let check = run(&["prices", "check", path]);
    assert_eq!(check.status.code(), Some(1));
    let text = stdout(&check);
    assert!(text.contains(&format!("{path}:6: `percent` is a bare number")), "{text}");
    assert!(text.contains(&format!("{path}:11: the book has no model `gpt-55`")), "{text}");
    assert!(stderr(&check).contains("2 mistakes"), "{}", stderr(&check));
}

/// Each format of the list says the same.
#[test]
fn the_book_is_listed_and_shown() {
    let list = |format: &str| {
        let output =
            run(&["prices", "list", "--provider", "openai", "--at", "2026-11-15", "--format", format]);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let (table, csv) = (list("table"), list("csv"));
    let json: Value = serde_json::from_str(&list("json")).unwrap();
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert!(records.len() >= 60 && records.len() == json["models"].as_array().unwrap().len(), "{csv}");
    for (record, model) in records.iter().zip(json["models"].as_array().unwrap()) {
        assert_eq!(&record[1], model["model"].as_str().unwrap());
        assert!(table.contains(&format!("│ {} ", &record[1])), "{}", &record[1]);
        let input = if record[2].is_empty() { "null" } else { &record[2] };
        assert_eq!(input, model["input"].to_string());
    }

    let show = stdout(&run(&["prices", "show", "gpt-5.5-2026-04-23"]));
    for words in
        ["snapshots     gpt-5.5-2026-04-23", "over 272,000 tokens", "(30.00)", "web_search 10.00 USD"]
    {
        assert!(show.contains(words), "{words} is not in\n{show}");
    }
    assert!(show.lines().all(|line| line.chars().count() <= 100), "{show}");
    let json: Value =
        serde_json::from_str(&stdout(&run(&["prices", "show", "gpt-5.5", "--format", "json"]))).unwrap();
    let price = &json["models"][0]["prices"][0];
    assert_eq!((price["tier"].as_str(), price["from"].as_str()), (Some("standard"), Some("2026-04-23")));
    assert_eq!(price["rates"][0]["usd"].to_string(), "5");

    let unknown = run(&["prices", "show", "gpt-5.5-miny"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("did you mean"), "{}", stderr(&unknown));
    let unknown = run(&["prices", "list", "--provider", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("openai"), "{}", stderr(&unknown));
}

/// A model that is new, one that changed, one that is the same, one that jumped.
const LITELLM: &str = r#"{
    "acme-9": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
    "gpt-5": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-06, "cache_read_input_token_cost": 1.25e-07, "output_cost_per_token": 1e-05},
    "gpt-5-mini": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-07, "cache_read_input_token_cost": 2.5e-08, "output_cost_per_token": 2e-06},
    "gpt-5-nano": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 5e-06, "cache_read_input_token_cost": 5e-09, "output_cost_per_token": 4e-07}
}"#;

/// Scenario: somebody's price list is compared, then taken over, then taken over again.
/// Guarantees: nothing is written unasked; what is suspicious waits; the result is valid, is shown by
/// `diff`, prices calls, and the second time adds nothing.
#[test]
fn a_price_list_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (map, ours) = (at("map.json"), at("ours.toml"));
    std::fs::write(&map, LITELLM).unwrap();
    let import = |more: &[&str]| {
        let mut all = vec!["prices", "import", "--from", "litellm", &map, "--provider", "openai"];
        for model in ["acme-9", "gpt-5", "gpt-5-mini", "gpt-5-nano"] {
            all.extend(["--model", model]);
        }
        all.extend(more);
        let output = run(&all);
        assert!(output.status.success(), "{}", stderr(&output));
        output
    };
    let shown = import(&[]);
    assert!(stdout(&shown).contains("1 new, 1 changed, 1 suspicious, 0 withdrawn, 1 unchanged"), "{shown:?}");
    assert!(stderr(&shown).contains("nothing was written"), "{}", stderr(&shown));
    let json: Value = serde_json::from_str(&stdout(&import(&["--format", "json"]))).unwrap();
    assert_eq!(json["new"][0]["model"], "acme-9");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let written = import(&["--write", &ours, "--effective", "2027-01-01", "--source", "a list"]);
    assert!(stderr(&written).contains("entries of 2 models") && stderr(&written).contains("prices check"));
    let text = std::fs::read_to_string(&ours).unwrap();
    for words in ["name = \"acme-9\"", "model = \"gpt-5\"", "from = 2027-01-01", "\"a list\""] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(!text.contains("gpt-5-nano"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing stays beside it");

    let check = run(&["prices", "check", &ours]);
    assert!(check.status.success() && stdout(&check).starts_with("ok  "), "{}", stdout(&check));
    let diff = |more: &[&str]| {
        let output = run(&[&["prices", "diff", "builtin", ours.as_str()], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let text = diff(&[]);
    for words in ["acme-9: new", "  standard input ", "2027-01-01"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(diff(&["--at", "2027-01-01"]).contains("+20.0 %"));
    let before = diff(&["--at", "2026-11-15", "--format", "json"]);
    assert!(!before.contains("\"rate\""), "{before}");
    let answer = piped(
        &[
            "price",
            "--model",
            "acme-9",
            "--usage",
            "-",
            "--at",
            "2027-01-01",
            "--prices",
            &ours,
            "--format",
            "json",
        ],
        r#"{"input_tokens": 1000000, "output_tokens": 0}"#,
    );
    assert!(stdout(&answer).contains("\"cost_usd\": 2.5"), "{}", stdout(&answer));

    let again = import(&["--write", &ours, "--at", "2027-01-01"]);
    assert!(stderr(&again).contains("stays as it is"), "{}", stderr(&again));
    let accepted = import(&["--write", &ours, "--at", "2027-01-01", "--accept", "gpt-5-nano"]);
    assert!(stderr(&accepted).contains("entries of 1 model of"), "{}", stderr(&accepted));
    assert!(std::fs::read_to_string(&ours).unwrap().contains("model = \"gpt-5-nano\""));
}

/// What cannot be compared or written is said, and nothing is written.
#[test]
fn a_bad_import_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (map, ours) = (at("map.json"), at("ours.toml"));
    std::fs::write(&map, LITELLM).unwrap();
    std::fs::write(&ours, "[provider]\nname = 5\n").unwrap();
    let fails = |arguments: &[&str], code: i32, words: &[&str]| {
        let mut all = vec!["prices"];
        all.extend(arguments);
        let output = run(&all);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        for word in words {
            assert!(stderr(&output).contains(word), "{word}: {}", stderr(&output));
        }
    };
    fails(&["import", "--from", "genai-prices", &map], 1, &["map.json: ", "LiteLLM"]);
    fails(&["import", "--from", "litellm", &map, "--provider", "nobody"], 1, &["nobody", "it has openai"]);
    fails(&["import", "--from", "litellm", &map, "--write", &ours], 2, &["--provider"]);
    let write = ["import", "--from", "litellm", &map, "--provider", "openai", "--write"];
    fails(&[&write[..], &[ours.as_str()]].concat(), 1, &["ours.toml:2: `name` is a number"]);
    fails(&[&write[..], &["x.toml", "--effective", "soon"]].concat(), 1, &["--effective soon", "2026-11-01"]);
    fails(&["diff", "builtin", &at("none.toml")], 1, &["none.toml cannot be read"]);
    assert_eq!(std::fs::read_to_string(&ours).unwrap(), "[provider]\nname = 5\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
