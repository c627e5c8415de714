//! Calls of the provider's own tools, which have fees in addition to the tokens.

use spanledger_event::Usage;

/// Calls of the provider's own tools, as counted from the items of a response.
///
/// A usage object may also count some of them. They are the same calls, so each kind is billed once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolCalls {
    /// Searches of the web.
    pub web_searches: u64,
    /// Searches of the web with the older preview tool, which has its own price.
    pub web_search_previews: u64,
    /// Searches in files.
    pub file_searches: u64,
    /// Containers that ran code. The session is billed, not each call in it.
    pub containers: u64,
    /// The memory of these containers.
    pub container_memory: ContainerMemory,
    /// Images that the image tool made.
    pub images: u64,
}

/// The memory of a container that runs code; a larger container costs more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerMemory {
    /// 1 GB, the default size.
    #[default]
    Gb1,
    /// 4 GB.
    Gb4,
    /// 16 GB.
    Gb16,
    /// 64 GB.
    Gb64,
    /// The response does not state the size, so the containers have no price.
    Unknown,
}

impl ToolCalls {
    pub(super) fn add_to(self, usage: &mut Usage) {
        usage.web_search_calls = usage.web_search_calls.max(self.web_searches);
        usage.file_search_calls = usage.file_search_calls.max(self.file_searches);
        usage.images = usage.images.max(self.images);
        // The usage counts the same containers, without their size. They are billed by size.
        let containers = usage.code_interpreter_calls.max(self.containers);
        usage.code_interpreter_calls = 0;
        let mut put = |name: &str, count: u64| {
            if count > 0 {
                usage.units.insert(name.to_owned(), count.into());
            }
        };
        put("web_search_preview", self.web_search_previews);
        match self.container_memory {
            ContainerMemory::Gb1 => usage.code_interpreter_calls = containers,
            ContainerMemory::Gb4 => put("container_4gb", containers),
            ContainerMemory::Gb16 => put("container_16gb", containers),
            ContainerMemory::Gb64 => put("container_64gb", containers),
            // No meter has this name, so the call is unpriced.
            ContainerMemory::Unknown => put("container_unknown_size", containers),
        }
    }
}
