//! A provider: its names, its models and its rules.

use super::{Discount, FallbackRules, Fee, Model, Names, RegionalSurcharge};
use crate::Tier;

/// One provider's models and rules.
#[derive(Clone, Debug)]
pub struct Provider {
    pub(crate) name: String,
    /// Its other names in telemetry, including those of all channels.
    pub(crate) aliases: Vec<String>,
    /// The names of each channel. A channel is another way in which the models are sold, such as Azure for
    /// OpenAI. A user's price file may describe only one channel.
    pub(crate) channels: Vec<Vec<String>>,
    /// Other names, besides its own names, that may be a prefix of a model's name.
    pub(crate) prefixes: Vec<String>,
    pub(crate) tiers: Vec<(String, Tier)>,
    pub(crate) regional_surcharge: Option<RegionalSurcharge>,
    pub(crate) fees: Vec<Fee>,
    pub(crate) discounts: Vec<Discount>,
    pub(crate) fallback: FallbackRules,
    pub(crate) models: Vec<Model>,
    pub(crate) names: Names,
    /// The models of the user's deployments by name. They are looked up before the provider's names.
    pub(crate) deployments: Names,
}

impl Provider {
    pub(super) fn empty(name: String) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            channels: Vec::new(),
            prefixes: Vec::new(),
            tiers: Vec::new(),
            regional_surcharge: None,
            fees: Vec::new(),
            discounts: Vec::new(),
            fallback: FallbackRules::default(),
            models: Vec::new(),
            names: Names::default(),
            deployments: Names::default(),
        }
    }

    /// The name on events: `openai`, …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The models, in the order of the file.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The surcharge for regional processing, if there is one.
    pub fn regional(&self) -> Option<&RegionalSurcharge> {
        self.regional_surcharge.as_ref()
    }

    /// The fees of tool calls.
    pub fn fees(&self) -> &[Fee] {
        &self.fees
    }

    /// The discounts on the list prices.
    pub fn discounts(&self) -> &[Discount] {
        &self.discounts
    }

    /// The rules by which a meter without a rate gets the rate of another meter.
    pub fn fallback(&self) -> &FallbackRules {
        &self.fallback
    }

    /// The provider's words for tiers, each with the tier that it means. If a word occurs twice, the first
    /// one counts.
    pub fn tiers(&self) -> &[(String, Tier)] {
        &self.tiers
    }

    /// The tier that a word of the provider means.
    pub fn tier(&self, word: &str) -> Option<Tier> {
        self.tiers.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, tier)| *tier)
    }

    /// The words for tiers without repetition, in the order of the tiers.
    pub fn tier_words(&self) -> Vec<&str> {
        let mut words: Vec<(Tier, &str)> = Vec::new();
        for (word, tier) in &self.tiers {
            if !words.iter().any(|(_, known)| known.eq_ignore_ascii_case(word)) {
                words.push((*tier, word));
            }
        }
        words.sort_by_key(|(tier, _)| *tier);
        words.into_iter().map(|(_, word)| word).collect()
    }

    /// The names of the channel to which a name belongs. If it belongs to no channel, the provider's own
    /// names are returned.
    pub(crate) fn channel(&self, name: &str) -> Vec<String> {
        let mut channels = self.channels.iter();
        match channels.find(|names| names.iter().any(|other| other.eq_ignore_ascii_case(name))) {
            Some(names) => names.clone(),
            None => {
                let is_of_channel = |name: &String| self.channels.iter().flatten().any(|other| other == name);
                self.all_names().filter(|name| !is_of_channel(name)).cloned().collect()
            }
        }
    }

    /// A copy of the provider that has only the names of this channel.
    pub(crate) fn for_channel(&self, channel: &[String]) -> Self {
        let mut other = self.clone();
        other.prefixes.extend(self.all_names().cloned());
        other.name = channel.first().cloned().unwrap_or_default();
        other.aliases = channel.iter().skip(1).cloned().collect();
        other.channels.clear();
        other
    }

    /// Removes the names of a channel, which has become a separate provider.
    pub(crate) fn remove_channel(&mut self, channel: &[String]) {
        self.prefixes.extend(channel.iter().cloned());
        self.aliases.retain(|name| !channel.contains(name));
        self.channels.retain(|other| other != channel);
    }

    /// Whether this is its name or one of its aliases. Case is ignored.
    pub fn is_called(&self, name: &str) -> bool {
        self.all_names().any(|own| own.eq_ignore_ascii_case(name))
    }

    fn all_names(&self) -> impl Iterator<Item = &String> {
        [&self.name].into_iter().chain(&self.aliases)
    }
}
