//! Finds the model for a name in a request or a response.

use std::collections::HashMap;

use super::{Model, Provider};

/// Every name, alias and snapshot of a provider, and the index of its model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(HashMap<Box<str>, usize>);

impl Names {
    /// Adds a name. If another model already has the name, nothing changes and that model is returned.
    pub(crate) fn insert(&mut self, name: &str, model: usize) -> Option<usize> {
        if let Some(&other) = self.0.get(name) {
            return Some(other);
        }
        self.0.insert(name.into(), model);
        None
    }

    /// Adds a name, or gives it another model.
    pub(crate) fn replace(&mut self, name: &str, model: usize) {
        self.0.insert(name.into(), model);
    }

    fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(name, index)| (&**name, *index))
    }

    fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Provider {
    /// The model with this name.
    ///
    /// These are tried in order, with and without the provider's name as a prefix (`openai/gpt-5.5`,
    /// `openai::gpt-5.5`):
    ///
    /// 1. a deployment of the user with this name;
    /// 2. a model, an alias or a listed snapshot with this name;
    /// 3. the same without a date at the end (`gpt-5.5-2026-10-01`). A snapshot with a different price is
    ///    listed as a separate model, so that it is found before.
    ///
    /// A fine-tuned `ft:base:organization:suffix:id` has the price of `ft:base` if the book lists it, and
    /// never the price of the base. Nothing else is guessed.
    pub fn model(&self, name: &str) -> Option<&Model> {
        let deployment =
            || self.deployments.get(name).or_else(|| self.deployments.get(self.without_prefix(name)));
        let index = if self.deployments.is_empty() { None } else { deployment() };
        index.or_else(|| self.listed(name)).map(|index| &self.models[index])
    }

    /// The index of the model with this name, without looking at deployments.
    pub(crate) fn listed(&self, name: &str) -> Option<usize> {
        let bare = self.without_prefix(name);
        let listed = fine_tuned(bare).unwrap_or(bare);
        self.names.get(listed).or_else(|| self.names.get(without_date(listed)?))
    }

    /// The names of the user's deployments of the model, in alphabetical order.
    pub fn deployments_of(&self, model: &Model) -> Vec<&str> {
        let own = |(name, index): (_, usize)| (self.models[index].name == model.name).then_some(name);
        let mut names: Vec<&str> = self.deployments.iter().filter_map(own).collect();
        names.sort_unstable();
        names
    }

    fn without_prefix<'n>(&self, name: &'n str) -> &'n str {
        // Most names have no prefix.
        if !name.contains(['/', ':']) {
            return name;
        }
        let strip = |provider: &str| {
            let rest = name.strip_prefix(provider)?;
            rest.strip_prefix('/').or_else(|| rest.strip_prefix("::"))
        };
        // Google's clients write `models/` before every name.
        (strip(&self.name).or_else(|| self.aliases.iter().chain(&self.prefixes).find_map(|name| strip(name))))
            .or_else(|| name.strip_prefix("models/"))
            .unwrap_or(name)
    }
}

/// The part `ft:base` of a name `ft:base:organization:suffix:id`.
fn fine_tuned(name: &str) -> Option<&str> {
    const PREFIX: &str = "ft:";
    let base = name.strip_prefix(PREFIX)?.split(':').next()?;
    name.get(..PREFIX.len() + base.len())
}

/// The name without `-YYYY-MM-DD` at its end; `None` if it has no date.
pub fn without_date(name: &str) -> Option<&str> {
    const SHAPE: [u8; 11] = *b"-0000-00-00";
    let (base, date) = name.split_at_checked(name.len().checked_sub(SHAPE.len())?)?;
    let is_date = date.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    });
    is_date.then_some(base)
}
