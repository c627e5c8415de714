//! Names that are not in the book, and those that may have been meant.

use spanledger_price::{PriceBook, Provider};

use crate::render::parts::{clean, list};

/// More would be a list to read, not a hint.
const NAMES_MAX: usize = 3;

pub(crate) fn unknown_provider(book: &PriceBook, name: &str) -> anyhow::Error {
    let known = list(book.providers().iter().map(Provider::name), "and");
    let near = similar_provider(book, name).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    anyhow::anyhow!("the book has no provider `{}`: it has {known}{near}", clean(name))
}

pub(super) fn unknown_model(providers: &[&Provider], name: &str) -> anyhow::Error {
    let of = match providers {
        [one] => format!(" of {}", one.name()),
        _ => String::new(),
    };
    let near = similar(providers, name);
    let name = clean(name);
    if near.is_empty() {
        anyhow::anyhow!("the book has no model `{name}`{of}: `spanledger prices list` shows what it has")
    } else {
        anyhow::anyhow!("the book has no model `{name}`{of}: did you mean {}?", list(near, "or"))
    }
}

/// The provider that may have been meant.
pub(super) fn similar_provider(book: &PriceBook, name: &str) -> Option<String> {
    near(book.providers().iter().map(|provider| provider.name().to_owned()), name).into_iter().next()
}

/// Names of models that may have been meant.
pub(crate) fn similar(providers: &[&Provider], name: &str) -> Vec<String> {
    let names = providers.iter().flat_map(|provider| {
        let own = |model: &'_ spanledger_price::Model| -> Vec<String> {
            let own = provider.deployments_of(model).into_iter().map(str::to_owned);
            [model.name().to_owned()].into_iter().chain(model.aliases().iter().cloned()).chain(own).collect()
        };
        provider.models().iter().flat_map(own)
    });
    near(names, name)
}

/// The names that are nearest, if any is near.
pub(super) fn near(names: impl Iterator<Item = String>, asked: &str) -> Vec<String> {
    let asked = asked.to_lowercase();
    // A slip in one of three characters still shows what was meant.
    let limit = (asked.chars().count() / 3).max(1);
    let mut found: Vec<(usize, String)> = names
        .filter_map(|name| {
            let distance = strsim::osa_distance(&name.to_lowercase(), &asked);
            let is_part = asked.len() > 2 && name.contains(&asked);
            (distance <= limit || is_part).then_some((distance, name))
        })
        .collect();
    found.sort();
    found.dedup();
    // Nobody who only writes it in capitals means another one.
    if found.iter().any(|(distance, _)| *distance == 0) {
        found.retain(|(distance, _)| *distance == 0);
    }
    found.into_iter().take(NAMES_MAX).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_parts_are_near() {
        let names = ["gpt-5", "gpt-5-mini", "gpt-4o-transcribe", "o3", "text-embedding-3-small"];
        let near = |asked: &str| near(names.iter().map(|&name| name.to_owned()), asked);
        assert_eq!(near("gtp-5"), ["gpt-5"]);
        assert_eq!(near("GPT-5-mimi"), ["gpt-5-mini"]);
        assert_eq!(near("GPT-5"), ["gpt-5"]);
        assert_eq!(near("transcribe"), ["gpt-4o-transcribe"]);
        assert_eq!(near("something-else"), Vec::<String>::new());
    }
}
