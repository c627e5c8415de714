//! What keeps the price book current: foreign price lists read, compared with the book and written as
//! entries, the differences of two books, and warnings about a book.
//!
//! The binary uses it. A service that records its calls does not contain it.
//!
//! An import has four steps, each a pure function of texts and values:
//!
//! 1. [`litellm`] or [`genai_prices`] reads a price list. The [`PriceMap`] also says what of the list the
//!    book cannot hold.
//! 2. [`compare`] compares it with a book at a moment: new, changed, withdrawn and suspicious models.
//! 3. [`entries`] makes dated entries for the proposals that are accepted.
//! 4. [`insert`] adds them at the end of a book file's text, and parses the result before it returns it.
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
