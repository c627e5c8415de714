//! Keeps the price book current: reads foreign price lists, compares them with the book and writes entries. It
//! also lists the differences between two books and warns about implausible prices in a book.
//!
//! The command-line tool uses this crate. A service that records its calls does not depend on it.
//!
//! An import has four steps, each a pure function of texts and values:
//!
//! 1. [`litellm`] or [`genai_prices`] reads a price list. The [`PriceMap`] also lists the prices that the book
//!    cannot represent.
//! 2. [`compare`] compares it with a book at a moment: new, changed, withdrawn and suspicious models.
//! 3. [`entries`] makes dated entries for the proposals that are accepted.
//! 4. [`insert`] adds the entries to the end of a book file's text and parses the result before it returns it.
//!
//! ```
//! use spanledger_event::Timestamp;
//! use spanledger_price::PriceBook;
//! use spanledger_pricelist::{Accept, EntryOptions, Scope, compare, entries, insert, litellm};
//!
//! let map = litellm(r#"{"acme-2": {
//!     "litellm_provider": "openai", "mode": "chat",
//!     "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05
//! }}"#)?;
//! let scope = Scope {
//!     at: Timestamp::parse("2026-11-21T00:00:00Z").ok_or("no moment")?,
//!     provider: Some("openai".to_owned()),
//!     models: vec!["acme-2".to_owned()],
//! };
//! let comparison = compare(PriceBook::builtin(), &map, &scope);
//! assert_eq!(comparison.new[0].model, "acme-2");
//! let entries = entries(&comparison, &EntryOptions {
//!     provider: "openai".to_owned(),
//!     from: "2026-11-21".to_owned(),
//!     checked: "2026-11-21".to_owned(),
//!     source_id: "litellm_2026_11".to_owned(),
//!     source_text: "price map of litellm of 2026-11-21".to_owned(),
//!     accept: Accept::None,
//!     list: true,
//! });
//! let overrides = insert(Some(PriceBook::builtin()), "", &entries)?;
//! assert!(overrides.contains("standard = { input_per_1m = \"2.5\", output_per_1m = \"10\" }"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod append;
mod compare;
pub mod diff;
pub mod lint;
mod source;

#[cfg(test)]
mod tests;

pub use append::{Accept, Entries, EntryOptions, InsertError, entries, insert};
pub use compare::{
    Comparison, KeptOverride, Later, ManualChange, Names, Proposal, Scope, Suspicion, Withdrawn, compare,
};
pub use source::{ForeignLine, ForeignModel, ImportError, PriceMap, Skipped, genai_prices, litellm};
