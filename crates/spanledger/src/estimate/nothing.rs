//! What is kept of a stream without the feature `tokenizer`: nothing.

use spanledger_event::{Endpoint, Usage};

/// The texts of a stream, of which none is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamedText;

#[expect(clippy::unused_self, reason = "the shape of the type that keeps texts")]
impl StreamedText {
    pub(crate) fn keep_prompt(&mut self, _endpoint: Endpoint, _body: Option<&reqwest::Body>) {}

    pub(crate) fn is_kept(&self) -> bool {
        false
    }

    pub(crate) fn add_event(&mut self, _data: &[u8]) {}

    pub(crate) fn bytes(&self) -> usize {
        0
    }

    pub(crate) fn usage(&self, _model: Option<&str>) -> Option<Usage> {
        None
    }
}
