//! Counts the calls of the provider's tools from the items of an answer, because the usage object does not
//! count them.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use spanledger_price::usage::{ContainerMemory, ToolCalls};

#[cfg(test)]
mod tests;

/// An item of an answer of the Responses API: a message, a tool call, …
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default, borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    action: Option<Action<'a>>,
    #[serde(default, borrow)]
    container_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(default, borrow)]
    r#type: Option<Cow<'a, str>>,
}

/// The counts that the provider itself reports, in `tool_usage`.
#[derive(Deserialize)]
struct ToolUsage {
    #[serde(default)]
    web_search: Option<WebSearch>,
}

#[derive(Deserialize)]
struct WebSearch {
    #[serde(default)]
    num_requests: Option<u64>,
}

/// A tool that the request offered to the model.
#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(default, borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    container: Option<&'a RawValue>,
}

/// The container of a code interpreter that the provider creates for the call.
#[derive(Deserialize)]
struct Container<'a> {
    #[serde(default, borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    memory_limit: Option<Cow<'a, str>>,
}

/// Parses a part of an answer. A part in an unexpected form counts as absent, so that the other parts
/// are still read.
fn parse<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// Counts the calls of tools from an answer's `output`, `tool_usage` and `tools`.
pub(super) fn tool_calls(
    output: Option<&RawValue>,
    tool_usage: Option<&RawValue>,
    tools: Option<&RawValue>,
) -> ToolCalls {
    let items: Vec<Item<'_>> = parse(output).unwrap_or_default();
    let tools: Vec<Tool<'_>> = parse(tools).unwrap_or_default();
    let of_type = |kind: &'static str| items.iter().filter(move |item| item.r#type.as_deref() == Some(kind));
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);

    // Opening a page that a search has found is not billed.
    let is_open = |item: &&Item<'_>| {
        let action = item.action.as_ref().and_then(|action| action.r#type.as_deref());
        matches!(action, Some("open_page" | "find" | "find_in_page"))
    };
    // The provider's own count is preferred: it holds only searches that are billed.
    let searches = parse::<ToolUsage>(tool_usage)
        .and_then(|reported| reported.web_search?.num_requests)
        .unwrap_or_else(|| number(of_type("web_search_call").filter(|item| !is_open(item)).count()));
    // Tool types can end in a date (`web_search_preview_2025_03_11`). The preview tool has a different price.
    let (mut offers_search, mut offers_preview) = (false, false);
    for kind in tools.iter().filter_map(|tool| tool.r#type.as_deref()) {
        let is_preview = kind.starts_with("web_search_preview");
        offers_preview |= is_preview;
        offers_search |= !is_preview && kind.starts_with("web_search");
    }
    let are_previews = offers_preview && !offers_search;

    // A container session is billed once, however often its code interpreter is called.
    let named: BTreeSet<&str> =
        of_type("code_interpreter_call").filter_map(|item| item.container_id.as_deref()).collect();
    let unnamed = of_type("code_interpreter_call").filter(|item| item.container_id.is_none()).count();
    // The answer does not say which tool used which container. The size is known only if all sizes agree.
    let mut sizes = tools.iter().filter_map(|tool| tool.container).map(memory_of);
    let memory = sizes.next().unwrap_or_default();
    let memory = if sizes.all(|size| size == memory) { memory } else { ContainerMemory::Unknown };
    ToolCalls {
        web_searches: if are_previews { 0 } else { searches },
        web_search_previews: if are_previews { searches } else { 0 },
        file_searches: number(of_type("file_search_call").count()),
        containers: number(named.len() + unnamed),
        container_memory: memory,
        images: number(of_type("image_generation_call").count()),
    }
}

/// The memory of a tool's container.
///
/// A container that the provider creates is an object; it has 1 GB unless `memory_limit` says otherwise.
/// A container that the user created is an id, which does not tell its size.
fn memory_of(container: &RawValue) -> ContainerMemory {
    let Some(created) = parse::<Option<Container<'_>>>(Some(container)) else {
        return ContainerMemory::Unknown;
    };
    let Some(created) = created else { return ContainerMemory::default() };
    let Some(limit) = created.memory_limit else {
        return if matches!(created.r#type.as_deref(), None | Some("auto")) {
            ContainerMemory::Gb1
        } else {
            ContainerMemory::Unknown
        };
    };
    let limit = limit.trim().to_ascii_lowercase();
    let number = limit.strip_suffix("gb").or_else(|| limit.strip_suffix('g')).unwrap_or_default();
    match number.trim_end() {
        "1" => ContainerMemory::Gb1,
        "4" => ContainerMemory::Gb4,
        "16" => ContainerMemory::Gb16,
        "64" => ContainerMemory::Gb64,
        _ => ContainerMemory::Unknown,
    }
}

/// The number of images in the `data` of an answer.
pub(super) fn count_images(data: &RawValue) -> u64 {
    parse::<Vec<IgnoredAny>>(Some(data)).map_or(0, |list| u64::try_from(list.len()).unwrap_or(u64::MAX))
}
