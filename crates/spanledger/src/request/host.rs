//! The provider of a request, by its host.

use std::sync::{Arc, LazyLock, OnceLock};

use reqwest::Url;
use spanledger_price::providers;

/// The variable that names the provider behind hosts that are not known.
const PROVIDER_VARIABLE: &str = "SPANLEDGER_PROVIDER";

/// Its value.
static PROVIDER_OF_UNKNOWN_HOSTS: LazyLock<Option<String>> = LazyLock::new(|| {
    let name = std::env::var(PROVIDER_VARIABLE).ok()?;
    Some(providers::canonical_name(&name)).filter(|name| !name.is_empty())
});

/// A host and its provider. Clones share the texts.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) address: Arc<str>,
    pub(super) provider: Arc<str>,
    /// Whether the path is that of an Azure deployment.
    is_azure_path: bool,
}

/// The host that a client calls. Nearly every client calls one host, so that its texts are made once.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostCache(OnceLock<Host>);

impl HostCache {
    /// The host of a URL. `provider` is that of every host, if the client names it.
    pub(super) fn of_url(&self, url: &Url, provider: Option<&str>) -> Host {
        let address = url.host_str().unwrap_or_default();
        // A gateway in front of Azure keeps its paths.
        let is_azure_path = url.path().contains("/openai/deployments/");
        let make = || Host {
            address: address.into(),
            provider: provider.map_or_else(|| provider_of(address, is_azure_path).into(), Into::into),
            is_azure_path,
        };
        let cached = self.0.get_or_init(make);
        if &*cached.address == address && cached.is_azure_path == is_azure_path {
            return cached.clone();
        }
        make()
    }
}

/// The provider of a URL whose client does not name it.
pub(crate) fn provider_of_url(url: &Url) -> String {
    provider_of(url.host_str().unwrap_or_default(), url.path().contains("/openai/deployments/"))
}

/// The provider of a call whose client does not name it.
///
/// A host that is not a known provider's is named as it is: a server of your own that is compatible with OpenAI's
/// API does not have OpenAI's prices.
fn provider_of(host: &str, is_azure_path: bool) -> String {
    if let Some(known) = providers::of_host(host) {
        return known.to_owned();
    }
    if is_azure_path {
        return "azure.ai.openai".to_owned();
    }
    PROVIDER_OF_UNKNOWN_HOSTS.clone().unwrap_or_else(|| host.to_ascii_lowercase())
}
