//! The commands `prices list`, `show`, `check`, `diff` and `import`.

use serde_json::Value;
use spanledger_event::Timestamp;
use spanledger_price::{Model, PriceBook, Tier};

use crate::{
    price_command::USAGE,
    support::{run, run_with_input, stderr, stdout},
};

const OURS: &str = r#"[provider]
name = "openai"
[sources]
contract = "enterprise agreement of 2026, appendix B"
[[discount]]
percent = "10"
from = 2026-01-01
sources = ["contract"]
prices_checked = 2026-01-05
[deployments]
chat-production = "gpt-5.5"
"#;

/// Guarantees: every command uses the user's own prices and names their source.
#[test]
fn a_users_prices_override_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, OURS).unwrap();

    let check = run(&["prices", "check", path]);
    assert!(check.status.success() && stdout(&check).starts_with("ok  "), "{}", stdout(&check));
    let output = run_with_input(
        &["price", "--model", "chat-production", "--usage", "-", "--at", "2026-11-15", "--prices", path],
        USAGE,
    );
    let text = stdout(&output);
    for words in ["billed as gpt-5.5", "0.0450", "10 % off", "enterprise agreement of 2026, appendix B"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let show = stdout(&run(&["prices", "show", "chat-production", "--prices", path]));
    assert!(show.contains("deployments   chat-production") && show.contains("10 % off"), "{show}");
    let list = stdout(&run(&["prices", "list", "--provider", "openai", "--prices", path]));
    assert!(
        list.contains("the rates do not include your discounts") && list.contains("10 % off openai, 1"),
        "{list}"
    );
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");

    std::fs::write(&file, OURS.replace("\"10\"", "10").replace("= \"gpt-5.5\"", "= \"gpt-55\"")).unwrap();
    let check = run(&["prices", "check", path]);
    assert_eq!(check.status.code(), Some(1));
    let text = stdout(&check);
    assert!(text.contains(&format!("{path}:6: `percent` is a bare number")), "{text}");
    assert!(text.contains(&format!("{path}:11: the book has no model `gpt-55`")), "{text}");
    assert!(stderr(&check).contains("2 mistakes"), "{}", stderr(&check));
}

/// Guarantees: all formats of the list show the same rates.
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
    let models = json["models"].as_array().unwrap();
    let at = Timestamp::parse("2026-11-15T00:00:00Z").unwrap();
    let in_force = PriceBook::builtin().provider("openai").unwrap().models().iter();
    let in_force = in_force.filter(|model| model.is_free() || model.price(Tier::Standard, at).is_some());
    let names: Vec<&str> = models.iter().map(|model| model["model"].as_str().unwrap()).collect();
    assert_eq!(names, in_force.map(Model::name).collect::<Vec<_>>());
    let mut rest = records.iter().peekable();
    for model in models {
        let name = model["model"].as_str().unwrap();
        assert!(table.contains(&format!("│ {name} ")), "{name}");
        let mut rates: Vec<&Value> = model["rates"].as_array().unwrap().iter().collect();
        rates.extend(model["long_rates"].as_array().into_iter().flatten());
        if model["free"] == true {
            let record = rest.next().unwrap();
            assert_eq!((&record[1], &record[3], &record[6]), (name, "free", "0"));
        }
        for rate in rates {
            let record = rest.next().unwrap();
            let text = |key: &str| rate[key].as_str().unwrap_or_default().to_owned();
            let shown = [&record[1], &record[3], &record[4], &record[5]].map(str::to_owned);
            assert_eq!(shown, [name.to_owned(), text("meter"), text("variant"), text("unit")]);
            assert_eq!(record[6], rate["usd"].to_string());
            assert_eq!(record[7], rate["published"].to_string());
        }
    }
    assert!(
        rest.next().is_none() && table.contains(" unpriced │") && table.contains(" > 272,000 │"),
        "{csv}"
    );

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

/// A price list with a new model, a changed one, an unchanged one, and one with an implausible change.
const LITELLM: &str = r#"{
    "acme-9": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
    "gpt-5": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-06, "cache_read_input_token_cost": 1.25e-07, "output_cost_per_token": 1e-05},
    "gpt-5-mini": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-07, "cache_read_input_token_cost": 2.5e-08, "output_cost_per_token": 2e-06},
    "gpt-5-nano": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 5e-06, "cache_read_input_token_cost": 5e-09, "output_cost_per_token": 4e-07}
}"#;

/// Scenario: a price list is compared, imported, and imported again.
/// Guarantees: nothing is written without --write; suspicious models are imported only with --accept; the
/// written file is valid, `diff` shows its entries, and calls are priced with it; the second import adds
/// nothing.
#[test]
fn a_price_list_is_imported() {
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
    assert!(!text.contains("gpt-5-nano") && text.matches("discountable = true").count() == 2, "{text}");
    assert!(stderr(&written).contains(&format!("prices diff builtin {ours} --at 2027-01-01")), "{written:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");

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
    let answer = run_with_input(
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

/// Guarantees: imported entries have the book's name of the provider, also if the list uses another name.
#[test]
fn a_provider_is_imported_under_any_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let map = at("map.json");
    let json = r#"{"gemini/nova-1": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}}"#;
    std::fs::write(&map, json).unwrap();
    for provider in ["google", "gemini", "gcp.gemini"] {
        let ours = at(provider);
        let output = run(&[
            "prices",
            "import",
            "--from",
            "litellm",
            &map,
            "--provider",
            provider,
            "--model",
            "nova-1",
            "--write",
            &ours,
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("entries of 1 model of google"), "{}", stderr(&output));
        assert!(std::fs::read_to_string(&ours).unwrap().contains("name = \"nova-1\""));
    }
}

/// Guarantees: a failed import reports the mistake and writes nothing.
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
    let list = ["import", "--from", "litellm", &map];
    fails(&[&list[..], &["--model", "nope"]].concat(), 1, &["--model nope: the list has no such model"]);
    fails(&[&list[..], &["--accept", "acme-8"]].concat(), 1, &["--accept acme-8", "did you mean acme-9?"]);
    fails(&["diff", "builtin", &at("none.toml")], 1, &["none.toml: cannot be read"]);
    assert_eq!(std::fs::read_to_string(&ours).unwrap(), "[provider]\nname = 5\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
