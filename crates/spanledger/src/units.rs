//! What a call used beside tokens: tool calls, images, characters.
//!
//! None of it stands in the usage object; it is counted from the answer's items, and where the
//! answer says nothing of what was made, from the request.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use spanledger_event::{Endpoint, Usage};
use spanledger_price::usage::{ContainerMemory, ToolCalls};

#[cfg(test)]
mod tests;

/// An item of a Responses answer: a message, a tool call, …
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

/// What the provider itself counts.
#[derive(Deserialize)]
struct Stated {
    #[serde(default)]
    web_search: Option<WebSearch>,
}

#[derive(Deserialize)]
struct WebSearch {
    #[serde(default)]
    num_requests: Option<u64>,
}

/// A tool that the call could use.
#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(default, borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    container: Option<&'a RawValue>,
}

/// A container that the provider makes for the call.
#[derive(Deserialize)]
struct Container<'a> {
    #[serde(default, borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    memory_limit: Option<Cow<'a, str>>,
}

/// A list or an object in the form that is expected; nothing where it has another one: an answer
/// that surprises in one place is read in all others.
fn read<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// Counts the calls of tools from an answer's `output`, `tool_usage` and `tools`.
pub(crate) fn tool_calls(
    output: Option<&RawValue>,
    stated: Option<&RawValue>,
    tools: Option<&RawValue>,
) -> ToolCalls {
    let items: Vec<Item<'_>> = read(output).unwrap_or_default();
    let tools: Vec<Tool<'_>> = read(tools).unwrap_or_default();
    let of_type = |kind: &'static str| items.iter().filter(move |item| item.r#type.as_deref() == Some(kind));
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);

    // Opening a page that a search has found is not billed again.
    let is_open = |item: &&Item<'_>| {
        let action = item.action.as_ref().and_then(|action| action.r#type.as_deref());
        matches!(action, Some("open_page" | "find" | "find_in_page"))
    };
    // The provider's own count is of billable searches alone.
    let searches = read::<Stated>(stated)
        .and_then(|stated| stated.web_search?.num_requests)
        .unwrap_or_else(|| number(of_type("web_search_call").filter(|item| !is_open(item)).count()));
    let has = |prefix: &str, not: &str| {
        tools
            .iter()
            .filter_map(|tool| tool.r#type.as_deref())
            .any(|kind| kind.starts_with(prefix) && (not.is_empty() || !kind.starts_with(not)))
    };
    let preview = has("web_search_preview", "") && !has("web_search", "web_search_preview");

    let named: BTreeSet<&str> =
        of_type("code_interpreter_call").filter_map(|item| item.container_id.as_deref()).collect();
    let unnamed = of_type("code_interpreter_call").filter(|item| item.container_id.is_none()).count();
    let mut sizes = tools.iter().filter_map(|tool| tool.container).map(memory_of);
    let memory = sizes.next().unwrap_or_default();
    let memory = if sizes.all(|size| size == memory) { memory } else { ContainerMemory::Unknown };
    ToolCalls {
        web_searches: if preview { 0 } else { searches },
        web_search_previews: if preview { searches } else { 0 },
        file_searches: number(of_type("file_search_call").count()),
        containers: number(named.len() + unnamed),
        container_memory: memory,
        images: number(of_type("image_generation_call").count()),
    }
}

/// The memory of a tool's container: an object for one that the provider makes, 1 GB unless it says
/// otherwise; the id of one's own, whose size was said when it was made.
fn memory_of(container: &RawValue) -> ContainerMemory {
    let Some(made) = read::<Option<Container<'_>>>(Some(container)) else { return ContainerMemory::Unknown };
    let Some(made) = made else { return ContainerMemory::default() };
    let Some(limit) = made.memory_limit else {
        return if matches!(made.r#type.as_deref(), None | Some("auto")) {
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
pub(crate) fn images(data: &RawValue) -> u64 {
    read::<Vec<IgnoredAny>>(Some(data)).map_or(0, |list| u64::try_from(list.len()).unwrap_or(u64::MAX))
}

/// What a request says about units that its answer does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedUnits {
    /// Characters to speak.
    pub(crate) characters: u64,
    /// Quality and size of images.
    pub(crate) quality: Option<String>,
    pub(crate) size: Option<String>,
}

impl AskedUnits {
    /// The usage of a call whose answer has no usage object: characters spoken, images made.
    /// Models that are billed by tokens have no rate for these, so that they stay unpriced.
    pub(crate) fn usage(&self, endpoint: Endpoint, images: u64) -> Option<Usage> {
        let mut usage = Usage::default();
        match endpoint {
            Endpoint::AudioSpeech if self.characters > 0 => usage.characters = self.characters,
            Endpoint::Images if images > 0 => {
                usage.images = images;
                // What the API makes when it is not told otherwise.
                let size = self.size.as_deref().filter(|size| *size != "auto").unwrap_or("1024x1024");
                let quality = self.quality.as_deref().filter(|q| *q != "auto").unwrap_or("standard");
                usage.variant = Some(format!("{quality} {size}"));
            }
            _ => return None,
        }
        Some(usage)
    }
}
