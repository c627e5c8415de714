//! Counts the calls of the provider's tools from the items of an answer, because the usage object does not
//! count them.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use spanledger_price::usage::{ContainerMemory, ToolCalls};

use crate::lenient::{self, Raw, lenient_object, not_null, text, value};

#[cfg(test)]
mod tests;

lenient_object! {
    /// An item of an answer of the Responses API: a message, a tool call, …
    struct Item {
        kind: "type",
        action: "action",
        container_id: "container_id",
        /// Where a shell runs: on the caller's machine, or in a container.
        environment: "environment",
    }
}

lenient_object! {
    struct Action {
        kind: "type",
    }
}

lenient_object! {
    /// The counts that the provider itself reports, in `tool_usage`.
    struct ToolUsage {
        web_search: "web_search",
    }
}

lenient_object! {
    struct WebSearch {
        num_requests: "num_requests",
    }
}

lenient_object! {
    /// A tool that the request offered to the model.
    struct Tool {
        kind: "type",
        container: "container",
        environment: "environment",
    }
}

lenient_object! {
    /// The container of a code interpreter or a shell.
    struct Container {
        kind: "type",
        memory_limit: "memory_limit",
        id: "container_id",
    }
}

/// An item, as far as it is counted.
struct CountedItem {
    kind: Option<String>,
    action: Option<String>,
    container_id: Option<String>,
}

/// Counts the calls of tools from an answer's `output`, `tool_usage` and `tools`.
pub(super) fn tool_calls(output: Raw<'_>, tool_usage: Raw<'_>, tools: Raw<'_>) -> ToolCalls {
    let items = lenient::list::<Item<'_>>(output).into_iter();
    let items: Vec<CountedItem> = items
        .map(|item| CountedItem {
            kind: text(item.kind),
            action: lenient::nested::<Action<'_>>(item.action).and_then(|action| text(action.kind)),
            container_id: text(item.container_id).or_else(|| {
                let environment: Container<'_> = lenient::nested(item.environment)?;
                text(environment.id)
            }),
        })
        .collect();
    let of_type = |kind: &'static str| items.iter().filter(move |item| item.kind.as_deref() == Some(kind));
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);

    // Opening a page that a search has found is not billed.
    let is_open =
        |item: &&CountedItem| matches!(item.action.as_deref(), Some("open_page" | "find" | "find_in_page"));
    // The provider's own count is preferred: it holds only searches that are billed.
    let searches = lenient::nested::<ToolUsage<'_>>(tool_usage)
        .and_then(|reported| value(lenient::nested::<WebSearch<'_>>(reported.web_search)?.num_requests))
        .unwrap_or_else(|| number(of_type("web_search_call").filter(|item| !is_open(item)).count()));
    // Tool types can end in a date (`web_search_preview_2025_03_11`). The preview tool has a different price.
    let tools = lenient::list::<Tool<'_>>(tools);
    let (mut offers_search, mut offers_preview) = (false, false);
    for kind in tools.iter().filter_map(|tool| text(tool.kind)) {
        let is_preview = kind.starts_with("web_search_preview");
        offers_preview |= is_preview;
        offers_search |= !is_preview && kind.starts_with("web_search");
    }
    let are_previews = offers_preview && !offers_search;

    // A container session is billed once, however often its code interpreter or shell is called. A shell without a
    // container runs on the caller's machine.
    let named: BTreeSet<&str> = of_type("code_interpreter_call")
        .chain(of_type("shell_call"))
        .filter_map(|item| item.container_id.as_deref())
        .collect();
    let unnamed = of_type("code_interpreter_call").filter(|item| item.container_id.is_none()).count();
    // The answer does not say which tool used which container. The size is known only if all sizes agree.
    let containers =
        tools.iter().filter_map(|tool| not_null(tool.container).or_else(|| container_of_shell(tool)));
    let mut sizes = containers.map(memory_of);
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

/// The container in which a shell runs. `None` for a shell on the caller's machine.
fn container_of_shell<'a>(tool: &Tool<'a>) -> Raw<'a> {
    let environment = not_null(tool.environment)?;
    let kind = text(lenient::nested::<Container<'_>>(Some(environment))?.kind)?;
    kind.starts_with("container").then_some(environment)
}

/// The memory of a tool's container.
///
/// A container that the provider creates is an object; it has 1 GB unless `memory_limit` says otherwise.
/// A container that the user created is an id, which does not tell its size.
fn memory_of(container: &RawValue) -> ContainerMemory {
    let Some(created) = lenient::nested::<Container<'_>>(Some(container)) else {
        return ContainerMemory::Unknown;
    };
    let Some(limit) = text(created.memory_limit) else {
        return if matches!(text(created.kind).as_deref(), None | Some("auto" | "container_auto")) {
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
