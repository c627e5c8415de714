//! Providers: their names, and how far their response ids can be trusted.

use spanledger_event::ResponseRef;

/// The OpenTelemetry name of a provider, for the names that emitters have used for it.
///
/// Sources: the registry's values of `gen_ai.provider.name`, its renames up to 1.37, and what
/// emitters were seen to send (`openai.chat`, `Azure`, …).
pub fn normalize(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    match lower.as_str() {
        "az.ai.openai" | "azure" | "azure_openai" | "azure-openai" => "azure.ai.openai".to_owned(),
        "az.ai.inference" => "azure.ai.inference".to_owned(),
        "xai" => "x_ai".to_owned(),
        "vertex_ai" => "gcp.vertex_ai".to_owned(),
        "gemini" => "gcp.gemini".to_owned(),
        "mistral" => "mistral_ai".to_owned(),
        _ if lower == "openai" || lower.starts_with("openai.") => "openai".to_owned(),
        _ if lower.starts_with("anthropic.") => "anthropic".to_owned(),
        _ => lower,
    }
}

/// The region of processing that a host stands for, which some models charge for: OpenAI's regional
/// hosts, `eu.api.openai.com`.
pub fn region_of(provider: &str, host: Option<&str>) -> Option<String> {
    let host = host.filter(|_| provider == "openai")?.to_ascii_lowercase();
    host.strip_suffix(".api.openai.com").filter(|region| !region.is_empty()).map(str::to_owned)
}

/// Whose response id it is. Only a provider's own host is trusted never to give one id twice.
pub fn response_ref(provider: &str, host: Option<&str>, id: &str) -> ResponseRef {
    let host = host.map(str::to_ascii_lowercase);
    let own = match (provider, host.as_deref()) {
        // Without a host the id itself must look like a real one: stand-ins give short ones.
        ("openai", None) if id.len() >= 24 => Some("openai".to_owned()),
        ("openai", Some(host)) if host == "api.openai.com" || host.ends_with(".api.openai.com") => {
            Some("openai".to_owned())
        }
        ("anthropic", None) if id.len() >= 24 => Some("anthropic".to_owned()),
        ("anthropic", Some("api.anthropic.com")) => Some("anthropic".to_owned()),
        (_, Some(host)) if host.ends_with(".openai.azure.com") => Some(host.to_owned()),
        _ => None,
    };
    let unique = own.is_some();
    let namespace = own.or(host).unwrap_or_else(|| provider.to_owned());
    ResponseRef { namespace, id: id.to_owned(), unique }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_odd_names_are_one_provider() {
        for (name, expected) in [
            ("openai.responses", "openai"),
            (" OpenAI ", "openai"),
            ("az.ai.openai", "azure.ai.openai"),
            ("xai", "x_ai"),
            ("acme", "acme"),
        ] {
            assert_eq!(normalize(name), expected);
        }
    }

    #[test]
    fn a_regional_host_is_a_region() {
        for (provider, host, expected) in [
            ("openai", Some("EU.api.openai.com"), Some("eu")),
            ("openai", Some("api.openai.com"), None),
            ("openai", Some("eu.api.openai.com.evil.example"), None),
            ("openai", None, None),
            ("groq", Some("eu.api.openai.com"), None),
        ] {
            assert_eq!(region_of(provider, host).as_deref(), expected, "{provider} {host:?}");
        }
    }

    #[test]
    fn only_the_providers_own_hosts_have_unique_ids() {
        for (provider, host, namespace, unique) in [
            ("openai", None, "openai", true),
            ("openai", Some("eu.api.openai.com"), "openai", true),
            ("openai", Some("127.0.0.1"), "127.0.0.1", false),
            ("openai", Some("api.openai.com.evil.example"), "api.openai.com.evil.example", false),
            ("azure.ai.openai", Some("Acme.openai.azure.com"), "acme.openai.azure.com", true),
            ("groq", None, "groq", false),
        ] {
            let reference = response_ref(provider, host, "chatcmpl-C4nOnicalLyL0ngEnough");
            assert_eq!(
                (reference.namespace.as_str(), reference.unique),
                (namespace, unique),
                "{provider} {host:?}"
            );
        }
    }
}
