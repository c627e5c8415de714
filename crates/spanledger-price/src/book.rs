//! The price book: providers, their models, and dated prices.

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
    sync::{Arc, OnceLock},
};

use crate::providers;
pub use discount::Discount;
pub use error::{BookError, BookErrors, BookProblem};
pub use fallback::FallbackRules;
pub use fee::{Fee, RegionalSurcharge};
pub use hours::Hours;
pub use model::Model;
pub(crate) use names::Names;
pub use names::without_date;
pub use period::Period;
pub use price::{Origin, Price, Rate, Rates, Source};
pub use provider::Provider;

/// Prices of providers and models over time. A program can hold several books, for example to compare the
/// costs of a call. A clone shares the contents.
#[derive(Clone)]
pub struct PriceBook {
    pub(crate) providers: Arc<[Provider]>,
    pub(crate) version: Arc<str>,
}

impl PriceBook {
    /// The files of the [built-in](Self::builtin) book as (name, text): the shared sources, and one file per
    /// provider.
    pub fn builtin_files() -> impl Iterator<Item = (&'static str, &'static str)> {
        providers::price_files()
    }

    /// The price book that this release contains. It is parsed at the first use.
    ///
    /// # Panics
    ///
    /// Never: a test of this crate checks that the files are valid.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<PriceBook> = OnceLock::new();
        if let Some(book) = BUILTIN.get() {
            return book;
        }
        // Two threads may do this at the same time. If one waited for the other, it would wait for ever in a process
        // that was forked meanwhile, because the other thread does not exist there.
        let book = PriceBook::parse(PriceBook::builtin_files())
            .unwrap_or_else(|errors| panic!("built-in price book: {errors}"));
        BUILTIN.get_or_init(|| book)
    }

    /// Reads a book from files, given as (name, text). The error has all mistakes of all files.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, BookErrors> {
        parse::book(None, files)
    }

    /// A copy of this book with the user's price files applied: negotiated rates, discounts, additional
    /// models, names of deployments.
    ///
    /// A file describes the provider that it names. A provider that this book does not have is added. The
    /// files are explained in `docs/pricing.md`, "Your own prices"; [`grammar`] has all of their keys.
    ///
    /// * A `[[price]]` entry replaces this book's rates of its model and tiers for its period. Rates that the
    ///   entry does not state are taken from this book. The entry's rates are final, unless it is
    ///   `discountable`.
    /// * A `[[fee]]` takes precedence over this book's fees, and a name in `[deployments]` over its models'
    ///   names.
    /// * A file that names a channel of a provider, such as `azure.ai.openai`, describes only that channel.
    ///   The channel keeps this book's prices, except for those that the file states.
    ///
    /// The version of the new book names both contents.
    ///
    /// ```
    /// use spanledger_price::PriceBook;
    ///
    /// let ours = r#"
    /// [provider]
    /// name = "openai"
    /// [sources]
    /// contract = "enterprise agreement of 2026"
    /// [[discount]]
    /// percent = "10"
    /// from = 2026-01-01
    /// sources = ["contract"]
    /// prices_checked = 2026-01-05
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
    /// Every priced event stores the version, so that the prices that were used are known.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The providers.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The provider with this name or alias.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.is_called(name))
    }
}

impl fmt::Debug for PriceBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriceBook").field("version", &self.version).finish_non_exhaustive()
    }
}
