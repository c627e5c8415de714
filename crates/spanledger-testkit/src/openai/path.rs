//! The paths of a request: OpenAI's own and Azure's.
//!
//! Source: the API reference of OpenAI; "Azure OpenAI REST API reference" for `/openai/deployments/{deployment}`,
//! `/openai/v1` and the other paths below `/openai`, which need `api-version`.

/// A path of the API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiPath<'a> {
    /// The segments below the base URL.
    pub(crate) segments: Vec<&'a str>,
    /// The deployment in an Azure path, which stands for the model.
    pub(crate) deployment: Option<&'a str>,
}

impl<'a> ApiPath<'a> {
    /// Reads a path. `None` if it is not below a base URL of the API.
    pub(crate) fn read(path: &'a str, query: Option<&str>) -> Option<Self> {
        let mut segments: Vec<&str> = path.split('/').skip(1).collect();
        let has_version = query.is_some_and(|query| query.split('&').any(|p| p.starts_with("api-version=")));
        let (base, deployment) = match segments.as_slice() {
            ["v1", ..] => (1, None),
            ["openai", "v1", ..] => (2, None),
            ["openai", "deployments", deployment, ..] if has_version => (3, Some(*deployment)),
            ["openai", ..] if has_version => (1, None),
            _ => return None,
        };
        Some(Self { segments: segments.split_off(base), deployment })
    }

    /// The key under which an object at this path is stored. It is the same for all base URLs.
    pub(crate) fn key(&self) -> String {
        format!("/v1/{}", self.segments.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::ApiPath;

    #[test]
    fn azure_paths_name_the_same_endpoints() {
        let read = |path, query| ApiPath::read(path, query).map(|path| (path.key(), path.deployment));
        let version = Some("a=b&api-version=2024-10-21");
        let chat = "/v1/chat/completions".to_owned();
        assert_eq!(read("/v1/chat/completions", None), Some((chat.clone(), None)));
        assert_eq!(read("/openai/v1/chat/completions", None), Some((chat.clone(), None)));
        assert_eq!(read("/openai/deployments/d/chat/completions", version), Some((chat, Some("d"))));
        assert_eq!(read("/openai/batches/b", version), Some(("/v1/batches/b".to_owned(), None)));
        assert_eq!(read("/openai/deployments/d/chat/completions", None), None, "the version is required");
        assert_eq!(read("/chat/completions", None), None);
    }
}
