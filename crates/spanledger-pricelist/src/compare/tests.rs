use super::{Comparison, Scope, compare};
use crate::{
    PriceMap, genai_prices, litellm,
    tests::{BOOK, book, scope},
};

/// A price map of OpenAI's models, given as names with their fields.
fn map(models: &[(&str, &str)]) -> PriceMap {
    let models: Vec<String> = models
        .iter()
        .map(|(name, fields)| {
            format!("\"{name}\": {{\"litellm_provider\": \"openai\", \"mode\": \"chat\", {fields}}}")
        })
        .collect();
    litellm(&format!("{{{}}}", models.join(", "))).unwrap()
}

fn with(models: &[(&str, &str)]) -> Comparison {
    compare(&book(BOOK), &map(models), &scope())
}

const ONE: &str = "\"input_cost_per_token\": 2e-6, \"output_cost_per_token\": 8e-6";
const TWO: &str = "\"input_cost_per_token\": 1e-6, \"output_cost_per_token\": 3e-6";

/// Compares these models with the book and checks the text that a person sees.
fn check(models: &[(&str, &str)], expected: &str) {
    let shown = with(models).to_string();
    assert_eq!(shown.trim(), expected.trim());
}

#[test]
fn equal_prices_are_unchanged() {
    // A rate that a fallback rule or a fee supplies equals a rate that is written out.
    let reasoning = format!(
        "{ONE}, \"output_cost_per_reasoning_token\": 8e-6, \"cache_read_input_token_cost_batches\": 1e-6, \
        \"input_cost_per_token_batches\": 1e-6, \"search_context_cost_per_query\": {{\"any\": 0.01}}"
    );
    let zero = "\"input_cost_per_token\": 0, \"output_cost_per_token\": 0.0";
    check(
        &[("one", &reasoning), ("one-old", ONE), ("one-2026-05-05", ONE), ("two", TWO), ("free", zero)],
        "0 new, 0 changed, 0 suspicious, 0 withdrawn, 5 unchanged",
    );
}

#[test]
fn new_changed_and_withdrawn_models_are_listed() {
    check(
        &[
            ("one", "\"input_cost_per_token\": 3e-6"),
            ("four", "\"input_cost_per_token\": 1e-6"),
            ("two", TWO),
        ],
        r"
new (1)
  openai four
    standard input 1 (new) per 1M tokens
changed (1)
  openai one
    standard input 2 -> 3 per 1M tokens
withdrawn: in the book, not in the list (1)
  openai: free
1 new, 1 changed, 0 suspicious, 1 withdrawn, 1 unchanged",
    );
}

/// Guarantees: each rule holds just beyond its bound and not at it.
#[test]
fn rates_that_look_like_mistakes_are_suspicious() {
    let reasons = |fields: &str| -> Vec<String> {
        let comparison = with(&[("one", fields)]);
        let found = comparison.suspicious.iter().flat_map(|proposal| &proposal.reasons);
        found.map(ToString::to_string).collect()
    };
    let two = |fields: &str| -> Vec<String> {
        let comparison = with(&[("two", fields)]);
        comparison.suspicious.iter().flat_map(|proposal| &proposal.reasons).map(ToString::to_string).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(two("\"output_cost_per_token\": 9e-6"), none);
    assert_eq!(two("\"output_cost_per_token\": 9.1e-6"), ["standard output: more than 3x from 3 to 9.1"]);
    assert_eq!(two("\"output_cost_per_token\": 1e-6"), none);
    assert_eq!(
        two("\"output_cost_per_token\": 0.9e-6"),
        ["standard output: more than 3x from 3 to 0.9", "standard: output 0.9 is below the input rate 1"]
    );
    // Long prompts keep their rates where the list has none.
    assert_eq!(
        reasons("\"input_cost_per_token\": 6e-6"),
        ["standard_long: input 4 of long prompts is below the rate of short ones, 6"]
    );
    assert_eq!(
        reasons("\"cache_read_input_token_cost\": 0"),
        [
            "standard cached_input: more than 3x from 0.2 to 0",
            "standard: cached_input 0 is not plausible beside the input rate 2"
        ]
    );
    assert_eq!(
        reasons(
            "\"input_cost_per_token\": 0.19e-5, \"cache_read_input_token_cost\": 0.2e-5, \"cache_read_input_token_cost_above_272k_tokens\": 2e-6"
        ),
        [
            "standard cached_input: more than 3x from 0.2 to 2",
            "standard_long cached_input: more than 3x from 0.4 to 2",
            "standard: cached_input 2 is above the input rate 1.9"
        ]
    );
    assert_eq!(
        two("\"input_cost_per_token\": 2e-6, \"output_cost_per_token\": 1.9e-6"),
        ["standard: output 1.9 is below the input rate 2"]
    );
    assert_eq!(
        reasons("\"input_cost_per_token_batches\": 2.1e-6"),
        ["batch: input 2.1 is above the standard rate 2"]
    );
    assert_eq!(
        reasons("\"input_cost_per_token_priority\": 1.9e-6"),
        ["priority: input 1.9 is below the standard rate 2"]
    );
    let zero = with(&[("five", "\"input_cost_per_token\": 0")]);
    assert_eq!(
        zero.suspicious[0].reasons[0].to_string(),
        "standard: every rate is zero: the model is free, or the source does not know its price"
    );
    let partly = with(&[("five", "\"input_cost_per_token\": 1e-6, \"output_cost_per_token\": 0")]);
    assert_eq!(
        partly.suspicious[0].reasons[0].to_string(),
        "standard: output 0 is not plausible beside the input rate 1"
    );
    let embedding = litellm(
        r#"{"e": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-6, "output_cost_per_token": 1e-6}}"#,
    );
    assert_eq!(compare(&book(BOOK), &embedding.unwrap(), &scope()).new.len(), 1);
    let embedding = litellm(
        r#"{"e": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-4}}"#,
    );
    let comparison = compare(&book(BOOK), &embedding.unwrap(), &scope());
    assert_eq!(comparison.new.len(), 0);
    assert_eq!(
        comparison.suspicious[0].reasons[0].to_string(),
        "standard: input 100 is above the highest plausible rate, 10"
    );
}

/// Guarantees: a name of a model becomes a separate model only if its prices differ from the prices
/// that its model will have.
#[test]
fn a_name_becomes_a_model_only_if_its_prices_differ() {
    let dearer = "\"input_cost_per_token\": 3e-6";
    let comparison = with(&[("one", dearer), ("one-2026-05-05", dearer), ("one-old", dearer)]);
    assert_eq!((comparison.changed.len(), comparison.unchanged, comparison.by_hand.len()), (1, 2, 0));

    let comparison = with(&[("one", ONE), ("one-2026-05-05", dearer), ("one-old", dearer)]);
    let apart = &comparison.changed[0];
    assert_eq!(
        (apart.model.as_str(), apart.is_new, apart.apart_from.as_deref()),
        ("one-2026-05-05", true, Some("one"))
    );
    let [note] = comparison.by_hand.as_slice() else { panic!("{comparison}") };
    assert!(note.model == "one-old" && note.what.contains("remove that name first"), "{note:?}");

    let comparison = with(&[("six", ONE), ("six-2026-05-05", ONE), ("six-2026-06-06", dearer)]);
    assert_eq!(
        (comparison.new.len(), comparison.new[0].snapshots.as_slice()),
        (1, ["six-2026-05-05".to_owned()].as_slice())
    );
    assert_eq!(comparison.changed[0].model, "six-2026-06-06");
    assert_eq!(comparison.changed[0].apart_from.as_deref(), Some("six"));

    // A name whose extra rate equals that of a fallback rule stays a name of the model.
    let reasoning = format!("{dearer}, \"output_cost_per_reasoning_token\": 8e-6");
    let comparison = with(&[("one", dearer), ("one-2026-05-05", &reasoning)]);
    assert_eq!((comparison.changed.len(), comparison.unchanged), (1, 1));

    let genai = genai_prices(
        r#"[{"id": "openai", "models": [{"id": "two", "prices": {"input_mtok": 1},
            "match": {"or": [{"equals": "two"}, {"equals": "deux"}]}}]}]"#,
    );
    let comparison = compare(&book(BOOK), &genai.unwrap(), &scope());
    assert_eq!(
        (comparison.names[0].model.as_str(), comparison.names[0].names.as_slice()),
        ("two", ["deux".to_owned()].as_slice())
    );
}

#[test]
fn differences_that_no_entry_can_express_are_listed() {
    let note = |models: &[(&str, &str)]| {
        with(models).by_hand.iter().map(|note| note.what.clone()).collect::<Vec<_>>()
    };
    let long = |k: u32| format!("{TWO}, \"input_cost_per_token_above_{k}k_tokens\": 4e-6");
    assert!(note(&[("two", &long(200))])[0].contains("add `long_context_over_tokens` to the [[model]]"));
    assert!(
        note(&[("one", &long(200))])[0]
            .contains("long prompts begin above 200000 tokens, but in the book above 272000")
    );
    assert!(note(&[("free", TWO)])[0].contains("but the book says `free`"));
    assert!(
        note(&[("seven", &format!("{TWO}, \"regional_processing_uplift_multiplier_eu\": 1.2"))])[0]
            .contains("factor of 1.2")
    );
    let hours = genai_prices(
        r#"[{"id": "openai", "models": [{"id": "two", "prices": [{"prices": {"input_mtok": 1}},
            {"constraint": {"start_time": "15:00:00Z", "end_time": "17:00:00Z"}, "prices": {"input_mtok": 2}}]}]}]"#,
    );
    let comparison = compare(&book(BOOK), &hours.unwrap(), &scope());
    assert!(comparison.by_hand[0].what.contains("end those with `until` first"), "{comparison}");
    let kinds = book(
        &BOOK.replace("output_per_1m = \"3\" }", "output_per_1m = \"3\", images_each = { small = \"1\" } }"),
    );
    let map = litellm(r#"{"two": {"litellm_provider": "openai", "output_cost_per_image": 2}}"#).unwrap();
    assert!(compare(&kinds, &map, &scope()).by_hand[0].what.contains("rates by kind"));
}

#[test]
fn a_scope_limits_providers_and_models() {
    let map = litellm(
        r#"{"xai/g": {"litellm_provider": "xai", "input_cost_per_token": 1e-6},
            "a": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "odd_cost": 1},
            "b": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "odd_cost": 1}}"#,
    )
    .unwrap();
    let new = |scope: &Scope| {
        let comparison = compare(&book(BOOK), &map, scope);
        let new: Vec<String> =
            comparison.new.iter().map(|new| format!("{}/{}", new.provider, new.model)).collect();
        (new.join(" "), comparison.withdrawn.len(), comparison.skipped.len())
    };
    assert_eq!(new(&scope()), ("openai/a openai/b xai/g".to_owned(), 3, 2));
    let openai = Scope { provider: Some("OpenAI".to_owned()), ..scope() };
    assert_eq!(new(&openai), ("openai/a openai/b".to_owned(), 3, 2));
    assert_eq!(new(&Scope { provider: Some("xai".to_owned()), ..scope() }), ("xai/g".to_owned(), 0, 0));
    assert_eq!(new(&Scope { models: vec!["a".to_owned()], ..openai }), ("openai/a".to_owned(), 0, 1));
}

#[test]
fn prices_of_later_days_are_announced() {
    let map = genai_prices(
        r#"[{"id": "openai", "models": [{"id": "two", "prices": [{"prices": {"input_mtok": 1}},
            {"constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": 2}}]}]}]"#,
    )
    .unwrap();
    let comparison = compare(&book(BOOK), &map, &scope());
    assert!(comparison.is_clean());
    assert!(
        comparison
            .to_string()
            .contains("later: compare again on that day (1)\n  openai two: from 2027-01-01\n"),
        "{comparison}"
    );
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["later"][0]["from"], "2027-01-01");
}

#[test]
fn a_comparison_has_a_json_form() {
    let json = serde_json::to_value(with(&[("one", "\"input_cost_per_token\": 7e-6")])).unwrap();
    let proposal = &json["suspicious"][0];
    assert_eq!(proposal["model"], "one");
    assert_eq!(proposal["changes"][0]["to"], 7);
    assert_eq!(proposal["reasons"][0], "standard input: more than 3x from 2 to 7");
}
