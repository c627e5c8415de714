//! The price book of Spanledger: it computes exact cost lines from the usage of a call.
//!
//! There are three central types. A [`PriceBook`] holds dated prices of models. A [`PriceQuery`] is one
//! call: the provider that billed it, the model that answered, the tier, the time and the usage. The
//! result is a [`Cost`](spanledger_event::Cost): lines that add up exactly to a total, or the reason why
//! the call has no price. The engine is a pure function: it has no clock and no I/O, and the same query
//! always has the same result.
//!
//! [`usage::resolve`] finds the usage, the tier and the region in a provider's response, and
//! [`PriceBook::price`] computes the cost. The instrumented client, the receiver and the command `price`
//! use both functions and have no rules of their own. [`providers`] has a table of providers with one row
//! for each.
//!
//! # Three calls, with the arithmetic
//!
//! Rates are dollars per million tokens. A line is `quantity ÷ 1,000,000 × rate`.
//!
//! **A cached prompt.** Cached tokens are part of the input that the provider reports, so they are
//! taken out of it before either is billed:
//!
//! ```text
//! gpt-5.5, 10,000 in (8,000 of them cached), 200 out
//!   input         10,000 − 8,000 = 2,000 × 5.00 = 0.010
//!   cached_input                   8,000 × 0.50 = 0.004
//!   output                           200 × 30   = 0.006
//!                                                 0.020
//! ```
//!
//! ```
//! use spanledger_event::{Endpoint, Timestamp};
//! use spanledger_price::{PriceBook, PriceQuery, usage};
//!
//! let json = r#"{
//!     "input_tokens": 10000, "input_tokens_details": {"cached_tokens": 8000},
//!     "output_tokens": 200, "total_tokens": 10200
//! }"#;
//! let parsed = usage::parse("openai", json)?;
//! let query = PriceQuery {
//!     provider: "openai",
//!     response_model: Some("gpt-5.5-2026-04-23"),
//!     endpoint: Endpoint::Responses,
//!     service_tier: Some("default"),
//!     at: Timestamp::parse("2026-11-15T10:00:00Z").ok_or("no moment")?,
//!     usage: Some(&parsed.usage),
//!     ..PriceQuery::default()
//! };
//! let cost = PriceBook::builtin().price(&query);
//! let lines: Vec<_> = cost.lines.iter().map(|line| format!("{} {}", line.kind, line.usd)).collect();
//! assert_eq!(lines, ["input 0.01", "cached_input 0.004", "output 0.006"]);
//! assert_eq!(cost.usd, Some("0.02".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A reasoning call.** Reasoning tokens are part of the output that the provider reports and cost
//! what output costs. They have their own line and are billed once:
//!
//! ```text
//! gpt-5, 1,000 in, 1,000 out (900 of them reasoning)
//!   input                   1,000 × 1.25 = 0.00125
//!   output    1,000 − 900 =   100 × 10   = 0.00100
//!   reasoning                 900 × 10   = 0.00900
//!                                          0.01125
//! ```
//!
//! ```
//! # use spanledger_event::Timestamp;
//! # use spanledger_price::{PriceBook, PriceQuery, usage};
//! let json = r#"{
//!     "prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000,
//!     "completion_tokens_details": {"reasoning_tokens": 900}
//! }"#;
//! let parsed = usage::parse("openai", json)?;
//! let query = PriceQuery {
//!     provider: "openai",
//!     model: Some("gpt-5"),
//!     at: Timestamp::parse("2026-11-15T10:00:00Z").ok_or("no moment")?,
//!     usage: Some(&parsed.usage),
//!     ..PriceQuery::default()
//! };
//! let cost = PriceBook::builtin().price(&query);
//! let lines: Vec<_> = cost.lines.iter().map(|line| format!("{} {}", line.kind, line.usd)).collect();
//! assert_eq!(lines, ["input 0.00125", "output 0.001", "reasoning 0.009"]);
//! assert_eq!(cost.usd, Some("0.01125".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A long prompt.** If the prompt has strictly more than 272,000 tokens, cached ones included, *the
//! whole request* has the long rates, not only the tokens above the threshold. Here one more token raises
//! the cost of the call by 1.37501 dollars:
//!
//! ```text
//! gpt-5.5, 272,000 in, 1,000 out        gpt-5.5, 272,001 in, 1,000 out
//!   input   272,000 × 5  = 1.360          input   272,001 × 10 = 2.72001
//!   output    1,000 × 30 = 0.030          output    1,000 × 45 = 0.04500
//!                          1.390                                 2.76501
//! ```
//!
//! ```
//! # use spanledger_event::{Bucket, Timestamp, Usage};
//! # use spanledger_price::{PriceBook, PriceQuery};
//! for (prompt, total) in [(272_000, "1.39"), (272_001, "2.76501")] {
//!     let usage = Usage::default().with(Bucket::Input, prompt).with(Bucket::Output, 1_000);
//!     let query = PriceQuery {
//!         provider: "openai",
//!         model: Some("gpt-5.5"),
//!         at: Timestamp::parse("2026-11-15T10:00:00Z").ok_or("no moment")?,
//!         usage: Some(&usage),
//!         ..PriceQuery::default()
//!     };
//!     assert_eq!(PriceBook::builtin().price(&query).usd, Some(total.parse()?));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is billed
//!
//! * **The model that answered is billed.** The requested name is used only if the response names no
//!   model. A fallback model is billed by its own price, and the name of an Azure deployment does not
//!   determine its model. [`Provider::model`] explains how names are matched.
//! * **The tier that served the call is billed.** A downgraded priority request states `default` and costs
//!   the standard rate. Calls of the batch endpoint have the batch tier. The rates of a tier are never
//!   derived from another one.
//! * **The moment of the call decides.** An entry holds from the start of its day in UTC until the next
//!   entry. Entries are never edited, so that a priced call keeps its price.
//! * **A missing cached rate** is replaced by the provider's fallback rules. For OpenAI, cached tokens then
//!   cost the input rate of the same tier and side of the long-context threshold. Without such a rule the
//!   call is unpriced. Cached tokens are never free and never have another tier's rate.
//! * **In a region with a surcharge**, the rate of a line contains the factor, and its unit shows it:
//!   `1M tokens, eu ×1.1`. Fees of tool calls have no surcharge.
//! * **Some models search the web at each chat call**, although no usage counts it. The book has the number
//!   of searches (`searches_per_call`), and they are billed.
//! * **A call that failed** before the model ran costs nothing, unless it reports a usage.
//!
//! # What unpriced means
//!
//! An unknown cost is `None`, never zero, with one [reason](spanledger_event::UnpricedReason) of a closed
//! list and a sentence for people. The parts that have a price are still listed as lines. A usage whose
//! counts are all zero is treated as missing, because gateways send zeros when they do not know the counts.
//!
//! ```
//! # use spanledger_event::{Bucket, UnpricedReason, Usage};
//! # use spanledger_price::{PriceBook, PriceQuery};
//! let usage = Usage::default().with(Bucket::Input, 10);
//! let query = PriceQuery {
//!     provider: "openai",
//!     model: Some("gpt-9-unknown"),
//!     usage: Some(&usage),
//!     ..PriceQuery::default()
//! };
//! let cost = PriceBook::builtin().price(&query);
//! assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::UnknownModel)));
//! assert_eq!(cost.detail.as_deref(), Some("the book has no model `gpt-9-unknown` of openai"));
//! ```
//!
//! # The book
//!
//! The files in `book/` hold dated entries, which are appended and never edited, each with its sources and the
//! day on which they were read. `docs/pricing.md` explains their grammar, and [`grammar`] has it as tables.
//! Reading a book reports [all mistakes](BookErrors) with file, line and remedy. [`PriceBook::version`] names
//! the content of a book, and every cost carries it.
//!
//! ```
//! use spanledger_price::PriceBook;
//!
//! let text = r#"
//! [provider]
//! name = "acme"
//! [sources]
//! contract = "our contract of 2026"
//! [[model]]
//! name = "acme-1"
//! [[price]]
//! model = "acme-1"
//! from = 2026-01-01
//! sources = ["contract"]
//! prices_checked = 2026-01-05
//! standard = { input_per_1m = "1.50", output_per_1m = 6.0 }
//! "#;
//! let errors = PriceBook::parse([("acme.toml", text)]).unwrap_err();
//! assert_eq!(
//!     errors.0[0].to_string(),
//!     "acme.toml:13: `output_per_1m` is a bare number: write it as a decimal string, \"6.0\", so that it stays exact",
//! );
//! let book = PriceBook::parse([("acme.toml", text.replace("6.0", "\"6.00\"").as_str())])?;
//! assert!(book.version().starts_with("2026-01-05+"));
//! # Ok::<(), spanledger_price::BookErrors>(())
//! ```
//!
//! # Non-goals
//!
//! This crate does not count tokens: it prices the usage that the provider reports, and estimates nothing
//! from texts. It does not price aggregates: the sum of a day must not be priced as one request, because
//! the long-context rule would apply to it.

#![deny(clippy::float_arithmetic)]

mod book;
mod engine;
mod meter;
pub mod providers;
mod tier;
pub mod usage;

pub use book::{
    BookError, BookErrors, BookProblem, Discount, FallbackRules, Fee, Hours, Model, Origin, Period, Price,
    PriceBook, Provider, Rate, Rates, RegionalSurcharge, Source, grammar, without_date,
};
pub use engine::{Basis, PriceQuery};
pub use meter::Meter;
pub use tier::Tier;
