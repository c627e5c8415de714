//! The book: providers, their models, and dated prices.

mod discount;
mod error;
mod fallback;
mod fee;
pub mod grammar;
mod hours;
mod model;
mod names;
mod overlay;
mod parse;
mod period;
mod price;
mod provider;
mod toml_file;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

pub use discount::Discount;
pub use error::{BookError, BookErrors, BookProblem};
pub use fallback::FallbackRules;
pub use fee::{Fee, RegionalSurcharge};
pub use hours::Hours;
pub use model::Model;
pub(crate) use names::Names;
pub use period::Period;
pub use price::{Origin, Price, Rate, Rates, Source};
pub use provider::Provider;

/// Prices of providers and models over time. A value: two books can be held at once, to ask what
/// the same call would cost under each. Cloning shares it.
#[derive(Clone)]
pub struct PriceBook {
    pub(crate) providers: Arc<[Provider]>,
    pub(crate) version: Arc<str>,
}

impl PriceBook {
    /// The files that [`builtin`](Self::builtin) is made of, one per provider, as (name, text).
    pub const FILES: [(&str, &str); 8] = [
        ("openai.toml", include_str!("../book/openai.toml")),
        ("anthropic.toml", include_str!("../book/anthropic.toml")),
        ("google.toml", include_str!("../book/google.toml")),
        ("deepseek.toml", include_str!("../book/deepseek.toml")),
        ("mistral.toml", include_str!("../book/mistral.toml")),
        ("xai.toml", include_str!("../book/xai.toml")),
        ("groq.toml", include_str!("../book/groq.toml")),
        ("cohere.toml", include_str!("../book/cohere.toml")),
    ];

    /// The book that this release carries; parsed at the first use.
    ///
    /// # Panics
    ///
    /// Never: that the file is valid is a test of this crate.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<PriceBook> = LazyLock::new(|| {
            PriceBook::parse(PriceBook::FILES)
                .unwrap_or_else(|errors| panic!("built-in price book: {errors}"))
        });
        &BUILTIN
    }

    /// Reads a book from files, given as (name, text). All mistakes of all files are collected.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, BookErrors> {
        parse::book(None, files)
    }

    /// This book with files of one's own laid over it: negotiated rates, discounts, models of one's
    /// own, names of deployments.
    ///
    /// A file speaks of the provider that it names; one that this book does not have is added. What
    /// a file may say of a provider that is there already:
    ///
    /// * `[[price]] model = "…"`: other rates for a model, tier by tier, from a day on (and until
    ///   one). They take the place of this book's for that time; what they do not state stays as this
    ///   book has it. The model has to exist. With `list = true` they are list prices, from which
    ///   discounts are taken; else they are final.
    /// * `[[discount]] percent = "12.5"`: off all of this book's rates and fees, or those of some
    ///   `models` and `tiers`; not off rates of your own.
    /// * `[[model]]`: a model of one's own.
    /// * `[deployments]`: `"my-name" = "gpt-5.5"`, what a name of one's own means.
    /// * `[[fee]]`: a fee for tool calls; it goes before this book's.
    ///
    /// A file that names a provider by another of its names, such as `azure.ai.openai`, speaks of that
    /// one alone: it has the same prices as before, but for what the file says.
    ///
    /// The version of the new book names both contents.
    ///
    /// ```
    /// use spanledger_price::PriceBook;
    ///
    /// let ours = r#"
    /// [provider]
    /// name = "openai"
    /// [source]
    /// contract = "enterprise agreement of 2026"
    /// [[discount]]
    /// percent = "10"
    /// from = 2026-01-01
    /// sources = ["contract"]
    /// checked = 2026-01-05
    /// [deployments]
    /// chat-production = "gpt-5.5"
    /// "#;
    /// let book = PriceBook::builtin().layered([("prices.toml", ours)])?;
    /// assert!(book.provider("openai").and_then(|openai| openai.model("chat-production")).is_some());
    /// # Ok::<(), spanledger_price::BookErrors>(())
    /// ```
    pub fn layered<'a>(
        &self,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BookErrors> {
        parse::book(Some(self), files)
    }

    /// The day of the latest check and a hash of the content: `2026-11-20+0123456789ab`.
    ///
    /// Kept by every priced event, so that what priced it can be told.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The providers.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The provider of that name, or of one of its other names.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.is_called(name))
    }
}

impl fmt::Debug for PriceBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriceBook").field("version", &self.version).finish_non_exhaustive()
    }
}
