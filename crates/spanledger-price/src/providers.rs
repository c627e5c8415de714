//! The table of providers. All code that recognizes a provider by its name uses this table.
//!
//! To add a provider, add a file of prices in `book/` and a row of `PROVIDERS`. If its usage objects have
//! special fields, also add a file in `usage/`.

use spanledger_event::ResponseRef;

use crate::usage::{UsageFamily, anthropic, bedrock, cohere, deepseek, google, groq, mistral, openai, xai};

#[cfg(test)]
mod tests;

/// A provider.
pub(crate) struct KnownProvider {
    /// OpenTelemetry's name (registry, `gen_ai.provider.name`), which is the name on events.
    pub(crate) name: &'static str,
    /// Other names that emitters send: those of OpenTelemetry until 1.37, and names that were observed.
    pub(crate) aliases: &'static [&'static str],
    /// Prefixes of its names, in lower-case letters and digits. They determine the [`UsageFamily`], also of
    /// unknown names. OpenAI's family needs none, because it is the default.
    pub(crate) usage_names: &'static [&'static str],
    /// The provider's own hosts.
    pub(crate) hosts: &'static [Host],
    /// Where the provider's prices are.
    pub(crate) prices: Prices,
    /// How the provider's usage objects are read.
    pub(crate) usage: &'static UsageFamily,
}

/// A host of a provider, or many hosts under one domain.
pub(crate) enum Host {
    /// One host and its regional subdomains, such as `eu.api.openai.com`. The provider never assigns a
    /// response id twice.
    Regional(&'static str),
    /// One host. The provider never assigns a response id twice.
    Single(&'static str),
    /// A domain with a host for each customer. One host never assigns a response id twice.
    PerCustomer(&'static str),
}

/// Where the prices of a provider are.
pub(crate) enum Prices {
    /// The prices are in a file of the built-in book with this name and text.
    File(&'static str, &'static str),
    /// The prices are in the file of another provider, which also names this one.
    OtherFile,
    /// The built-in book has none.
    None,
}

/// The table of providers, in the order in which users see them.
pub(crate) static PROVIDERS: &[KnownProvider] = &[
    KnownProvider {
        name: "openai",
        aliases: &[],
        usage_names: &[],
        hosts: &[Host::Regional("api.openai.com")],
        prices: Prices::File("openai.toml", include_str!("../book/openai.toml")),
        usage: &openai::FAMILY,
    },
    KnownProvider {
        name: "azure.ai.openai",
        aliases: &["az.ai.openai", "azure", "azure_openai", "azure-openai"],
        usage_names: &[],
        hosts: &[
            Host::PerCustomer("openai.azure.com"),
            Host::PerCustomer("openai.azure.us"),
            Host::PerCustomer("openai.azure.cn"),
            // Resources of Azure AI services and of Foundry have these hosts.
            Host::PerCustomer("cognitiveservices.azure.com"),
            Host::PerCustomer("services.ai.azure.com"),
        ],
        prices: Prices::OtherFile,
        usage: &openai::FAMILY,
    },
    KnownProvider {
        name: "azure.ai.inference",
        aliases: &["az.ai.inference"],
        usage_names: &[],
        hosts: &[],
        prices: Prices::None,
        usage: &openai::FAMILY,
    },
    KnownProvider {
        name: "anthropic",
        aliases: &[],
        usage_names: &["anthropic", "claude"],
        hosts: &[Host::Single("api.anthropic.com")],
        prices: Prices::File("anthropic.toml", include_str!("../book/anthropic.toml")),
        usage: &anthropic::FAMILY,
    },
    KnownProvider {
        name: "aws.bedrock",
        aliases: &[],
        usage_names: &["amazon", "aws", "bedrock"],
        hosts: &[],
        prices: Prices::None,
        usage: &bedrock::FAMILY,
    },
    KnownProvider {
        name: "gcp.gemini",
        aliases: &["gemini"],
        usage_names: &["gcp", "gemini", "google", "vertex"],
        hosts: &[Host::Single("generativelanguage.googleapis.com")],
        prices: Prices::File("google.toml", include_str!("../book/google.toml")),
        usage: &google::FAMILY,
    },
    KnownProvider {
        name: "gcp.vertex_ai",
        aliases: &["vertex_ai"],
        usage_names: &[],
        hosts: &[],
        prices: Prices::OtherFile,
        usage: &google::FAMILY,
    },
    KnownProvider {
        name: "deepseek",
        aliases: &[],
        usage_names: &["deepseek"],
        hosts: &[Host::Single("api.deepseek.com")],
        prices: Prices::File("deepseek.toml", include_str!("../book/deepseek.toml")),
        usage: &deepseek::FAMILY,
    },
    KnownProvider {
        name: "mistral_ai",
        aliases: &["mistral"],
        usage_names: &["mistral"],
        hosts: &[Host::Single("api.mistral.ai")],
        prices: Prices::File("mistral.toml", include_str!("../book/mistral.toml")),
        usage: &mistral::FAMILY,
    },
    KnownProvider {
        name: "x_ai",
        aliases: &["xai"],
        usage_names: &["grok", "xai", "spacexai"],
        hosts: &[Host::Single("api.x.ai")],
        prices: Prices::File("xai.toml", include_str!("../book/xai.toml")),
        usage: &xai::FAMILY,
    },
    KnownProvider {
        name: "groq",
        aliases: &[],
        usage_names: &["groq"],
        hosts: &[Host::Single("api.groq.com")],
        prices: Prices::File("groq.toml", include_str!("../book/groq.toml")),
        usage: &groq::FAMILY,
    },
    KnownProvider {
        name: "cohere",
        aliases: &[],
        usage_names: &["cohere", "azcohere"],
        hosts: &[Host::Single("api.cohere.com")],
        prices: Prices::File("cohere.toml", include_str!("../book/cohere.toml")),
        usage: &cohere::FAMILY,
    },
];

/// The file of sources that several files of the built-in book name, as (name, text).
const SHARED_SOURCES: (&str, &str) = ("sources.toml", include_str!("../book/sources.toml"));

/// The files of the built-in book as (name, text): the shared sources, and one file per provider that has
/// prices.
pub(crate) fn price_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_providers = PROVIDERS.iter().filter_map(|provider| match provider.prices {
        Prices::File(name, text) => Some((name, text)),
        Prices::OtherFile | Prices::None => None,
    });
    [SHARED_SOURCES].into_iter().chain(of_providers)
}

/// The OpenTelemetry name of a provider, for a name that an emitter sends.
///
/// A provider's name may be followed by that of an API: `openai.chat` is `openai`. An unknown name is only
/// converted to lower case.
///
/// ```
/// use spanledger_price::providers;
///
/// assert_eq!(providers::canonical_name("az.ai.openai"), "azure.ai.openai");
/// assert_eq!(providers::canonical_name("openai.chat"), "openai");
/// assert_eq!(providers::canonical_name("Acme"), "acme");
/// ```
pub fn canonical_name(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let is_api =
        |known: &&KnownProvider| name.strip_prefix(known.name).is_some_and(|api| api.starts_with('.'));
    let known = PROVIDERS.iter().find(|known| known.name == name || known.aliases.contains(&name.as_str()));
    known.or_else(|| PROVIDERS.iter().find(is_api)).map_or(name.clone(), |known| known.name.to_owned())
}

/// The OpenTelemetry name of the provider that owns a host.
pub fn of_host(host: &str) -> Option<&'static str> {
    own_host(&host.to_ascii_lowercase()).map(|(provider, _)| provider.name)
}

/// The region of processing of a provider's regional host. Some models cost more in some regions.
///
/// ```
/// use spanledger_price::providers;
///
/// assert_eq!(providers::region_of_host("openai", Some("eu.api.openai.com")).as_deref(), Some("eu"));
/// assert_eq!(providers::region_of_host("openai", Some("api.openai.com")), None);
/// ```
pub fn region_of_host(provider: &str, host: Option<&str>) -> Option<String> {
    let host = host?.to_ascii_lowercase();
    let (known, own) = own_host(&host)?;
    let Host::Regional(plain) = own else { return None };
    let region = subdomain(&host, plain).filter(|region| !region.is_empty() && known.name == provider)?;
    Some(region.to_owned())
}

/// The response id with its namespace, and whether it is unique in the namespace.
///
/// Only a provider's own hosts are trusted never to assign an id twice. If the host is unknown, a long id is
/// assumed to be the provider's own, because the ids of mock and test servers are shorter.
pub fn response_ref(provider: &str, host: Option<&str>, id: &str) -> ResponseRef {
    const ID_CHARS_MIN: usize = 24;
    let host = host.map(str::to_ascii_lowercase);
    let own = match host.as_deref() {
        None => PROVIDERS
            .iter()
            .find(|known| known.name == provider && known.hosts.iter().any(Host::shares_ids))
            .filter(|_| id.len() >= ID_CHARS_MIN)
            .map(|known| known.name.to_owned()),
        Some(name) => own_host(name).and_then(|(known, own)| {
            if own.shares_ids() {
                (known.name == provider).then(|| known.name.to_owned())
            } else {
                Some(name.to_owned())
            }
        }),
    };
    let unique = own.is_some();
    let namespace = own.or(host).unwrap_or_else(|| provider.to_owned());
    ResponseRef { namespace, id: id.to_owned(), unique }
}

impl Host {
    /// Whether response ids are unique across all of these hosts.
    fn shares_ids(&self) -> bool {
        !matches!(self, Self::PerCustomer(_))
    }

    fn is(&self, host: &str) -> bool {
        match self {
            Self::Single(own) => host == *own,
            Self::Regional(own) => host == *own || subdomain(host, own).is_some(),
            Self::PerCustomer(domain) => subdomain(host, domain).is_some(),
        }
    }
}

/// The part of a host before the domain and its dot.
fn subdomain<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    host.strip_suffix(domain)?.strip_suffix('.')
}

/// The provider that owns a host, and the matching entry of its hosts. The host must be in lower case.
fn own_host(host: &str) -> Option<(&'static KnownProvider, &'static Host)> {
    PROVIDERS.iter().find_map(|known| Some((known, known.hosts.iter().find(|own| own.is(host))?)))
}
