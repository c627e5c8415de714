//! Estimates the usage of a stream that ended without it, by counting the tokens of its texts.
//!
//! The feature `tokenizer` makes this possible, and a setting of the layer switches it on. A call then keeps its prompt and the text of its answer until its end,
//! and the exporter's thread counts their tokens. The usage is marked as estimated. It lacks what nobody sees:
//! cached tokens, hidden reasoning, images and the tokens of tools. Without the feature nothing is kept and such
//! a call is unpriced.

#[cfg(feature = "tokenizer")]
mod count;
#[cfg(not(feature = "tokenizer"))]
mod nothing;

#[cfg(feature = "tokenizer")]
pub(crate) use count::StreamedText;
#[cfg(not(feature = "tokenizer"))]
pub(crate) use nothing::StreamedText;
