use serde_json::value::{RawValue, to_raw_value};
use spanledger_event::{Endpoint, Usage};

use super::{AskedUnits, Memory, Tools, images};

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn tools(output: &str, stated: Option<&str>, tools: Option<&str>) -> Tools {
    let [output, stated, tools] = [Some(output), stated, tools].map(|json| json.map(raw));
    Tools::of(output.as_deref(), stated.as_deref(), tools.as_deref())
}

#[test]
fn opening_a_page_is_no_search_and_the_providers_count_goes_first() {
    let items = r#"[{"type":"web_search_call","action":{"type":"search"}},
        {"type":"web_search_call","action":{"type":"open_page"}},
        {"type":"file_search_call"},{"type":"message"},{"type":"image_generation_call"}]"#;
    let counted = tools(items, None, Some(r#"[{"type":"web_search"}]"#));
    assert_eq!((counted.web_search, counted.file_search, counted.images), (1, 1, 1));
    let stated = tools(items, Some(r#"{"web_search":{"num_requests":3}}"#), None);
    assert_eq!((stated.web_search, stated.web_search_preview), (3, 0));
}

#[test]
fn the_preview_tool_has_searches_of_its_own() {
    let items = r#"[{"type":"web_search_call"},{"type":"web_search_call"}]"#;
    for kind in ["web_search_preview", "web_search_preview_2025_03_11"] {
        let counted = tools(items, None, Some(&format!(r#"[{{"type":"function"}},{{"type":"{kind}"}}]"#)));
        assert_eq!((counted.web_search, counted.web_search_preview), (0, 2));
        let mut usage = Usage::default();
        counted.add_to(&mut usage);
        assert_eq!(usage.units.get("web_search_preview"), Some(&2.into()));
    }
    let counted = tools(items, None, Some(r#"[{"type":"web_search_2025_08_26"}]"#));
    assert_eq!((counted.web_search, counted.web_search_preview), (2, 0));
}

#[test]
fn a_container_is_one_session_however_often_it_is_called() {
    let items = r#"[{"type":"code_interpreter_call","container_id":"a"},
        {"type":"code_interpreter_call","container_id":"a"},
        {"type":"code_interpreter_call","container_id":"b"}]"#;
    let mut usage = Usage::default();
    tools(items, None, None).add_to(&mut usage);
    assert_eq!((usage.code_interpreter_calls, usage.units.len()), (2, 0));

    let large = r#"[{"type":"code_interpreter","container":{"type":"auto","memory_limit":"4g"}}]"#;
    let counted = tools(items, None, Some(large));
    assert_eq!((counted.containers, counted.memory), (2, Memory::Gb4));
    let mut usage = Usage::default();
    counted.add_to(&mut usage);
    assert_eq!((usage.code_interpreter_calls, usage.units.get("container_4gb")), (0, Some(&2.into())));
    // A container of one's own is named, and says nothing of its size.
    let own = tools(items, None, Some(r#"[{"type":"code_interpreter","container":"cntr_1"}]"#));
    let mut usage = Usage::default();
    own.add_to(&mut usage);
    assert_eq!(
        (usage.code_interpreter_calls, usage.units.get("container_unknown_size")),
        (0, Some(&2.into()))
    );
}

#[test]
fn a_container_has_the_size_that_was_asked_for() {
    let size = |containers: &[&str]| {
        let tool = |container: &&str| format!(r#"{{"type":"code_interpreter","container":{container}}}"#);
        let list = containers.iter().map(tool).collect::<Vec<_>>().join(",");
        tools("[]", None, Some(&format!("[{list}]"))).memory
    };
    for (container, expected) in [
        (r#"{"type":"auto"}"#, Memory::Gb1),
        (r#"{"type":"auto","memory_limit":null}"#, Memory::Gb1),
        (r#"{"type":"auto","file_ids":[],"memory_limit":"1g"}"#, Memory::Gb1),
        (r#"{"type":"auto","memory_limit":"4G"}"#, Memory::Gb4),
        (r#"{"type":"auto","memory_limit":"16 GB"}"#, Memory::Gb16),
        (r#"{"type":"auto","memory_limit":"64gb"}"#, Memory::Gb64),
        (r#"{"type":"auto","memory_limit":"32g"}"#, Memory::Unknown),
        (r#"{"type":"auto","memory_limit":"4"}"#, Memory::Unknown),
        (r#"{"type":"auto","memory_limit":4}"#, Memory::Unknown),
        (r#"{"type":"explicit"}"#, Memory::Unknown),
        (r#""cntr_1""#, Memory::Unknown),
        ("null", Memory::Gb1),
    ] {
        assert_eq!(size(&[container]), expected, "{container}");
    }
    assert_eq!(size(&[]), Memory::Gb1);
    assert_eq!(size(&[r#"{"type":"auto"}"#, r#"{"type":"auto","memory_limit":"4g"}"#]), Memory::Unknown);
}

#[test]
fn the_usages_own_count_of_containers_is_kept_and_billed_once() {
    let items = r#"[{"type":"code_interpreter_call","container_id":"a"}]"#;
    let counted = |own: u64, items: &str, container: &str| {
        let list = format!(r#"[{{"type":"code_interpreter","container":{container}}}]"#);
        let mut usage = Usage::default();
        usage.code_interpreter_calls = own;
        tools(items, None, Some(&list)).add_to(&mut usage);
        let large = usage.units.get("container_4gb").map(ToString::to_string);
        (usage.code_interpreter_calls, large)
    };
    let (small, large) = (r#"{"type":"auto"}"#, r#"{"type":"auto","memory_limit":"4g"}"#);
    assert_eq!(counted(3, "[]", small), (3, None));
    assert_eq!(counted(3, items, small), (3, None));
    assert_eq!(counted(0, items, small), (1, None));
    assert_eq!(counted(3, items, large), (0, Some("3".to_owned())));
    assert_eq!(counted(0, items, large), (0, Some("1".to_owned())));
}

#[test]
fn what_has_another_form_counts_nothing() {
    for odd in ["null", "3", "{}", "[1]", r#"[{"type":3}]"#] {
        assert_eq!(tools(odd, Some(odd), Some(odd)), Tools::default(), "{odd}");
        assert!(images(&raw(odd)) <= 1);
    }
    assert_eq!(images(&to_raw_value(&[0.5, 0.25]).unwrap()), 2);
}

#[test]
fn units_of_answers_without_a_usage() {
    let asked = AskedUnits { characters: 7, quality: Some("hd".into()), size: Some("1024x1792".into()) };
    assert_eq!(asked.usage(Endpoint::AudioSpeech, 0).unwrap().characters, 7);
    let made = asked.usage(Endpoint::Images, 2).unwrap();
    assert_eq!((made.images, made.variant.as_deref()), (2, Some("hd 1024x1792")));
    let plain = AskedUnits::default().usage(Endpoint::Images, 1).unwrap();
    assert_eq!(plain.variant.as_deref(), Some("standard 1024x1024"));
    assert_eq!(asked.usage(Endpoint::Images, 0), None);
    assert_eq!(asked.usage(Endpoint::Chat, 1), None);
    assert_eq!(AskedUnits::default().usage(Endpoint::AudioSpeech, 0), None);
}
