use super::genai_prices;
use crate::{ImportError, PriceMap, diff::day};

fn models(provider: &str, models: &str) -> PriceMap {
    genai_prices(&format!("[{{\"id\": \"{provider}\", \"models\": [{models}]}}]")).unwrap()
}

/// Every line of the first model as text: tier, period, hours and rates.
fn lines(fields: &str) -> Vec<String> {
    let map = models("openai", &format!("{{\"id\": \"m\", {fields}}}"));
    let Some(model) = map.models.first() else { return Vec::new() };
    let mut found = Vec::new();
    for line in &model.lines {
        let time = |t: Option<_>| t.map(day).unwrap_or_default();
        let hours = line.hours.map(|hours| format!(" {hours}")).unwrap_or_default();
        let place = format!("{}..{}{hours}", time(line.period.from()), time(line.period.until()));
        for (key, rates) in
            [(line.tier.as_str(), Some(&line.rates)), (line.tier.long_key(), line.long.as_ref())]
        {
            let Some(rates) = rates else { continue };
            let rates: Vec<String> =
                rates.iter().map(|rate| format!("{} {}", rate.meter.name(), rate.usd)).collect();
            found.push(format!("{key} {place}: {}", rates.join(", ")));
        }
    }
    found
}

fn reasons(fields: &str) -> Vec<String> {
    let map = models("openai", &format!("{{\"id\": \"m\", {fields}}}"));
    map.skipped.into_iter().map(|skipped| skipped.reason).collect()
}

#[test]
fn rates_are_in_the_books_units() {
    assert_eq!(
        lines(
            r#""prices": {"input_mtok": 2.5, "cache_read_mtok": 0.25, "cache_write_mtok": 3, "cache_write_1h_mtok": 4,
                "input_audio_mtok": 32, "cache_audio_read_mtok": 0.4, "output_audio_mtok": 64, "input_image_mtok": 5,
                "cache_image_read_mtok": 0.5, "output_image_mtok": 30, "output_mtok": 10, "output_reasoning_mtok": 12,
                "web_searches_kcount": 10, "storage_searches_kcount": 2.5}"#
        ),
        ["standard ..: input 2.5, cached_input 0.25, cache_write 3, cache_write_1h 4, audio_input 32, \
          cached_audio_input 0.4, image_input 5, cached_image_input 0.5, output 10, reasoning 12, audio_output 64, \
          image_output 30, web_search 10, file_search 2.5"]
    );
    assert_eq!(
        lines(r#""prices": {"audio_hours": 0.36, "input_audio_hours": 0.36}"#),
        ["standard ..: audio_seconds 0.006"]
    );
    assert_eq!(lines(r#""prices": {"input_mchars": 15}"#), ["standard ..: characters 15"]);
    assert_eq!(lines(r#""prices": {"input_text_mtok": 1e0, "input_mtok": null}"#), ["standard ..: input 1"]);
}

/// Guarantees: a rate without a step is the same for long prompts.
#[test]
fn steps_are_the_long_side() {
    let fields = r#""prices": {"input_mtok": {"base": 2, "tiers": [{"start": 200000, "price": 4}]}, "output_mtok": 8}"#;
    assert_eq!(lines(fields), ["standard ..: input 2, output 8", "standard_long ..: input 4, output 8"]);
    let map = models("openai", &format!("{{\"id\": \"m\", {fields}}}"));
    assert_eq!(map.models[0].long_context_over, Some(200_000));
    assert_eq!(
        reasons(
            r#""prices": {"input_mtok": {"base": 2, "tiers": [{"start": 32000, "price": 3}, {"start": 128000, "price": 4}]}}"#
        ),
        ["has thresholds at 32000 and 128000 tokens, but the book has one for each model"]
    );
}

#[test]
fn dates_and_hours_become_separate_lines() {
    assert_eq!(
        lines(
            r#""prices": [{"prices": {"input_mtok": 10}},
                {"constraint": {"start_date": "2025-06-10"}, "prices": {"input_mtok": 2}},
                {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 3}},
                {"constraint": {"start_date": "2026-06-10"}, "prices": {"input_mtok": 1}}]"#
        ),
        [
            "standard ..2025-06-10: input 10",
            "standard 2025-06-10..2026-06-10: input 2",
            "standard ..2026-06-10 00:30-16:30: input 3",
            "standard 2026-06-10..: input 1",
        ]
    );
    let conditional = |constraint: &str| {
        reasons(&format!(
            "\"prices\": [{{\"prices\": {{\"input_mtok\": 1}}}}, {{\"constraint\": {constraint}, \"prices\": {{\"input_mtok\": 2}}}}]"
        ))
    };
    assert_eq!(conditional(r#"{"start_date": "soon"}"#), ["the start date `soon` is not a day"]);
    assert_eq!(conditional(r#"{"weekday": 1}"#), ["the condition is neither a start date nor hours"]);
    assert_eq!(
        conditional(r#"{"start_time": "00:30:15Z", "end_time": "16:30:00Z"}"#),
        ["the hours 00:30:15Z to 16:30:00Z are not whole minutes of UTC"]
    );
}

/// Guarantees: a tier has the rates that its variant states, and the prices of tool calls.
#[test]
fn variants_are_tiers() {
    let fields = r#""prices": {"input_mtok": 10, "cache_read_mtok": 1, "web_searches_kcount": 10}, "price_variants": [
        {"when": {"service_tier": "default"}, "prices": {}},
        {"when": {"service_tier": "priority"}, "prices": {"input_mtok": 20}},
        {"when": {"service_tier": "fast"}, "prices": {"input_mtok": 20}},
        {"when": {"processing": "batch"}, "prices": {"input_mtok": 4}, "constraint": {"start_date": "2027-01-01"}},
        {"when": {"processing": "batch"}, "prices": {"input_mtok": 5}, "constraint": {"start_date": "2026-10-14"}},
        {"when": {"region": "eu"}, "prices": {"input_mtok": 11}}]"#;
    assert_eq!(
        lines(fields),
        [
            "standard ..: input 10, cached_input 1, web_search 10",
            "priority ..: input 20, web_search 10",
            "batch 2027-01-01..: input 4, web_search 10",
            "batch 2026-10-14..2027-01-01: input 5, web_search 10",
        ]
    );
    assert_eq!(reasons(fields), ["prices when {\"region\": \"eu\"}: no tier of the book"]);
    let other = fields.replace(
        "\"fast\"}, \"prices\": {\"input_mtok\": 20}",
        "\"fast\"}, \"prices\": {\"input_mtok\": 21}",
    );
    assert!(
        reasons(&other)
            .contains(&"prices when `fast`: another word for priority has different prices".to_owned())
    );
}

#[test]
fn exact_names_are_aliases() {
    let map = models(
        "x-ai",
        r#"{"id": "m", "prices": {"input_mtok": 1}, "match": {"or": [{"equals": "m"}, {"equals": "n"},
            {"regex": "^m-\\d{4}-\\d{2}-\\d{2}$"}, {"or": [{"equals": "l"}]}]}},
           {"id": "p", "prices": {"input_mtok": 1}, "match": {"starts_with": "p"}}"#,
    );
    assert_eq!(
        (map.models[0].provider.as_str(), map.models[0].aliases.as_slice()),
        ("xai", ["l".to_owned(), "n".to_owned()].as_slice())
    );
    assert_eq!(map.skipped.len(), 1);
    assert_eq!(map.skipped[0].reason, "names that match a pattern: only exact names are imported");
}

#[test]
fn unsupported_prices_are_skipped_with_a_reason() {
    assert_eq!(
        reasons(r#""prices": {"input_mtok": 1, "requests_kcount": 12}"#),
        ["`requests_kcount`: the book has no meter for this price"]
    );
    assert_eq!(
        reasons(r#""prices": {"input_mtok": 1, "audio_hours": 1.2}"#),
        ["a rate of audio_seconds beside rates of tokens"]
    );
    assert_eq!(
        reasons(r#""prices": {"input_mtok": "x"}"#),
        ["`input_mtok`: \"x\" is not a number", "has no rate that the book can represent"]
    );
    assert_eq!(reasons(r#""prices": {}"#), ["has no rate that the book can represent"]);
    assert_eq!(reasons(r#""name": "m""#), ["has no prices"]);
    let map = models("azure", r#"{"id": "gpt-5.5", "prices": {"input_mtok": 1}}"#);
    assert!(map.models.is_empty() && map.skipped[0].reason.starts_with("azure has the list prices"));
    let map = models("openrouter", r#"{"id": "m", "prices": {"input_mtok": 1}}"#);
    assert_eq!(map.skipped[0].reason, "prices of this provider are not imported");
}

#[test]
fn another_file_is_refused_with_a_remedy() {
    let error = |json: &str| genai_prices(json).unwrap_err().to_string();
    assert!(matches!(genai_prices("[1,").unwrap_err(), ImportError::NotJson { line: 1, .. }));
    assert!(error(r#"{"m": {"litellm_provider": "openai"}}"#).ends_with("read it as litellm"));
    assert!(error(r#"{"type": "object"}"#).contains("not its schema"));
    assert!(error("7").contains("a single value"));
    assert!(error("[{\"id\": \"openai\"}]").contains("no `models`"));
    assert!(error("[]").contains("has no model"));
    let wrapped =
        r#"{"providers": [{"id": "openai", "models": [{"id": "m", "prices": {"input_mtok": 1}}]}]}"#;
    assert_eq!(genai_prices(wrapped).unwrap().models.len(), 1);
}
