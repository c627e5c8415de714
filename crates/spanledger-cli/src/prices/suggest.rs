//! Suggestions for names that the book does not have.

use spanledger_price::{Model, PriceBook, Provider};

use crate::render::parts::{clean, list};

/// The greatest number of names in a suggestion.
const NAMES_MAX: usize = 3;

pub(crate) fn unknown_provider(book: &PriceBook, name: &str) -> anyhow::Error {
    let known = list(book.providers().iter().map(Provider::name), "and");
    let suggestion = similar_provider(book, name);
    let suggestion = suggestion.map(|similar| format!("; did you mean {similar}?")).unwrap_or_default();
    anyhow::anyhow!("the book has no provider `{}`: it has {known}{suggestion}", clean(name))
}

pub(super) fn unknown_model(providers: &[&Provider], name: &str) -> anyhow::Error {
    let of = match providers {
        [one] => format!(" of {}", one.name()),
        _ => String::new(),
    };
    let similar = similar_models(providers, name);
    let name = clean(name);
    if similar.is_empty() {
        anyhow::anyhow!("the book has no model `{name}`{of}: `spanledger prices list` shows what it has")
    } else {
        anyhow::anyhow!("the book has no model `{name}`{of}: did you mean {}?", list(similar, "or"))
    }
}

/// The provider that the user may have meant.
pub(super) fn similar_provider(book: &PriceBook, name: &str) -> Option<String> {
    suggest(book.providers().iter().map(|provider| provider.name().to_owned()), name).into_iter().next()
}

/// Names of models, aliases and deployments that the user may have meant.
pub(crate) fn similar_models(providers: &[&Provider], name: &str) -> Vec<String> {
    let names = providers.iter().flat_map(|provider| {
        let names = |model: &'_ Model| -> Vec<String> {
            let deployments = provider.deployments_of(model).into_iter();
            let others = model.aliases().iter().map(String::as_str).chain(deployments);
            [model.name()].into_iter().chain(others).map(str::to_owned).collect()
        };
        provider.models().iter().flat_map(names)
    });
    suggest(names, name)
}

/// The names that are most similar to `written`. The result is empty if no name is similar.
pub(super) fn suggest(names: impl Iterator<Item = String>, written: &str) -> Vec<String> {
    let written = written.to_lowercase();
    // With one wrong character in three a name can still be recognized.
    let limit = (written.chars().count() / 3).max(1);
    let mut found: Vec<(usize, String)> = names
        .filter_map(|name| {
            let distance = strsim::osa_distance(&name.to_lowercase(), &written);
            let is_part = written.len() > 2 && name.contains(&written);
            (distance <= limit || is_part).then_some((distance, name))
        })
        .collect();
    found.sort();
    found.dedup();
    // If a name differs only in upper and lower case, it is the only suggestion.
    if found.iter().any(|(distance, _)| *distance == 0) {
        found.retain(|(distance, _)| *distance == 0);
    }
    found.into_iter().take(NAMES_MAX).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_or_partial_name_finds_the_name() {
        let names = ["gpt-5", "gpt-5-mini", "gpt-4o-transcribe", "o3", "text-embedding-3-small"];
        let suggest = |written: &str| suggest(names.iter().map(|&name| name.to_owned()), written);
        assert_eq!(suggest("gtp-5"), ["gpt-5"]);
        assert_eq!(suggest("GPT-5-mimi"), ["gpt-5-mini"]);
        assert_eq!(suggest("GPT-5"), ["gpt-5"]);
        assert_eq!(suggest("transcribe"), ["gpt-4o-transcribe"]);
        assert_eq!(suggest("something-else"), Vec::<String>::new());
    }
}
