use std::{collections::BTreeSet, path::Path};

use super::{
    Host, PROVIDERS, Prices, SHARED_SOURCES, canonical_name, of_host, price_files, region_of_host,
    response_ref,
};
use crate::{PriceBook, usage};

#[test]
fn the_names_of_providers_are_unique() {
    let names = PROVIDERS.iter().flat_map(|row| [&row.name].into_iter().chain(row.aliases));
    let mut known = BTreeSet::new();
    for name in names {
        assert_eq!(*name, name.to_ascii_lowercase(), "names are compared in lower case");
        assert!(known.insert(name), "{name} is in two rows");
    }
}

#[test]
fn the_prices_of_each_row_are_in_the_stated_file() {
    let book = PriceBook::builtin();
    for row in PROVIDERS {
        let priced = book.provider(row.name).map(|provider| provider.name());
        match row.prices {
            Prices::File(name, text) => {
                let own = PriceBook::parse([SHARED_SOURCES, (name, text)]).unwrap();
                assert!(own.provider(row.name).is_some(), "{name} does not name {}", row.name);
            }
            Prices::OtherFile => assert!(priced.is_some(), "no file names {}", row.name),
            Prices::None => assert_eq!(priced, None, "{} has prices", row.name),
        }
    }
}

#[test]
fn each_file_of_prices_is_in_a_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("book");
    let files =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let on_disk: BTreeSet<String> =
        files.filter(|name| Path::new(name).extension().is_some_and(|end| end == "toml")).collect();
    let in_rows: BTreeSet<String> = price_files().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(on_disk, in_rows);
}

#[test]
fn each_name_of_a_provider_leads_to_its_usage_family() {
    for row in PROVIDERS {
        for name in [&row.name].into_iter().chain(row.aliases) {
            assert!(std::ptr::eq(usage::family_of(name), row.usage), "{name}");
        }
    }
    assert!(std::ptr::eq(usage::family_of("somebody"), usage::family_of("openai")));
}

#[test]
fn each_host_leads_to_its_row() {
    for row in PROVIDERS {
        for host in row.hosts {
            let host = match host {
                Host::Single(host) | Host::Regional(host) => (*host).to_owned(),
                Host::PerCustomer(domain) => format!("acme.{domain}"),
            };
            assert_eq!(of_host(&host), Some(row.name), "{host}");
        }
    }
    assert_eq!(of_host("EU.api.openai.com"), Some("openai"));
    assert_eq!(of_host("api.openai.com.evil.example"), None);
    assert_eq!(of_host("notapi.openai.com"), None);
    assert_eq!(of_host("openai.azure.com"), None);
}

#[test]
fn old_names_and_names_with_an_api_are_one_provider() {
    for (name, expected) in [
        ("openai.responses", "openai"),
        (" OpenAI ", "openai"),
        ("anthropic.messages", "anthropic"),
        ("az.ai.openai", "azure.ai.openai"),
        ("azure", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("xai", "x_ai"),
        ("openais", "openais"),
        ("acme", "acme"),
    ] {
        assert_eq!(canonical_name(name), expected);
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
        assert_eq!(region_of_host(provider, host).as_deref(), expected, "{provider} {host:?}");
    }
}

#[test]
fn only_the_providers_own_hosts_have_unique_ids() {
    const ID: &str = "chatcmpl-C4nOnicalLyL0ngEnough";
    for (provider, host, id, namespace, unique) in [
        ("openai", None, ID, "openai", true),
        ("openai", None, "chatcmpl-1", "openai", false),
        ("anthropic", None, ID, "anthropic", true),
        ("azure.ai.openai", None, ID, "azure.ai.openai", false),
        ("openai", Some("eu.api.openai.com"), "chatcmpl-1", "openai", true),
        ("groq", Some("api.openai.com"), ID, "api.openai.com", false),
        ("openai", Some("127.0.0.1"), ID, "127.0.0.1", false),
        ("openai", Some("api.openai.com.evil.example"), ID, "api.openai.com.evil.example", false),
        ("azure.ai.openai", Some("Acme.openai.azure.com"), ID, "acme.openai.azure.com", true),
        ("groq", None, ID, "groq", true),
        ("aws.bedrock", None, ID, "aws.bedrock", false),
    ] {
        let reference = response_ref(provider, host, id);
        let found = (reference.namespace.as_str(), reference.unique);
        assert_eq!(found, (namespace, unique), "{provider} {host:?} {id}");
    }
}
