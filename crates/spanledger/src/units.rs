//! What a call used beside tokens: tool calls, images, characters.
//!
//! None of it stands in the usage object; it is counted from the answer's items, and where the
//! answer says nothing of what was made, from the request.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use spanledger_event::{Endpoint, Usage};

#[cfg(test)]
mod tests;

/// Calls of the provider's own tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tools {
    pub(crate) web_search: u64,
    /// Searches with the older tool, which has a price of its own.
    pub(crate) web_search_preview: u64,
    pub(crate) file_search: u64,
    /// Containers that ran code: what is billed is the session, not the call.
    pub(crate) containers: u64,
    /// Their memory, where the answer says so.
    pub(crate) memory: Memory,
    pub(crate) images: u64,
}

/// The size of a container; a larger one costs more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Memory {
    #[default]
    Gb1,
    Gb4,
    Gb16,
    Gb64,
    /// Nobody says it: no price is right.
    Unknown,
}

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

impl Tools {
    /// Counts from an answer's `output`, `tool_usage` and `tools`.
    pub(crate) fn of(output: Option<&RawValue>, stated: Option<&RawValue>, tools: Option<&RawValue>) -> Self {
        let items: Vec<Item<'_>> = read(output).unwrap_or_default();
        let tools: Vec<Tool<'_>> = read(tools).unwrap_or_default();
        let of_type =
            |kind: &'static str| items.iter().filter(move |item| item.r#type.as_deref() == Some(kind));
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
        let mut sizes = tools.iter().filter_map(|tool| tool.container).map(Memory::of);
        let memory = sizes.next().unwrap_or_default();
        let memory = if sizes.all(|size| size == memory) { memory } else { Memory::Unknown };
        Self {
            web_search: if preview { 0 } else { searches },
            web_search_preview: if preview { searches } else { 0 },
            file_search: number(of_type("file_search_call").count()),
            containers: number(named.len() + unnamed),
            memory,
            images: number(of_type("image_generation_call").count()),
        }
    }

    /// Adds the calls to a usage.
    pub(crate) fn add_to(self, usage: &mut Usage) {
        // The usage object may count some of them, too: the same calls, not others.
        usage.web_search_calls = usage.web_search_calls.max(self.web_search);
        usage.file_search_calls = usage.file_search_calls.max(self.file_search);
        usage.images = usage.images.max(self.images);
        // Its containers are these, too, so that all of them are billed once and by their size.
        let containers = usage.code_interpreter_calls.max(self.containers);
        usage.code_interpreter_calls = 0;
        let mut put = |name: &str, count: u64| {
            if count > 0 {
                usage.units.insert(name.to_owned(), count.into());
            }
        };
        put("web_search_preview", self.web_search_preview);
        match self.memory {
            Memory::Gb1 => usage.code_interpreter_calls = containers,
            Memory::Gb4 => put("container_4gb", containers),
            Memory::Gb16 => put("container_16gb", containers),
            Memory::Gb64 => put("container_64gb", containers),
            // No meter has this name, so that the call is unpriced.
            Memory::Unknown => put("container_unknown_size", containers),
        }
    }
}

impl Memory {
    /// Of a tool's container: an object for one that the provider makes, 1 GB unless it says
    /// otherwise; the id of one's own, whose size was said when it was made.
    fn of(container: &RawValue) -> Self {
        let Some(made) = read::<Option<Container<'_>>>(Some(container)) else { return Self::Unknown };
        let Some(made) = made else { return Self::default() };
        let Some(limit) = made.memory_limit else {
            return if matches!(made.r#type.as_deref(), None | Some("auto")) {
                Self::Gb1
            } else {
                Self::Unknown
            };
        };
        let limit = limit.trim().to_ascii_lowercase();
        let number = limit.strip_suffix("gb").or_else(|| limit.strip_suffix('g')).unwrap_or_default();
        match number.trim_end() {
            "1" => Self::Gb1,
            "4" => Self::Gb4,
            "16" => Self::Gb16,
            "64" => Self::Gb64,
            _ => Self::Unknown,
        }
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
