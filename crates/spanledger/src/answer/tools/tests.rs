use serde_json::value::RawValue;
use spanledger_price::usage::{ContainerMemory, ToolCalls};

use super::tool_calls;

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn tools(output: &str, tool_usage: Option<&str>, tools: Option<&str>) -> ToolCalls {
    let [output, tool_usage, tools] = [Some(output), tool_usage, tools].map(|json| json.map(raw));
    tool_calls(output.as_deref(), tool_usage.as_deref(), tools.as_deref())
}

#[test]
fn opening_a_page_is_not_a_search_and_the_providers_own_count_is_preferred() {
    let items = r#"[{"type":"web_search_call","action":{"type":"search"}},
        {"type":"web_search_call","action":{"type":"open_page"}},
        {"type":"file_search_call"},{"type":"message"},{"type":"image_generation_call"}]"#;
    let counted = tools(items, None, Some(r#"[{"type":"web_search"}]"#));
    assert_eq!((counted.web_searches, counted.file_searches, counted.images), (1, 1, 1));
    let reported = tools(items, Some(r#"{"web_search":{"num_requests":3}}"#), None);
    assert_eq!((reported.web_searches, reported.web_search_previews), (3, 0));
}

#[test]
fn searches_of_the_preview_tool_are_counted_apart() {
    let items = r#"[{"type":"web_search_call"},{"type":"web_search_call"}]"#;
    for kind in ["web_search_preview", "web_search_preview_2025_03_11"] {
        let counted = tools(items, None, Some(&format!(r#"[{{"type":"function"}},{{"type":"{kind}"}}]"#)));
        assert_eq!((counted.web_searches, counted.web_search_previews), (0, 2));
    }
    let counted = tools(items, None, Some(r#"[{"type":"web_search_2025_08_26"}]"#));
    assert_eq!((counted.web_searches, counted.web_search_previews), (2, 0));
}

#[test]
fn a_container_is_one_session_however_often_it_is_called() {
    let items = r#"[{"type":"code_interpreter_call","container_id":"a"},
        {"type":"code_interpreter_call","container_id":"a"},
        {"type":"code_interpreter_call","container_id":"b"}]"#;
    let counted = tools(items, None, None);
    assert_eq!((counted.containers, counted.container_memory), (2, ContainerMemory::Gb1));

    let large = r#"[{"type":"code_interpreter","container":{"type":"auto","memory_limit":"4g"}}]"#;
    let counted = tools(items, None, Some(large));
    assert_eq!((counted.containers, counted.container_memory), (2, ContainerMemory::Gb4));
    // A container that the caller made is named by its id, which does not say its size.
    let own = tools(items, None, Some(r#"[{"type":"code_interpreter","container":"cntr_1"}]"#));
    assert_eq!((own.containers, own.container_memory), (2, ContainerMemory::Unknown));
}

#[test]
fn a_shell_in_a_container_is_a_session_and_one_on_the_callers_machine_is_none() {
    let hosted = |id: &str| {
        let environment = format!(r#"{{"type":"container_reference","container_id":"{id}"}}"#);
        format!(r#"{{"type":"shell_call","environment":{environment}}}"#)
    };
    let interpreter = r#"{"type":"code_interpreter_call","container_id":"a"}"#;
    let local = r#"{"type":"shell_call","environment":{"type":"local"}}"#;
    let items = format!("[{},{},{interpreter},{},{local}]", hosted("a"), hosted("a"), hosted("b"));
    let counted = |environment: &str| {
        let offered = format!(r#"[{{"type":"shell","environment":{environment}}}]"#);
        let counted = tools(&items, None, Some(&offered));
        (counted.containers, counted.container_memory)
    };
    assert_eq!(counted(r#"{"type":"container_auto"}"#), (2, ContainerMemory::Gb1));
    assert_eq!(counted(r#"{"type":"container_auto","memory_limit":"4g"}"#), (2, ContainerMemory::Gb4));
    assert_eq!(counted(r#"{"type":"container_reference","container_id":"a"}"#).1, ContainerMemory::Unknown);
    let own_machine =
        tools(&format!("[{local}]"), None, Some(r#"[{"type":"shell","environment":{"type":"local"}}]"#));
    assert_eq!(own_machine, ToolCalls::default());
}

#[test]
fn a_container_has_the_size_that_the_request_asked_for() {
    let size = |containers: &[&str]| {
        let tool = |container: &&str| format!(r#"{{"type":"code_interpreter","container":{container}}}"#);
        let list = containers.iter().map(tool).collect::<Vec<_>>().join(",");
        tools("[]", None, Some(&format!("[{list}]"))).container_memory
    };
    for (container, expected) in [
        (r#"{"type":"auto"}"#, ContainerMemory::Gb1),
        (r#"{"type":"auto","memory_limit":null}"#, ContainerMemory::Gb1),
        (r#"{"type":"auto","file_ids":[],"memory_limit":"1g"}"#, ContainerMemory::Gb1),
        (r#"{"type":"auto","memory_limit":"4G"}"#, ContainerMemory::Gb4),
        (r#"{"type":"auto","memory_limit":"16 GB"}"#, ContainerMemory::Gb16),
        (r#"{"type":"auto","memory_limit":"64gb"}"#, ContainerMemory::Gb64),
        (r#"{"type":"auto","memory_limit":"32g"}"#, ContainerMemory::Unknown),
        (r#"{"type":"auto","memory_limit":"4"}"#, ContainerMemory::Unknown),
        (r#"{"type":"auto","memory_limit":4}"#, ContainerMemory::Unknown),
        (r#"{"type":"explicit"}"#, ContainerMemory::Unknown),
        (r#""cntr_1""#, ContainerMemory::Unknown),
        ("null", ContainerMemory::Gb1),
    ] {
        assert_eq!(size(&[container]), expected, "{container}");
    }
    assert_eq!(size(&[]), ContainerMemory::Gb1);
    assert_eq!(
        size(&[r#"{"type":"auto"}"#, r#"{"type":"auto","memory_limit":"4g"}"#]),
        ContainerMemory::Unknown
    );
}

#[test]
fn a_part_in_an_unexpected_form_counts_nothing() {
    for json in ["null", "3", "{}", "[1]", r#"[{"type":3}]"#] {
        assert_eq!(tools(json, Some(json), Some(json)), ToolCalls::default(), "{json}");
    }
}
