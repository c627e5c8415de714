//! A user's own prices over the built-in book: billing, display, imports and warnings.

use serde_json::Value;
use spanledger_event::Timestamp;

use crate::{
    price_command::USAGE,
    support::{run, run_with_input, stderr, stdout},
};

const OURS: &str = r#"[provider]
name = "openai"
[sources]
contract = "enterprise agreement of 2026"
[[discount]]
percent = "10"
from = 2026-01-01
sources = ["contract"]
prices_checked = 2026-01-05
[[price]]
model = "gpt-5"
from = 2026-06-01
sources = ["contract"]
prices_checked = 2026-05-20
standard = { input_per_1m = "1.1", cached_input_per_1m = "0.1", output_per_1m = "9" }
[[model]]
name = "our-tuned-model"
[[price]]
model = "our-tuned-model"
sources = ["contract"]
prices_checked = 2026-05-20
standard = { input_per_1m = "1", output_per_1m = "4" }
[deployments]
chat-production = "gpt-5.5"
"#;

const LIST: &str = r#"{
    "gpt-5": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.3e-06, "output_cost_per_token": 1e-05},
    "gpt-5-mini": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3e-07}
}"#;

fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// The answer for 100,000 tokens of input.
fn priced(model: &str, path: &str) -> Value {
    let arguments = ["price", "--usage", "-", "--at", "2027-01-02", "--format", "json", "--prices", path];
    let output = run_with_input(
        &[&arguments[..], &["--model", model]].concat(),
        r#"{"input_tokens": 100000, "output_tokens": 0}"#,
    );
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// Scenario: a public list is imported into a file with a negotiated rate and a discount.
/// Guarantees: the rate stays, the discount still applies, and the output says so.
#[test]
fn an_import_keeps_negotiated_rates() {
    let (folder, ours) = file("ours.toml", OURS);
    let map = folder.path().join("map.json");
    std::fs::write(&map, LIST).unwrap();
    let (map, effective) = (map.to_str().unwrap(), ["--effective", "2027-01-01", "--write", &ours]);
    let import = ["prices", "import", "--from", "litellm", map, "--provider", "openai"];
    let output = run(&[&import[..], &effective].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for words in
        ["kept: your own price (2)", "openai gpt-5: standard", "openai our-tuned-model: not in the list"]
    {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(stderr(&output).contains("kept: your own price of 2 models"), "{}", stderr(&output));
    let written = std::fs::read_to_string(&ours).unwrap();
    assert_eq!(
        (written.matches("discountable = true").count(), written.matches("model = \"gpt-5\"").count()),
        (1, 1)
    );
    assert!(!written.contains("#   our-tuned-model"), "{written}");

    let (own, listed) = (priced("gpt-5", &ours), priced("gpt-5-mini", &ours));
    assert_eq!((own["cost_usd"].to_string(), &own["discount"]), ("0.11".to_owned(), &Value::Null));
    assert_eq!(
        (listed["cost_usd"].to_string(), &listed["discount"]["percent"]),
        ("0.027".to_owned(), &10.into())
    );
}

/// Guarantees: `prices diff` shows everything that an override file states; it prints the time of `--at`
/// without fractions of a second.
#[test]
fn overrides_show_in_a_diff() {
    let (_folder, ours) = file("ours.toml", OURS);
    let output = run(&["prices", "diff", "builtin", &ours, "--at", "24h"]);
    let text = stdout(&output);
    for words in
        ["discount for all models", "10 % off", "deployment chat-production", "negotiated", "standard input"]
    {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let messages = stderr(&output);
    let moment = messages.split(" at ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(Timestamp::parse(moment).is_some() && !moment.contains('.'), "{messages}");
}

/// Guarantees: a folder is checked as a whole, and each warning names its file.
#[test]
fn check_warns_of_likely_mistakes() {
    let (folder, ours) =
        file("ours.toml", &OURS.replace("prices_checked = 2026-05-20", "prices_checked = 2099-05-20"));
    let other = OURS.split("[[price]]").next().unwrap().replace("\"openai\"", "\"opnai\"");
    std::fs::write(folder.path().join("other.toml"), other).unwrap();
    let output = run(&["prices", "check", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let late = format!("warning: {ours}:10: openai gpt-5: `checked` is 2099-05-20, later than today");
    let strange =
        "other.toml: opnai is not in the built-in book: it is added as a new provider; did you mean openai?";
    assert!(text.contains(&late) && text.contains(strange), "{text}");
    let builtin = run(&["prices", "check"]);
    assert!(stdout(&builtin).starts_with("ok  ") && stderr(&builtin).contains("--verbose"), "{builtin:?}");
    assert!(stdout(&run(&["prices", "check", "--verbose"])).contains("warning: google.toml:"));
}

/// Guarantees: the error for an unknown name suggests names that the book has.
#[test]
fn hints_name_entries_of_the_book() {
    let said = |more: &[&str]| {
        stderr(&run_with_input(&[&["price", "--usage", "-", "--at", "2026-11-15"], more].concat(), USAGE))
    };
    for (arguments, words) in [
        (&["--model", "claude-opus-4-5"][..], "anthropic has it: --provider anthropic"),
        (&["--model", "gpt-5.5", "--service-tier", "bogus"], "standard, default, auto, batch, flex"),
        (&["--model", "gpt-5.5", "--region", "mars"], "us, eu, au"),
        (&["--model", "gpt-5.5", "--provider", "opnai"], "did you mean openai?"),
        (&["--model", "GPT-5.5"], "did you mean gpt-5.5?"),
    ] {
        assert!(said(arguments).contains(words), "{words} is not in {}", said(arguments));
    }
    let search = run_with_input(&["price", "--model", "gpt-4o-search-preview", "--usage", "-"], USAGE);
    assert!(stdout(&search).contains("web_search"), "{}", stdout(&search));
}

/// Guarantees: names of APIs are read in any case; a call with an unknown API is priced, and the answer names
/// the unknown API.
#[test]
fn the_api_of_a_line_is_read_in_any_case() {
    let line = |api: &str| {
        format!(
            "{{\"provider\": \"openai\", \"model\": \"gpt-5.5\", \"api\": \"{api}\", \"priced_at\": \"2026-11-15\", \
             \"usage\": {{\"input_tokens\": 1000, \"output_tokens\": 0}}}}\n"
        )
    };
    let output = run_with_input(&["price", "--batch", "-"], &["Batch", "zzz", ""].map(line).concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let answers: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |index: usize| (answers[index]["cost_usd"].clone(), answers[index]["cost_detail"].clone());
    assert_eq!(of(0), (0.0025.into(), Value::Null));
    assert_eq!(of(1), (0.005.into(), "the api `zzz` is not known".into()));
    assert_eq!(of(2), (0.005.into(), Value::Null));
}
